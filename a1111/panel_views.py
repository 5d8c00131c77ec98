"""A job's progress and a record's evidence as parts of the page."""

from __future__ import annotations

import html
from typing import Any

from ..scheduler.record import Record
from ..scheduler.record.choice import Choice
from ..scheduler.record.evidence_table import stock_error, verdict_word
from ..scheduler.record.verdict import steps_saved
from ..scheduler.record.words import contents, duration, patch_words, sampler_label
from .gains import gain, setting
from .host import sampler_labels
from .names import NAME
from .words import size_of


def progress_html(progress: Any) -> str:
    """A bar, the phase, the time left."""
    from .job_state import RUNNING, phase_words

    if progress.state != RUNNING or not progress.planned:
        return paragraph(progress.text)
    share = 100 * progress.done / progress.planned
    left = (
        ""
        if progress.seconds_left is None
        else f", about {duration(progress.seconds_left)} left at most"
    )
    phase = html.escape(phase_words(progress.phase))
    inner = (
        f"<div style='width:{share:.1f}%;background:#e8590c;height:8px;border-radius:4px'></div>"
    )
    words = f"StepDistill, {phase}: {progress.done} of {progress.planned} steps{left}"
    return (
        f"<div style='background:#8884;border-radius:4px'>{inner}</div>{paragraph_of_html(words)}"
    )


def record_html(record: Record) -> str:
    """What a record is for, and a table of its measured recipes that this host can run: stock
    samplers' without offsets."""
    usable = [
        recipe for recipe in record.recipes if recipe.offsets is None or recipe.sampler == NAME
    ]
    rows = [_row(recipe) for recipe in usable if "rms" in recipe.evidence]
    return paragraph_of_html(html.escape(_about(record))) + (_table(rows) if rows else "")


def _table(rows: list[tuple]) -> str:
    head = ("sampler", "steps", "error", "best stock choice there", "equals stock's", "verdict")
    cells = "".join(f"<th style='text-align:left;padding:2px 8px'>{name}</th>" for name in head)
    lines = (
        "".join(f"<td style='padding:2px 8px'>{html.escape(str(cell))}</td>" for cell in row)
        for row in rows
    )
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"


def _about(record: Record) -> str:
    under = record.conditions
    parts = [
        f"CFG {under.cfg:g}" if under.cfg is not None else "",
        size_of(under.latent_shape) if under.latent_shape else "",
        ", ".join(patch_words(record)),
        contents(record, sampler_labels()),
        str(record.provenance.get("created", ""))[:10],
        best(record),
    ]
    return ", ".join(part for part in parts if part)


def best(record: Record) -> str:
    """What the recipes of a record gain at most, or that nothing is gained or known."""
    gained = [(_saved(each), each) for each in record.recipes if gain(each)]
    if gained:
        most = max(gained, key=lambda pair: pair[0])[1]
        return f"{most.steps} steps are {gain(most)}"
    won = [each for each in record.recipes if each.choice.stock]
    return "stock is as good" if won else "not measured"


def _saved(recipe: Any) -> float:
    return (steps_saved(recipe.evidence) or (0, False))[0] / recipe.steps


def _row(recipe: Any) -> tuple:
    found, labels = recipe.evidence, sampler_labels()
    best, saved = found.get("best_stock"), steps_saved(found)
    beside = f"{_number(stock_error(found))} ({_rival(best, recipe.sampler)})" if best else "-"
    return (
        sampler_label(recipe.sampler, labels),
        recipe.steps,
        _number(found.get("rms")),
        beside,
        f"{'more than ' if saved[1] else ''}{saved[0]} steps" if saved else "-",
        verdict_word(recipe, labels),
    )


def _rival(best: str, sampler: str) -> str:
    """The best stock choice as the host's lists call it."""
    choice = Choice.read(best)
    return setting(choice.schedule, choice.sampler or ("dpmpp_2m" if sampler == NAME else sampler))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def paragraph(text: str) -> str:
    return paragraph_of_html(html.escape(text).replace("\n", "<br>"))


def paragraph_of_html(text: str) -> str:
    return f"<p style='margin:4px 0'>{text}</p>" if text else ""
