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
    from ...scheduler.lookup.starts import denoise_of

    found = {denoise_of(record, each.start_sigma) for each in record.recipes}
    below = sorted(each for each in found if each < 1)
    named = ("also " if 1 in found else "") + "denoise " + ", ".join(f"{each:g}" for each in below)
    return f"{words} · {named}" if below else words


def in_brief(brief) -> str:
    """The same as far as the index knows it."""
    from ...scheduler.record.words import size

    cfg = brief.numbers[3]
    parts = [f"cfg {cfg:g}" if cfg is not None else "", brief.patches]
    parts += [size(brief.latent_shape)] if brief.latent_shape else []
    return " · ".join(part for part in parts if part)
