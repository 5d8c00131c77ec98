"""Which part of a schedule the sampler runs that asks for it: a scheduler entry is not told."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from ..dropdowns.apply_mark import MOST_FRAMES


@dataclass(frozen=True)
class Part:
    """Steps `first` up to `last` (None: the end). goes_on: no noise is added, so the latent brings
    its own. finishes: the last sigma becomes 0, whatever the schedule says."""

    first: int = 0
    last: int | None = None
    goes_on: bool = False
    finishes: bool = False

    def left_at(self, sigmas: list[float]) -> float:
        """The sigma that the part of a schedule ends at: sigmas (N+1,), as the host will cut them."""
        whole = self.last is None or self.last >= len(sigmas) - 1
        return 0.0 if whole or self.finishes else sigmas[max(self.last or 0, 0)]


def part_asked() -> Part | None:
    """The part that the calling `comfy.sample.sample` will run, by its own arguments; None where it
    is not among the callers. Nothing of the host is replaced for that."""
    frame = sys._getframe(1)
    for _ in range(MOST_FRAMES):
        if frame is None:
            return None
        known = frame.f_locals
        is_host = frame.f_globals.get("__name__") == "comfy.sample"
        if is_host and {"start_step", "last_step", "force_full_denoise"} <= known.keys():
            return _part(known)
        frame = frame.f_back
    return None


def _part(known: Any) -> Part:
    noise = known.get("noise")
    silent = bool(known.get("disable_noise")) or (noise is not None and not bool(noise.any()))
    first, last = known["start_step"], known["last_step"]
    return Part(int(first or 0), last, silent, bool(known["force_full_denoise"]))
