"""What the panel's buttons do. A user's mistake is one sentence in the panel's line of progress,
never an error box."""

from __future__ import annotations

import html
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from ..scheduler.errors import StepDistillError
from .host import sampler_labels
from .host_denoiser import Scene
from .job import THE_JOB, Wish
from .names import AUTOMATIC, STOCK_ONLY

POLL = 0.5  # seconds
FROM_PAGE = ("prompt", "neg_prompt", "cfg_scale", "width", "height")

_waiting: dict[
    str, tuple[Any, dict[str, Any]]
] = {}  # tab -> (our controls, the page's, as far as they are there)
_seen: dict[str, Any] = {}


def register() -> None:
    """Forget the page that there was: a new one is going to be made."""
    _waiting.clear()
    _seen.clear()


def tie(made: Any) -> None:
    """Give the controls their functions; Distill gets its own once the page's controls are there."""
    outputs = [made.record, made.status]
    made.refresh.click(refreshed, [made.record], outputs)
    made.show.click(shown, [made.record], [made.progress, made.plot, made.table])
    made.export.click(exported, [made.record], [made.progress, made.exported])
    made.take.upload(taken, [made.take], [made.progress, made.record, made.status])
    made.interrupt.click(interrupted, [], [])
    _waiting[made.tab] = (made, {})
    for component in list(_seen.values()):
        after(component)


def after(component: Any) -> None:
    """A component of the page has been made: keep it if Distill needs it, and tie the button when
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
        _tie_distil(made, page)


def _tie_distil(made: Any, page: dict[str, Any]) -> None:
    from modules import shared

    queued = not getattr(
        shared.cmd_opts, "no_gradio_queue", False
    )  # without a queue the page cannot follow; it waits
    inputs = [
        made.quality,
        made.samplers,
        made.least,
        made.most,
        made.rows,
        made.prompts,
        made.cfg,
        made.width,
        made.height,
        made.again,
    ]
    outputs = [made.progress, made.plot, made.table, made.record, made.status]
    made.distil.click(
        distilled if queued else _at_once, [*inputs, *(page[part] for part in FROM_PAGE)], outputs
    )


def status() -> str:
    """The loaded checkpoint, as HTML; asked while the page is built, when nothing is loaded, and
    whenever it is opened."""
    from .host import loaded_model

    if loaded_model() is None:
        return _line("No checkpoint is loaded yet.")
    from .panel_views import status_html

    return status_html()


def refreshed(chosen: str) -> tuple:
    """(the list of records as it is now, the status)."""
    names = listed()
    return gr.update(choices=names, value=chosen if chosen in names else AUTOMATIC), status()


def distilled(
    quality,
    samplers,
    least,
    most,
    rows,
    prompts,
    cfg,
    width,
    height,
    again,
    prompt,
    negative,
    page_cfg,
    page_width,
    page_height,
) -> Iterator[tuple]:
    """Begin, and tell until it is over: (progress, plot, table, list of records, status)."""
    from .panel_views import progress_html

    lines = tuple(line.strip() for line in str(prompts).splitlines() if line.strip()) or (
        str(prompt),
    )
    size = int(width or page_width), int(height or page_height)
    scene = Scene(lines, str(negative), float(cfg or page_cfg), *size, int(rows))
    same = (gr.update(),) * 4
    try:
        THE_JOB.start(
            Wish(scene, tuple(samplers), (int(least), int(most)), quality, again=bool(again))
        )
    except StepDistillError as problem:
        yield (_line(problem), *same)
        return
    here = THE_JOB.progress
    while here.busy:
        yield (progress_html(here), *same)
        time.sleep(POLL)
    last = gr.update(choices=listed()), status()  # what was chosen stays chosen
    if here.record is None:
        yield (progress_html(here), *same[:2], *last)
    else:
        yield (_line(here.text), *_views(here.record), *last)


def shown(chosen: str) -> tuple:
    """(progress, plot, table) of the chosen record, or of the one that Automatic would take."""

    def work() -> tuple:
        from ..scheduler.record.verdict_words import recommendation

        record = _record(chosen)[1]
        return (_line(recommendation(record, sampler_labels())), *_views(record))

    return _told(work, 2)


def exported(chosen: str) -> tuple:
    """(progress, a file to download)."""

    def work() -> tuple:
        name, record = _record(chosen)
        path = Path(tempfile.mkdtemp(prefix="stepdistill-")) / f"{name}.json"
        record.save(path)
        return "", gr.update(value=str(path), visible=True)

    return _told(work, 1)


def taken(file: Any) -> tuple:
    """(progress, list of records, status) after keeping an uploaded record."""
    from ..scheduler.record import load_record
    from .stores import stem, store

    def work() -> tuple:
        name = stem(store().put(load_record(file if isinstance(file, str) else file.name)))
        return (_line(f"Imported as {name}."), gr.update(choices=listed()), status())

    return _told(work, 2)


def interrupted() -> None:
    THE_JOB.interrupt()


def _at_once(*asked: Any) -> tuple:
    """For a page without a queue: only how it ended."""
    return list(distilled(*asked))[-1]


def _record(chosen: str) -> tuple[str, Any]:
    """(a name, the record): the chosen one, the one just distilled, or the one that Automatic takes.

    Raises StepDistillError.
    """
    from ..scheduler.lookup.selection import first_match
    from .host import loaded_model
    from .identity import facts_of
    from .stores import stem, store

    if chosen not in (AUTOMATIC, STOCK_ONLY, "", None):
        return chosen, store().load(chosen)
    if THE_JOB.progress.record is not None:
        return THE_JOB.progress.record_name or "record", THE_JOB.progress.record
    model = loaded_model()
    match = None if model is None else first_match(facts_of(model).key(), (store(),))[0]
    if match is None:
        raise StepDistillError("There is no record of the loaded checkpoint yet.")
    return stem(match.name), match.record


def _views(record: Any) -> tuple:
    from .panel_views import record_html, record_plot

    plot = record_plot(record)
    return gr.update(value=plot, visible=plot is not None), record_html(record)


def _told(work: Callable[[], tuple], others: int) -> tuple:
    """What `work()` returns; or a user's mistake as the line of progress, and so many other outputs
    as they are."""
    try:
        return work()
    except StepDistillError as problem:
        return (_line(problem), *(gr.update(),) * others)


def listed() -> list[str]:
    """The records to choose from; a store that cannot be read has none."""
    from .stores import choices

    try:
        return choices()
    except (StepDistillError, OSError):
        return [AUTOMATIC, STOCK_ONLY]


def _line(text: object) -> str:
    return f"<p>{html.escape(str(text))}</p>"
