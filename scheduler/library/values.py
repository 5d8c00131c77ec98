"""The values of a plan's keys, each checked; a single value stands for a list of one."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

from ..distilling.effort import effort_named
from ..errors import UnknownNameError

MOST_LISTED = 1000
MOST_STEPS = 1000
MOST_PIXELS = 32_768  # along one side
MOST_GUIDANCE = 1000.0
MOST_TEXT = 5000
MOST_SEED = 2**63
DTYPES = ("float32", "float16", "bfloat16")
OFFLOADS = ("model", "sequential")

Value = TypeVar("Value")


class Refused(ValueError):
    """What was expected in the place of a value."""


def text(value: Any) -> str:
    """A text without control characters."""
    if not isinstance(value, str) or len(value) > MOST_TEXT or not value.isprintable():
        raise Refused(f"must be a text; {_shown(value)} was given.")
    return value


def texts(value: Any) -> tuple[str, ...]:
    """Texts, none of them empty."""
    found = _each(value, text, "texts")
    if not all(found):
        raise Refused("must not be empty; leave it out, or write a text.")
    return found


def whole(value: Any) -> int:
    """A whole number."""
    if type(value) is not int or abs(value) > 10**9:
        raise Refused(f"must be a whole number; {_shown(value)} was given.")
    return value


def count(value: Any) -> int:
    """A whole number of at least 1."""
    if whole(value) < 1:
        raise Refused(f"must be at least 1; {value} was given.")
    return value


def seed(value: Any) -> int:
    """A seed of noise."""
    if type(value) is not int or not 0 <= value < MOST_SEED:
        raise Refused(f"must be a whole number from 0 on; {_shown(value)} was given.")
    return value


def amount(value: Any) -> float:
    """A number from 0 on: a part of a device may be asked for."""
    if type(value) not in (int, float) or not 0 <= value <= 1000:
        raise Refused(f"must be a number from 0 on; {_shown(value)} was given.")
    return float(value)


def flag(value: Any) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise Refused(f"must be true or false; {_shown(value)} was given.")
    return value


def guidance(value: Any) -> float:
    """A guidance scale."""
    if type(value) not in (int, float) or not math.isfinite(value):
        raise Refused(f"must be a number such as 5.0; {_shown(value)} was given.")
    if not 0 <= value <= MOST_GUIDANCE:
        raise Refused(f"must lie from 0 to {MOST_GUIDANCE:g}; {value} was given.")
    return float(value)


def guidances(value: Any) -> tuple[float, ...]:
    """Guidance scales."""
    return _each(value, guidance, "numbers such as [1.0, 5.0]")


def size(value: Any) -> tuple[int, int]:
    """ "1024x768" as (width, height)."""
    wide, cross, tall = value.lower().partition("x") if isinstance(value, str) else ("", "", "")
    if not (cross and wide.isascii() and wide.isdigit() and tall.isascii() and tall.isdigit()):
        raise Refused(f'must be sizes such as "1024x768"; {_shown(value)} was given.')
    if len(wide + tall) > 12 or not all(
        8 <= side <= MOST_PIXELS for side in (int(wide), int(tall))
    ):
        raise Refused(f"must have sides from 8 to {MOST_PIXELS} pixels; {_shown(value)} was given.")
    return int(wide), int(tall)


def sizes(value: Any) -> tuple[tuple[int, int], ...]:
    """Sizes in pixels."""
    return _each(value, size, 'sizes such as ["1024x1024"]')


def steps(value: Any) -> tuple[int, ...]:
    """Step counts, ascending: whole numbers, or ranges such as "4-8"."""
    ranges = _each(value, _range, 'step counts such as [4, 6] or "4-8"')
    return tuple(sorted({number for each in ranges for number in each}))


def _range(value: Any) -> range:
    first, dash, last = value.partition("-") if isinstance(value, str) else (value, "", "")
    if isinstance(first, str):
        ends = [end.strip() for end in ((first, last) if dash else (first, first))]
        if not all(end.isascii() and end.isdigit() and len(end) < 5 for end in ends):
            raise Refused(f'must be step counts such as 6 or "4-8"; {_shown(value)} was given.')
        low, high = (int(end) for end in ends)
    else:
        low = high = whole(first)
    if not 1 <= low <= high <= MOST_STEPS:
        raise Refused(f"must be step counts from 1 to {MOST_STEPS}; {_shown(value)} was given.")
    return range(low, high + 1)


def samplers(value: Any) -> tuple[str, ...]:
    """Samplers' names; which of them there are, distilling says."""
    return tuple(dict.fromkeys(texts(value)))


def efforts(value: Any) -> tuple[str, ...]:
    """Efforts, in the order in which they are to be made."""
    return tuple(dict.fromkeys(_each(value, _effort, "efforts")))


def _effort(value: Any) -> str:
    try:
        return effort_named(text(value)).name
    except UnknownNameError as problem:
        raise Refused(f"is no effort: {problem}") from None


def dtype(value: Any) -> str:
    """A type of weights."""
    return _one_of(value, DTYPES)


def offload(value: Any) -> str:
    """How diffusers keeps weights in the computer's memory."""
    return _one_of(value, OFFLOADS)


def _one_of(value: Any, known: tuple[str, ...]) -> str:
    if value not in known:
        raise Refused(f"must be one of {', '.join(known)}; {_shown(value)} was given.")
    return value


def _each(value: Any, one: Callable[[Any], Value], expected: str) -> tuple[Value, ...]:
    found = value if isinstance(value, list) else [value]
    if not found or len(found) > MOST_LISTED:
        raise Refused(f"must be 1 to {MOST_LISTED} {expected}; {len(found)} were given.")
    return tuple(dict.fromkeys(one(each) for each in found))


def _shown(value: Any) -> str:
    return ascii(value)[:80]
