"""Our section of the host's Settings page.

Every option is read with a default, for hosts that were started before it was known.
"""

from __future__ import annotations

from .host import say
from .names import AUTOMATIC, LABEL, TITLE

SECTION = ("stepdistill", TITLE)
LEARN = "stepdistill_learn"


def register() -> None:
    """Add the options at once, not with the page: they count under --nowebui too."""
    import gradio as gr
    from modules import shared

    info = shared.OptionInfo
    options = {
        "stepdistill_dropdowns": info(
            True,
            f"Offer '{LABEL}' as a schedule type and as a sampling method (after Reload UI)",
            gr.Checkbox,
            section=SECTION,
        ),
        "stepdistill_store": info(
            "",
            "Folder of the records (empty: STEPDISTILL_STORE, else your user data; ComfyUI keeps its "
            "own in user/stepdistill)",
            gr.Textbox,
            section=SECTION,
        ),
        "stepdistill_policy": info(
            "near",
            "Use a record that is not an exact match: exact (never), near (the same weights), any "
            "(related weights too)",
            gr.Radio,
            _policies,
            section=SECTION,
        ),
        LEARN: info(
            False,
            "Learn while drawing: pictures drawn with a deterministic sampler at 15 steps or more "
            "are learnt from (on once the panel was opened)",
            gr.Checkbox,
            section=SECTION,
        ),
        "stepdistill_steps": info(
            6,
            "Steps to learn",
            gr.Slider,
            {"minimum": 2, "maximum": 16, "step": 1},
            section=SECTION,
        ),
        "stepdistill_fallback": info(
            AUTOMATIC,
            "Schedule where nothing was distilled, nor measured by a record (Automatic: the "
            "sampler's own)",
            gr.Dropdown,
            _schedules,
            section=SECTION,
        ),
    }
    for name, option in options.items():
        shared.opts.add_option(name, option)


def _policies() -> dict:
    from ..scheduler.lookup.match import POLICIES

    return {"choices": list(POLICIES)}


def _schedules() -> dict:
    from ..scheduler.sigmas import STOCK as NAMES

    return {"choices": [AUTOMATIC, *NAMES]}


def frozen() -> bool:
    """Whether the host was told to let nobody change its settings, or ours."""
    from modules import shared

    def listed(flag: str) -> list[str]:
        given = str(getattr(shared.cmd_opts, flag, None) or "")
        return [each.strip() for each in given.split(",")]

    whole = getattr(shared.cmd_opts, "freeze_settings", False)
    section = SECTION[0] in listed("freeze_settings_in_sections")
    return bool(whole) or section or LEARN in listed("freeze_specific_settings")


def remember(**values: object) -> None:
    """Keep some of the host's settings, as its own Settings page does; not where it is frozen."""
    from modules import shared

    if frozen():
        return
    shared.opts.data.update(values)
    try:
        shared.opts.save(shared.config_filename)
    except (OSError, AttributeError) as problem:
        say(f"the settings could not be kept ({problem})")
