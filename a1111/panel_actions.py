"""What the panel's buttons do. A user's mistake is one sentence in the panel, never an error box."""

from __future__ import annotations

import html
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from ..scheduler.errors import StepDistillError
from .host import option, sampler_labels
from .host_denoiser import Scene
from .job import THE_JOB
from .job_state import Wish
from .names import AUTOMATIC, LABEL, STOCK_ONLY
from .panel_choices import KEPT, SAMPLER_ABOVE, chosen_samplers, price, usual
from .record_list import listed
from .settings import remember

ASKED = ("prompt", "neg_prompt", "styles", "cfg_scale", "width", "height", "sampling")
SET = ("sampling", "scheduler", "steps")
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
    from . import panel_live

    panel_live.tie(made)
    made.show.click(shown, [made.record], [made.told, made.plot, made.table], **AT_ONCE)
    made.export.click(exported, [made.record], [made.told, made.exported], **AT_ONCE)
    made.remove.click(removed, [made.record], [made.told, made.record], **AT_ONCE)
    renaming = [made.record, made.name]
    made.rename.click(renamed, renaming, [made.told, made.record], **AT_ONCE)
    made.folder.click(folder_opened, [], [made.told], **AT_ONCE)
    made.take.upload(taken, [made.take], [made.told, made.record], **AT_ONCE)
    made.interrupt.click(interrupted, [], [made.progress], **AT_ONCE)
    made.newest.click(lambda: ("", gr.update(visible=False)), [], [made.recipes, made.newest])
    costs = [made.quality, made.samplers, made.least, made.most, made.measure]
    for control in costs:
        control.change(priced, costs, [made.price], **AT_ONCE)
    _waiting[made.tab] = (made, {})
    for component in list(_seen.values()):
        after(component)


def after(component: Any) -> None:
    """A component of the page has been made: keep it if it is needed, and tie the buttons when
    nothing is missing, for the prompt and the sizes may come after us."""
    name = str(getattr(component, "elem_id", "") or "")
    tab, _, part = name.partition("_")
    if part not in FROM_PAGE:
        return
    _seen[name] = component
    made, page = _waiting.get(tab, (None, {}))
    page |= {part: _seen[f"{tab}_{part}"] for part in FROM_PAGE if f"{tab}_{part}" in _seen}
    if made is not None and len(page) == len(FROM_PAGE):
        del _waiting[tab]
        _tie_page(made, page)


def _tie_page(made: Any, page: dict[str, Any]) -> None:
    ours = [made.quality, made.samplers, made.least, made.most, made.rows, made.prompts]
    ours += [made.cfg, made.width, made.height, made.measure, made.again]
    inputs = [*ours, *(page[part] for part in ASKED)]
    made.distil.click(distilled, inputs, [made.progress], **AT_ONCE)
    outputs = [*(page[part] for part in SET), made.record, made.recipes, made.newest]
    made.use.click(used, [], outputs, **AT_ONCE)


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
    remember(
        **{
            KEPT: {
                "quality": quality,
                "least": int(least),
                "most": int(most),
                "measure": bool(measure),
            }
        }
    )
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
        return _line(problem)
    from .panel_views import progress_html

    return progress_html(THE_JOB.progress)


def priced(*asked: Any) -> str:
    """What Distill costs, and what it does without."""
    return _line(f"{price(*asked)} {LEFT_OUT}")


def price_as_left() -> str:
    """The same for the controls as the page is built with them."""
    above = [LABEL, SAMPLER_ABOVE]
    return priced(usual("quality"), above, usual("least"), usual("most"), usual("measure"))


def shown(chosen: str) -> tuple:
    """(what is said, plot, table) of the chosen record, or of the one that Automatic would take."""

    def work() -> tuple:
        from ..scheduler.record.verdict_words import recommendation
        from .panel_views import record_html
        from .plot_view import record_plot

        record = _record(chosen)[1]
        advice = recommendation(record, sampler_labels())
        return _line(advice), record_plot(record), record_html(record)

    return _told(work, 2)


def exported(chosen: str) -> tuple:
    """(what is said, a file to download), inner products and all."""

    def work() -> tuple:
        name, record = _record(chosen)
        path = Path(tempfile.mkdtemp(prefix="stepdistill-")) / f"{name}.json"
        record.save(path)
        return "", gr.update(value=str(path), visible=True)

    return _told(work, 1)


def removed(chosen: str) -> tuple:
    """(what is said, list of records) after taking the chosen record out of the store."""

    def work() -> tuple:
        from .stores import store

        store().remove(_one(chosen))
        return _line(f"Removed {chosen}."), gr.update(choices=listed(), value=AUTOMATIC)

    return _told(work, 1)


def renamed(chosen: str, name: str) -> tuple:
    """(what is said, list of records) after giving the chosen record another name."""

    def work() -> tuple:
        from .stores import stem, store

        if not str(name).strip():
            raise StepDistillError("Write the new name beside the button first.")
        old = _one(chosen)
        record = store().load(old)
        model = replace(record.model, name=str(name).strip()[:300])
        store().remove(old)  # equal keys are one file, whatever they are called
        try:
            new = stem(store().put(replace(record, model=model)))
        except StepDistillError:
            store().put(record)
            raise
        return _line(f"{old} is {new} now."), gr.update(choices=listed(), value=new)

    return _told(work, 1)


def folder_opened() -> str:
    """Show the store's folder as the host shows its own, on the machine that it runs on."""
    from modules import util

    from .stores import store

    folder, show = store().folder, getattr(util, "open_folder", None)
    hidden = getattr(_shared().cmd_opts, "hide_ui_dir_config", False)
    if show is not None and not hidden and folder.is_dir():
        with suppress(OSError):  # of a machine without a desktop: the path is told
            show(str(folder))
    return _line(f"The records lie in {folder}.")


def taken(files: Any) -> tuple:
    """(what is said, list of records) after keeping uploaded records."""
    from ..scheduler.record import load_record
    from .stores import stem, store

    told = []
    for file in files if isinstance(files, list) else [files]:
        path = Path(file if isinstance(file, str) else file.name)
        try:
            told.append(f"Imported {path.name} as {stem(store().put(load_record(path)))}.")
        except StepDistillError as problem:
            told.append(f"{path.name}: {problem}")
    return "".join(map(_line, told)), gr.update(choices=listed())


def interrupted() -> str:
    THE_JOB.interrupt()
    return _line("Stopping at the next model call.")


def _one(chosen: str) -> str:
    if chosen in (AUTOMATIC, STOCK_ONLY, "", None):
        raise StepDistillError("Choose a record in the list first.")
    return chosen


def _record(chosen: str) -> tuple[str, Any]:
    """(a name, the record): the chosen one, or the one that Automatic takes.

    Raises StepDistillError.
    """
    from ..scheduler.lookup.selection import first_match
    from .host import loaded_model
    from .identity import facts_of
    from .stores import stem, store

    if chosen not in (AUTOMATIC, STOCK_ONLY, "", None):
        return chosen, store().load(chosen)
    model = loaded_model()
    match = None if model is None else first_match(facts_of(model).key(), (store(),))[0]
    if match is not None:
        return stem(match.name), match.record
    if THE_JOB.progress.record is not None:  # of a store that could not be written to
        return THE_JOB.progress.record_name or "record", THE_JOB.progress.record
    raise StepDistillError("There is no record of the loaded checkpoint yet.")


def _told(work: Callable[[], tuple], others: int) -> tuple:
    """What `work()` returns; or a user's mistake as a line, and so many other outputs as they are."""
    try:
        return work()
    except StepDistillError as problem:
        return (_line(problem), *(gr.update(),) * others)


def _shared() -> Any:
    from modules import shared

    return shared


def _line(text: object) -> str:
    return f"<p>{html.escape(str(text))}</p>" if str(text) else ""
