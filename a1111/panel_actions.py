"""What the panel's buttons do. A user's mistake is one sentence in the panel, never an error box."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ..scheduler.errors import StepDistillError
from . import panel_live
from . import record_actions as records
from .host import option
from .host_denoiser import Scene
from .job import THE_JOB
from .job_state import Wish
from .names import AUTOMATIC, LABEL
from .next_picture import CHANNELS, GUIDANCE, HIRES, STRENGTH
from .panel_choices import KEPT, chosen_samplers, price, usual
from .record_actions import line
from .settings import remember
from .words import PIXELS

ASKED = ("prompt", "neg_prompt", "styles", "cfg_scale", "width", "height", "sampling")
SET = ("sampling", "scheduler", "steps")
PRICED = ("sampling", "width", "height")
FROM_PAGE = (*ASKED, "scheduler", "steps")
LEFT_OUT = (
    "It draws with the prompt, styles and LoRAs above, and without ControlNet, FreeU and the like."
)
AT_ONCE: dict[str, Any] = {"queue": False, "show_progress": "hidden"}

# tab -> (our controls, the page's, as far as they are there)
_waiting: dict[str, tuple[Any, dict[str, Any]]] = {}
_seen: dict[str, Any] = {}


def register() -> None:
    """Forget the page that there was: a new one is going to be made."""
    _waiting.clear()
    _seen.clear()


def tie(made: Any) -> None:
    """Give the controls their functions; those that need the page's get theirs once these are there."""
    panel_live.tie(made)
    _tie_records(made)
    for button in (made.interrupt, made.stop):
        button.click(interrupted, [made.seen], [made.progress, made.seen], **AT_ONCE)
    made.newest.click(lambda: ("", gr.update(visible=False)), [], [made.recipes, made.newest])
    _waiting[made.tab] = (made, {})
    for component in list(_seen.values()):
        after(component)


def _tie_records(made: Any) -> None:
    one, named = [made.record], [made.record, made.name]
    made.show.click(records.shown, one, [made.told, made.plot, made.table], **AT_ONCE)
    made.export.click(records.exported, one, [made.told, made.exported], **AT_ONCE)
    gone = [made.told, made.record, made.plot, made.table, made.exported]
    asks = [made.remove, made.sure]
    made.remove.click(records.removed, [*one, made.sure], [*gone, *asks], **AT_ONCE)
    made.record.change(records.unasked, [], asks, **AT_ONCE)
    made.rename.click(records.renamed, named, [made.told, made.record], **AT_ONCE)
    made.note.click(records.noted, named, [made.told], **AT_ONCE)
    made.folder.click(records.folder_opened, [], [made.told], **AT_ONCE)
    made.take.upload(records.taken, [made.take], [made.told, made.record], **AT_ONCE)


def after(component: Any) -> None:
    """A component of the page has been made: keep it if it is needed, and tie the buttons when
    nothing is missing, for the prompt and the sizes may come after us."""
    name = str(getattr(component, "elem_id", "") or "")
    tab, _, part = name.partition("_")
    if part not in (*FROM_PAGE, STRENGTH, GUIDANCE, HIRES):
        return
    _seen[name] = component
    made, page = _waiting.get(tab, (None, {}))
    needed = _needed(tab)
    wanted = (*needed, GUIDANCE, HIRES)  # where the host has them, before what is needed
    page |= {part: _seen[f"{tab}_{part}"] for part in wanted if f"{tab}_{part}" in _seen}
    if made is not None and all(part in page for part in needed):
        del _waiting[tab]
        _tie_page(made, page)


def _costs(made: Any) -> list[Any]:
    return [made.quality, made.samplers, made.least, made.most, made.measure]


def _needed(tab: str) -> tuple[str, ...]:
    """The strength of text to image is the second pass's."""
    return (*FROM_PAGE, STRENGTH) if tab == "img2img" else FROM_PAGE


def _tie_page(made: Any, page: dict[str, Any]) -> None:
    ours = [made.quality, made.samplers, made.least, made.most, made.rows, made.prompts]
    ours += [made.cfg, made.width, made.height, made.measure, made.again]
    inputs = [*ours, *(page[part] for part in ASKED)]
    made.distil.click(distilled, inputs, [made.doing], **AT_ONCE)
    costs = [*_costs(made), made.prompts, made.width, made.height]
    on_page = [page[part] for part in PRICED]
    for control in (*costs, *on_page):
        control.change(priced, [*costs, *on_page], [made.price], **AT_ONCE)
    outputs = [*(page[part] for part in SET), made.record, made.recipes, made.newest]
    made.use.click(used, [], outputs, **AT_ONCE)
    panel_live.tie_page(made, page)


def used() -> tuple:
    """The page's sampler, schedule type and steps, and the panel's own choices, for few steps."""
    steps = int(option("stepdistill_steps", 6))
    return (LABEL, LABEL, steps, AUTOMATIC, "", gr.update(visible=False))


def distilled(
    quality, samplers, least, most, rows, prompts, cfg, width, height, measure, again,
    prompt, negative, styles, page_cfg, page_width, page_height, above,
) -> str:  # fmt: skip
    """Begin; how far it is, every page hears of itself."""
    lines = tuple(line.strip() for line in str(prompts).splitlines() if line.strip())
    size = int(width or page_width), int(height or page_height)
    chosen, told = chosen_samplers(list(samplers), str(above))
    kept = {"quality": quality, "samplers": list(samplers), "rows": int(rows)}
    kept |= {"least": int(least), "most": int(most), "measure": bool(measure)}
    remember(**{KEPT: kept})
    scene = Scene(
        lines or (str(prompt),),
        str(negative),
        float(cfg or page_cfg),
        *size,
        int(rows),
        styles=tuple(styles or ()),
    )
    counts = int(min(least, most)), int(max(least, most))
    wish = Wish(scene, chosen, counts, quality, measure=bool(measure), again=bool(again), note=told)
    try:
        THE_JOB.start(wish)
    except StepDistillError as problem:
        return line(problem)
    from .panel_views import progress_html

    return progress_html(THE_JOB.progress)


def priced(
    quality, samplers, least, most, measure,
    prompts="", width=0, height=0, above="", page_width=0, page_height=0,
) -> str:  # fmt: skip
    """What Distill costs at most as the panel and the page stand, and what it does without."""
    lines = sum(bool(each.strip()) for each in str(prompts).splitlines())
    size = int(width or page_width or PIXELS), int(height or page_height or PIXELS)
    cells = CHANNELS * (size[0] // PIXELS) * (size[1] // PIXELS)
    told = price(quality, list(samplers), least, most, measure, str(above), lines, max(cells, 1))
    return line(f"{told} {LEFT_OUT}")


def price_as_left() -> str:
    """The same for the controls as the page is built with them."""
    ours = map(usual, ("quality", "samplers", "least", "most", "measure"))
    parts = (getattr(_seen.get(f"txt2img_{part}"), "value", None) for part in PRICED)
    above, width, height = (each or 0 for each in parts)
    return priced(*ours, above=above or "", page_width=width, page_height=height)


def interrupted(seen: str) -> tuple[str, str]:
    """Said at once. The page may have been told of the end before this comes: it is told again."""
    THE_JOB.interrupt()
    return line("Stopping at the next step."), panel_live.without_job(seen)
