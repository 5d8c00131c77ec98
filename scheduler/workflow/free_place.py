"""Where an added node lies on none that is there, near the node that it serves and among the others: what
lies left of or above them all is off the screen, or below the page's own bars."""

from __future__ import annotations

from collections.abc import Iterable

from .kinds import FEW

TITLE = 30  # pixels above a node's own place
GAP = 20
USUAL = (270, 120)  # of a node whose size the file does not tell
WORDS = 215  # pixels that a Few-Step KSampler grows by below itself, for what it says after a run
NEAREST = 40  # nodes whose edges are tried as places
BEFORE, AFTER = 8.0, 1.0  # what a pixel costs left of or above all nodes, right of or below them

Place = tuple[float, float]
Box = tuple[float, float, float, float]  # left, top, right, bottom


def free_place(wished: Place, size: Place, nodes: Iterable[dict]) -> list:
    """The nearest place to the wished one (left, top) where a node of this size lies on no other, and
    rather beside or below the others than beyond the left or the top of them all."""
    taken = [box for box in map(_box, nodes) if box is not None]
    around = _bounds(taken or [_around(*wished, size)])
    costs = {place: _cost(place, size, wished, around) for place in _places(wished, size, taken)}
    free = (each for each in sorted(costs, key=costs.__getitem__) if _lies_free(each, size, taken))
    left, top = next(free)
    return [round(left), round(top)]


def _places(wished: Place, size: Place, taken: list[Box]) -> list[Place]:
    """The wished place, those just beside the nearest nodes, and one below all: it is free."""
    near = sorted(taken, key=lambda box: _distance(wished, (box[0], box[1])))[:NEAREST]
    lefts = {wished[0]}
    tops = {wished[1]}
    for left, top, right, bottom in near:
        lefts |= {left, right + 2 * GAP, left - size[0] - 2 * GAP}
        tops |= {top + TITLE, bottom + TITLE + 2 * GAP, top - size[1] - 2 * GAP}
    lowest = max((box[3] for box in taken), default=wished[1])
    tops.add(lowest + TITLE + 2 * GAP)
    return [(left, top) for left in sorted(lefts) for top in sorted(tops)]


def _cost(place: Place, size: Place, wished: Place, around: Box) -> float:
    """How far a place is from the wished one, and how far outside of all nodes a node there lies."""
    own = _around(*place, size)
    before = max(around[0] - own[0], 0.0) + max(around[1] - own[1], 0.0)
    after = max(own[2] - around[2], 0.0) + max(own[3] - around[3], 0.0)
    return _distance(place, wished) + BEFORE * before + AFTER * after


def _distance(one: Place, other: Place) -> float:
    return abs(one[0] - other[0]) + abs(one[1] - other[1])


def _lies_free(place: Place, size: Place, taken: list[Box]) -> bool:
    own = _around(*place, size)
    return not any(_meets(own, box) for box in taken)


def _bounds(boxes: list[Box]) -> Box:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def pair(value: object) -> Place | None:
    """Two numbers: a list, or an object with "0" and "1", as older pages wrote it."""
    if isinstance(value, dict):
        value = [value.get("0"), value.get("1")]
    both = value[:2] if isinstance(value, list) else []
    if len(both) != 2 or not all(isinstance(each, (int, float)) for each in both):
        return None
    return float(both[0]), float(both[1])


def _box(node: dict) -> Box | None:
    place = pair(node.get("pos"))
    if place is None:
        return None
    left, top, right, bottom = _around(*place, pair(node.get("size")) or USUAL)
    return left, top, right, bottom + (WORDS if node.get("type") == FEW else 0)


def _around(left: float, top: float, size: Place) -> Box:
    return left, top - TITLE, left + size[0], top + size[1]


def _meets(one: Box, other: Box) -> bool:
    wide = one[0] < other[2] + GAP and other[0] < one[2] + GAP
    return wide and one[1] < other[3] + GAP and other[1] < one[3] + GAP
