"""The WebUI adapters (A1111, Forge, reForge) over `scheduler`. Importable without a host; nothing
heavy is loaded until it is used."""


def register() -> type:
    """Put everything of ours into the host, again after each Reload UI; returns the class of the
    panel's script."""
    from . import panel_actions, routes, sampler, sampling_pass, schedule, settings, xyz_axes
    from .panel import StepDistillScript

    settings.register()
    sampling_pass.register()
    schedule.register()
    sampler.register()
    xyz_axes.register()
    routes.register()
    panel_actions.register()
    return StepDistillScript
