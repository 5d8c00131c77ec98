"""A record of one half of a pair: two models on one path, distilled together.

Its key carries a patch that says which half it is and with whom, so that it never stands in the
place of a record of the model alone; its provenance says where the run is handed over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .model import Recipe, Record

FIRST, SECOND = "first half of a pair", "second half of a pair"
HALVES = (FIRST, SECOND)
PAIR = "pair"  # in provenance
STEP = "hand_over_step"  # in a recipe's evidence: how many steps the first half takes


@dataclass(frozen=True)
class PairHalf:
    """half: FIRST or SECOND. other: the other model's name, for people. hand_over: the sigma."""

    half: str
    other: str
    hand_over: float


def half_patch(half: str, other: str) -> dict:
    """The patch of a half's key; other: what tells the other model from all others."""
    digest = hashlib.blake2b(other.encode(), digest_size=8).hexdigest()
    return {"name": half, "strength": 1.0, "fingerprint": digest}


def half_of_patches(patches: Sequence[Mapping]) -> str | None:
    """Which half a key is of, or None."""
    return next((entry["name"] for entry in patches if entry["name"] in HALVES), None)


def pair_half(record: Record) -> PairHalf | None:
    """Of which half a record is, or None for one of a model by itself."""
    half, about = half_of_patches(record.model.patches), record.provenance.get(PAIR)
    if half is None or not isinstance(about, dict):
        return None
    sigma = about.get("hand_over")
    if isinstance(sigma, bool) or not isinstance(sigma, (int, float)):
        return None
    return PairHalf(half, str(about.get("other") or "another model"), float(sigma))


def hand_over_step(recipe: Recipe) -> int | None:
    """After how many steps a pair's recipe hands over, or None where it does not say."""
    step = recipe.evidence.get(STEP)
    return step if type(step) is int and 0 < step < recipe.steps else None
