"""What the panel's buttons do with records: show, export, import, name, note, remove. A user's mistake
is one sentence in the panel, never an error box."""

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
from .host import sampler_labels
from .job import THE_JOB
from .names import AUTOMATIC, STOCK_ONLY
from .record_list import label_of, listed, name_of

MOST_NAME, MOST_NOTE = 300, 500  # characters
REMOVE, FOR_GOOD = "Remove", "Remove it for good"
WRITE_FIRST = "Write it into the field beside the buttons first."


def shown(chosen: str) -> tuple:
    """(what is said, plot, table) of the chosen record, or of the one that Automatic would take."""

    def work() -> tuple:
        from ..scheduler.record.verdict_words import recommendation
        from .panel_views import record_html
        from .plot_view import record_plot

        record = _record(chosen)[1]
        advice = recommendation(record, sampler_labels())
        return line(advice), record_plot(record), record_html(record)

    return _told(work, 2)


def exported(chosen: str) -> tuple:
    """(what is said, a file to download), inner products and all."""

    def work() -> tuple:
        name, record = _record(chosen)
        path = Path(tempfile.mkdtemp(prefix="stepdistill-")) / f"{name}.json"
        record.save(path)
        return "", gr.update(value=str(path), visible=True)

    return _told(work, 1)


def removed(chosen: str, asked: str) -> tuple:
    """(what is said, list of records, plot, table, exported file, button, what is asked about) after
    taking the chosen record out of the store; the first time a question alone.

    asked: the record that was asked about.
    """

    def work() -> tuple:
        from .stores import store

        name = _one(chosen)
        label = label_of(name)
        if asked != name:
            question = line(f"Remove {label}? There is no way back; export it to keep it.")
            return question, *(gr.update(),) * 4, gr.update(value=FOR_GOOD), name
        store().remove(name)
        records = gr.update(choices=listed(), value=AUTOMATIC)
        shut = gr.update(value=None, visible=False)
        return line(f"Removed: {label}."), records, "", "", shut, *unasked()

    return _told(work, 6)


def unasked() -> tuple:
    """(button, what is asked about) as before the question."""
    return gr.update(value=REMOVE), ""


def renamed(chosen: str, name: str) -> tuple:
    """(what is said, list of records) after giving the chosen record another name."""

    def work() -> tuple:
        from .stores import stem, store

        old, new = _one(chosen), _written(name, MOST_NAME)
        record = store().load(old)
        store().remove(old)  # equal keys are one file, whatever they are called
        try:
            file = store().put(replace(record, model=replace(record.model, name=new)))
        except StepDistillError:
            store().put(record)
            raise
        label = label_of(stem(file))
        value = chosen if chosen == AUTOMATIC else label
        return line(f"It is {label} now."), gr.update(choices=listed(), value=value)

    return _told(work, 1)


def noted(chosen: str, text: str) -> tuple:
    """(what is said, ) after keeping a note in the chosen record."""

    def work() -> tuple:
        from ..scheduler.store.joining import NOTE
        from .stores import store

        name, note = _one(chosen), _written(text, MOST_NOTE)
        record = store().load(name)
        store().put(replace(record, provenance=record.provenance | {NOTE: note}))
        return (line(f"Noted of {label_of(name)}: {note}"),)

    return _told(work, 0)


def folder_opened() -> str:
    """Show the store's folder as the host shows its own, on the machine that it runs on."""
    from modules import shared, util

    from .stores import store

    folder, show = store().folder, getattr(util, "open_folder", None)
    hidden = getattr(shared.cmd_opts, "hide_ui_dir_config", False)
    if show is not None and not hidden and folder.is_dir():
        with suppress(OSError):  # of a machine without a desktop: the path is told
            show(str(folder))
    return line(f"The records lie in {folder}.")


def taken(files: Any) -> tuple:
    """(what is said, list of records) after keeping uploaded records."""
    from ..scheduler.record import load_record
    from .stores import stem, store

    told = []
    for file in files if isinstance(files, list) else [files]:
        path = Path(file if isinstance(file, str) else file.name)
        try:
            name = stem(store().put(load_record(path)))
            told.append(f"Imported {path.name}: {label_of(name)}.")
        except StepDistillError as problem:
            told.append(f"{path.name}: {problem}")
    return "".join(map(line, told)), gr.update(choices=listed())


def line(text: object) -> str:
    """A sentence as a part of the page."""
    return f"<p>{html.escape(str(text))}</p>" if str(text) else ""


def _written(text: str, most: int) -> str:
    found = str(text).strip()[:most]
    if not found:
        raise StepDistillError(WRITE_FIRST)
    return found


def _one(chosen: str) -> str:
    """The file's name of the record that is chosen, or that Automatic takes."""
    from ..scheduler.sources.by_hand import is_entry

    if is_entry(name_of(chosen or "")):
        raise StepDistillError(
            "That record is a source's, which is never changed; export it instead."
        )
    return _record(chosen)[0]


def _record(chosen: str) -> tuple[str, Any]:
    """(a name, the record): the chosen one, or the one that Automatic takes.

    Raises StepDistillError.
    """
    from ..scheduler.lookup.selection import first_match
    from ..scheduler.sources.by_hand import is_entry
    from ..scheduler.store.housekeeping import slug
    from .identity import facts_of
    from .stores import load, stem, store
    from .unloaded import shown_model

    if chosen == STOCK_ONLY:
        raise StepDistillError("The stock schedule is no record: choose one in the list first.")
    if chosen not in (AUTOMATIC, "", None):
        name = name_of(chosen)
        return slug(name) if is_entry(name) else name, load(name)
    model = shown_model()
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
        return (line(problem), *(gr.update(),) * others)
