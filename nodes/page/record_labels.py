"""What Load Record's list calls the store's records: what an artist knows them by. The name of the file
stays what is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

TAIL = 6  # characters of a name, where nothing else tells two records apart


def labels_of(briefs: Iterable) -> dict[str, str]:
    """{name: label}; no two labels are the same."""
    found = {brief.file.removesuffix(".json"): _label(brief) for brief in briefs}
    times = Counter(found.values())
    return {
        name: label if times[label] == 1 else f"{label} · {name[-TAIL:]}"
        for name, label in found.items()
    }


def _label(brief) -> str:
    from ...scheduler.record.words import size

    cfg = brief.numbers[3]
    parts = [
        brief.title or "unnamed model",
        f"cfg {cfg:g}" if cfg is not None else "",
        size(brief.latent_shape) if brief.latent_shape else "",
        brief.steps_words,
        "with LoRAs" if brief.patches else "",
        brief.created[:16].replace("T", " "),
    ]
    return " · ".join(part for part in parts if part)
