"""Where an added node lies on none that is there."""

from __future__ import annotations

from collections.abc import Iterable

TITLE = 30  # pixels above a node's own place
GAP = 20
USUAL = (270, 120)  # of a node whose size the file does not tell

Box = tuple[float, float, float, float]  # left, top, right, bottom


def free_place(
    place: tuple[float, float],
    size: tuple[float, float],
    nodes: Iterable[dict],
    columns: Iterable[float] = (),
) -> list:
    """The place itself or, where other nodes are, above them, in the column that takes it least far.

    columns: other left edges that would do.
    """
    taken = [box for box in map(_box, nodes) if box is not None]
    tops = [(left, _free_top((left, place[1]), size, taken)) for left in (place[0], *columns)]
    left, top = max(tops, key=lambda found: found[1])
    return [round(left), round(top)]


def _free_top(place: tuple[float, float], size: tuple[float, float], taken: list[Box]) -> float:
    left, top = place
    while True:
        own = _around(left, top, size)
        hit = [box for box in taken if _meets(own, box)]
        if not hit:
            return top
        top = min(box[1] for box in hit) - size[1] - 2 * GAP


def pair(value: object) -> tuple[float, float] | None:
    """Two numbers: a list, or an object with "0" and "1", as older pages wrote it."""
    if isinstance(value, dict):
        value = [value.get("0"), value.get("1")]
    both = value[:2] if isinstance(value, list) else []
    if len(both) != 2 or not all(isinstance(each, (int, float)) for each in both):
        return None
    return float(both[0]), float(both[1])


def _box(node: dict) -> Box | None:
    place = pair(node.get("pos"))
    return None if place is None else _around(*place, pair(node.get("size")) or USUAL)


def _around(left: float, top: float, size: tuple[float, float]) -> Box:
    return left, top - TITLE, left + size[0], top + size[1]


def _meets(one: Box, other: Box) -> bool:
    wide = one[0] < other[2] + GAP and other[0] < one[2] + GAP
    return wide and one[1] < other[3] + GAP and other[1] < one[3] + GAP
