"""What the panel shows, as HTML and pictures: the loaded checkpoint, a record's evidence, a job's
progress."""

from __future__ import annotations

import html
from typing import Any

from ..scheduler.errors import StepDistillError
from ..scheduler.lookup.key import Key
from ..scheduler.record import Record
from ..scheduler.record.evidence_table import stock_error, verdict_word
from ..scheduler.record.verdict_words import choice_words, recommendation
from ..scheduler.record.words import conditions, contents, duration, sampler_label
from .host import loaded_model, sampler_labels
from .names import NAME

MOST_READ = 50  # records that are looked into one by one each time the page is opened
WORDS = {"teacher": "recording the teacher", "evidence": "measuring on held-out noise"}


def status_data() -> dict:
    """The loaded checkpoint and what the store has for it; asks nothing that loads a model."""
    from .identity import facts_of
    from .stores import store

    model = loaded_model()
    if model is None:
        return {"model": None, "text": "No checkpoint is loaded yet."}
    facts, here = facts_of(model), store()
    found = {
        "model": facts.name,
        "fingerprint": facts.fingerprint.id if facts.fingerprint else None,
        "prediction": facts.prediction,
        "sigma_min": facts.sigma_min,
        "sigma_max": facts.sigma_max,
        "patches": [each["name"] for each in facts.patches],
        "advice": facts.advice or None,
        "records": _records_of(facts),
        "folder": str(here.folder),
        "match": _match_data(facts.key()),
        "text": "",
    }
    problems = here.problems()[:5] if len(here.records()) <= MOST_READ else []
    return found | {"problems": [f"{name}: {reason}" for name, reason in problems]}


def _match_data(key: Key) -> dict | None:
    """The record that Automatic would look at first, and whether it may be used."""
    from ..scheduler.lookup.selection import first_match
    from ..scheduler.lookup.words import match_sentence
    from .stores import stem, store

    match, refused = first_match(key, (store(),))
    nearest = match or refused
    if nearest is None:
        return None
    about = {"record": stem(nearest.name), "allowed": nearest.allowed}
    return about | {"sentence": match_sentence(nearest)}


def status_html() -> str:
    """The same for people."""
    try:
        found = status_data()
    except Exception as problem:  # the page is drawn all the same
        return _paragraph(f"The loaded checkpoint could not be looked at: {problem}")
    if found["model"] is None:
        return _paragraph(found["text"])
    ends = f"{found['sigma_min']:.4g} to {found['sigma_max']:.4g}"
    lines = [f"<b>{html.escape(found['model'])}</b>, {found['prediction']}, sigmas {ends}."]
    lines += [html.escape(entry) for entry in found["records"]] or [
        "Nothing was distilled for it yet."
    ]
    lines += [html.escape(found["advice"])] if found["advice"] else []
    lines += [f"Not usable in the store: {html.escape(problem)}" for problem in found["problems"]]
    return "".join(map(_paragraph_of_html, lines))


def progress_html(progress: Any) -> str:
    """A bar, the phase, the time left."""
    from .job import RUNNING

    if progress.state != RUNNING or not progress.planned:
        return _paragraph(progress.text)
    share = 100 * progress.done / progress.planned
    left = (
        ""
        if progress.seconds_left is None
        else f", about {duration(progress.seconds_left)} left at most"
    )
    phase = html.escape(WORDS.get(progress.phase, f"fitting {progress.phase}"))
    inner = (
        f"<div style='width:{share:.1f}%;background:#e8590c;height:8px;border-radius:4px'></div>"
    )
    words = f"{phase}: {progress.done} of {progress.planned} model calls{left}"
    return (
        f"<div style='background:#8884;border-radius:4px'>{inner}</div>{_paragraph_of_html(words)}"
    )


def record_html(record: Record) -> str:
    """What a record is for, and a table of its measured recipes that this host can run: stock
    samplers' without offsets."""
    usable = [
        recipe for recipe in record.recipes if recipe.offsets is None or recipe.sampler == NAME
    ]
    rows = [_row(recipe) for recipe in usable if "rms" in recipe.evidence]
    return _paragraph_of_html(html.escape(_about(record))) + (_table(rows) if rows else "")


def _table(rows: list[tuple]) -> str:
    head = ("sampler", "steps", "error", "best stock choice there", "equals stock's", "verdict")
    cells = "".join(f"<th style='text-align:left;padding:2px 8px'>{name}</th>" for name in head)
    lines = (
        "".join(f"<td style='padding:2px 8px'>{html.escape(str(cell))}</td>" for cell in row)
        for row in rows
    )
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"


def record_plot(record: Record):
    """Error against steps as a PIL image, or None where nothing was measured or matplotlib is not there."""
    import tempfile
    from pathlib import Path

    try:
        from PIL import Image

        from ..scheduler.plots.curves import plot_errors

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "errors.png"
            plot_errors(record, path)
            with Image.open(path) as picture:
                return picture.convert("RGB")
    except (ImportError, StepDistillError):
        return None


def _records_of(facts: Any) -> list[str]:
    """Every record of these weights in a line."""
    from ..scheduler.fingerprint.kinship import SAME
    from ..scheduler.lookup.match import kinship_of
    from .stores import stem, store

    lines, key = [], facts.key()
    briefs = store().records()
    for brief in briefs:
        if len(briefs) > MOST_READ and brief.fingerprint != (
            facts.fingerprint.id if facts.fingerprint else None
        ):
            continue
        try:
            record = store().load(brief.file)
        except StepDistillError:
            continue
        if kinship_of(key, Key.of(record)).kind == SAME:
            advice = recommendation(record, sampler_labels()) or "Not measured."
            first = advice.split(". ")[0].rstrip(".")
            lines.append(f"{stem(brief.file)}: {_about(record)}. {first}.")
    return lines


def _about(record: Record) -> str:
    return ", ".join(
        part for part in (conditions(record), contents(record, sampler_labels())) if part
    )


def _row(recipe: Any) -> tuple:
    found, labels = recipe.evidence, sampler_labels()
    best, equal = found.get("best_stock"), found.get("equals_stock_steps")
    beside = f"{_number(stock_error(found))} ({choice_words(best, labels)})" if best else "-"
    return (
        sampler_label(recipe.sampler, labels),
        recipe.steps,
        _number(found.get("rms")),
        beside,
        f"{equal} steps" if equal else "-",
        verdict_word(recipe, labels),
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _paragraph(text: str) -> str:
    return _paragraph_of_html(html.escape(text).replace("\n", "<br>"))


def _paragraph_of_html(text: str) -> str:
    return f"<p style='margin:4px 0'>{text}</p>" if text else ""
