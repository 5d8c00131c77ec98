"""Step counts in words."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby


def ranges(steps: Iterable[int]) -> str:
    """4, 5, 6, 8 as "4-6, 8"."""
    runs = groupby(enumerate(sorted(steps)), key=lambda pair: pair[1] - pair[0])
    ends = [(run[0][1], run[-1][1]) for run in (list(run) for _, run in runs)]
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in ends)
