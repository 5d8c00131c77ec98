"""What guides a model, as keys and records carry it: patches of names that say so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .key import patch
from .model_facts import ModelFacts

GUIDER = "guider: "
SECOND = "second model: "
MOST_STRENGTH = 1000.0


def guider_patch(kind: str, held: str = "") -> dict:
    """A guider of a class. held: a digest of what it is set to, but its numbers."""
    return patch(f"{GUIDER}{kind[:120]}", 1.0, (held,) if held else ())


def number_patch(kind: str, name: str, value: float) -> dict:
    """One number of a guider, as the strength of a patch."""
    bounded = min(max(value, -MOST_STRENGTH), MOST_STRENGTH)
    return patch(f"{GUIDER}{kind[:120]} {name[:60]}", bounded if bounded == bounded else 0.0, ())


def second_patches(facts: ModelFacts) -> list[dict]:
    """Another model that a guider asks beside the one that a record is of: its weights, and what is
    on them."""
    known = facts.fingerprint.id if facts.fingerprint else "unknown"
    own = {"name": f"{SECOND}{facts.name[:200]}", "strength": 1.0, "fingerprint": known[:200]}
    return [own, *({**each, "name": f"{SECOND}{each['name']}"[:300]} for each in facts.patches)]


def of_guiders(patches: Iterable[Mapping]) -> list[Mapping]:
    """Those that say what guides."""
    return [each for each in patches if each["name"].startswith((GUIDER, SECOND))]


def is_second(name: str) -> bool:
    """Whether a patch of this name is of another model's weights."""
    return name.startswith(SECOND)
