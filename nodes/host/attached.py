"""What this server put into a queued prompt's pictures, told apart from what its workflow carries.

A node that the host takes from its cache says nothing, so what it said before is attached; other
nodes of that prompt do not draw by it, and where the node runs after all it says anew. Stands beside
`extra_pnginfo`, which alone is saved.
"""

from __future__ import annotations

from collections.abc import Iterable

ATTACHED = "stepdistill_attached"  # {kind: {name: [nodes]}}


def mark(extra: dict, kind: str, name: str, nodes: Iterable[str]) -> None:
    """Note that something is there by this server alone, for these nodes."""
    every = extra.setdefault(ATTACHED, {}).setdefault(kind, {})
    every[name] = [*dict.fromkeys([*every.get(name, ()), *nodes])]


def is_attached(extra: dict | None, kind: str, name: str) -> bool:
    """Whether that is there by this server alone."""
    return name in _of_kind(extra, kind)


def of_others(extra: dict | None, kind: str, node: str | None) -> set[str]:
    """The names of what is attached for other nodes than this."""
    found = _of_kind(extra, kind)
    return {name for name, nodes in found.items() if node not in nodes}


def _of_kind(extra: dict | None, kind: str) -> dict:
    found = (extra or {}).get(ATTACHED)
    return found.get(kind, {}) if isinstance(found, dict) else {}
