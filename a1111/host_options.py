"""Options of the host that change what a model answers: each counts as a patch, as a LoRA does."""

from __future__ import annotations

from typing import Any

from ..scheduler.lookup.key import patch
from .host import option

MERGING = "token merging"
EARLY = "no negative prompt in the first steps"  # A1111's "Ignore negative prompt during early sampling"


def option_patches(p: Any, hires: bool = False) -> tuple[dict, ...]:
    """Those that are on for a picture, or for its second pass."""
    found = {MERGING: _merging(p, hires), EARLY: float(option("skip_early_cond", 0.0))}
    return tuple(patch(name, share, ()) for name, share in found.items() if share > 0)


def _merging(p: Any, hires: bool) -> float:
    ratio = getattr(p, "get_token_merging_ratio", None)
    try:
        return float(ratio(for_hr=hires)) if ratio is not None else 0.0
    except (TypeError, ValueError):  # another host's idea of it
        return 0.0
