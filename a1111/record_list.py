"""What lists of records offer, in words: which model, for which cfg, size and steps. Loads nothing
before it is asked, for pages are built at the host's start."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ..scheduler.errors import StepDistillError
from .names import AUTOMATIC, STOCK_ONLY

if TYPE_CHECKING:
    from ..scheduler.store.scan import Brief

MARK = 4  # hex digits of a file's name that keep two records of one description apart


def listed() -> list[str]:
    """The records to choose from, those of sources last, which nobody has checked here; a store that
    cannot be read has none."""
    return [AUTOMATIC, STOCK_ONLY, *_labels().values(), *_of_sources()]


def label_of(name: str) -> str:
    """A record's entry by its file's name, with or without .json; what is none as it is."""
    return _labels().get(name.removesuffix(".json"), name)


def name_of(label: str) -> str:
    """The name of a record's file by its entry; what is none as it is."""
    return next((name for name, each in _labels().items() if each == label), label)


def _of_sources() -> list[str]:
    from ..scheduler.sources import beside, by_hand
    from .stores import store

    try:
        return by_hand.entries(beside(store().folder))
    except (StepDistillError, OSError):
        return []


def _labels() -> dict[str, str]:
    """{name of the file: entry}, the newest first."""
    from .stores import stem, store

    try:
        briefs = store().records()
    except (StepDistillError, OSError):
        return {}
    found = {stem(brief.file): described(brief) for brief in briefs}
    times = Counter(found.values())
    return {
        name: text if times[text] == 1 else f"{text} #{name.rpartition('--')[2][:MARK]}"
        for name, text in found.items()
    }


def described(brief: Brief) -> str:
    """ "dreamshaper, CFG 7, 512x768, bend 0.70, 4-8 steps, 2026-11-28"."""
    from .words import size_of

    cfg, ends = brief.numbers[3], brief.cfg_span
    checked = f", checked from {ends[0]:g} to {ends[1]:g}" if ends else ""
    parts = [
        brief.title or "a model without a name",
        f"CFG {cfg:g}{checked}" if cfg is not None else "",
        size_of(brief.latent_shape) if brief.latent_shape else "",
        brief.patches.replace("|", " + ").replace("@", " "),
        brief.steps_words,
        brief.created[:10],
    ]
    return ", ".join(part for part in parts if part)
