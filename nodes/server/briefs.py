"""The second line of a record in the page's lists: what tells it from another of its model."""

from __future__ import annotations


def under(brief) -> str:
    """What tells a record from another of its model: guidance, size, LoRAs, effort, evidence."""
    from ...scheduler.errors import StepDistillError
    from ...scheduler.record.words import distinguished
    from ..host.store import store

    try:
        record = store().load(brief.file)
    except StepDistillError:  # removed, or broken, meanwhile
        return in_brief(brief)
    return _with_starts(distinguished(record), record)


def _with_starts(words: str, record) -> str:
    """The words, and the denoise that each recipe below the model's top was made for."""
    from ...scheduler.lookup.starts import start_words

    starts = sorted({each.start_sigma for each in record.recipes})
    named = list(dict.fromkeys(start_words(record, each) for each in starts))
    below = [each for each in named if each != "denoise 1"]
    also = "also " if len(below) < len(named) else ""
    return f"{words} · {also}{', '.join(below)}" if below else words


def in_brief(brief) -> str:
    """The same as far as the index knows it."""
    from ...scheduler.record.words import size

    cfg = brief.numbers[3]
    parts = [f"cfg {cfg:g}" if cfg is not None else "", brief.patches]
    parts += [size(brief.latent_shape)] if brief.latent_shape else []
    return " · ".join(part for part in parts if part)
