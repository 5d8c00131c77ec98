"""The WebUI adapters (A1111, Forge, reForge, Forge Neo) over `scheduler`. Importable without a host;
nothing heavy is loaded until it is used."""

NO_SCHEDULES = (
    "this WebUI has no list of schedule types (modules.sd_schedulers, of A1111 1.9 and later), so "
    "StepDistill is not offered here; use it in A1111, Forge, reForge or ComfyUI."
)


def register() -> type | None:
    """Put everything of ours into the host, again after each Reload UI; returns the class of the
    panel's script, or None, and nothing is registered, where the host has no place for it."""
    from .host import has_schedules, say

    if not has_schedules():
        say(NO_SCHEDULES)
        return None
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
