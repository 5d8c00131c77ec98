"""The WebUI adapters (A1111, Forge, reForge) over `scheduler`. Importable without a host; nothing heavy is loaded until it is used."""


def register() -> type:
    """Put everything of ours into the host, again after each Reload UI; returns the class of the panel's script."""
    from . import axes, panel_work, passes, routes, sampler, schedule, settings
    from .panel import StepDistillScript

    settings.register()
    passes.register()
    schedule.register()
    sampler.register()
    axes.register()
    routes.register()
    panel_work.register()
    return StepDistillScript
