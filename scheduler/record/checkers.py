"""A small declarative schema for plain JSON data: checkers of numbers, texts, lists and objects.

A checker is a function of one value that raises `Misfit` or returns nothing. Containers add their
place to the misfit on the way out, so that data without faults costs no path building.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable

Checker = Callable[[object], None]

MAX_NUMBER = sys.float_info.max

# Control and direction characters could rewrite the terminal or page that shows a name; a lone
# surrogate cannot be saved.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class Misfit(Exception):
    """A value that does not fit; `place` grows from the inside out."""

    def __init__(self, message: str, *place: str):
        super().__init__(message)
        self.place = list(place)

    def inside(self, place: str) -> Misfit:
        self.place.append(place)
        return self

    def __str__(self) -> str:
        where = "".join(reversed(self.place)).lstrip(".")
        return f"{where}: {self.args[0]}" if where else self.args[0]


def shown(value: object) -> str:
    """A value as a message may quote it: short, ASCII, on one line."""
    if isinstance(value, (dict, list)):
        return {dict: "an object", list: "a list"}[type(value)]
    text = ascii(value[:40]) if isinstance(value, str) else ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def number(low: float = -MAX_NUMBER, high: float = MAX_NUMBER, above: bool = False) -> Checker:
    """A finite number in [low, high]; with `above`, in (low, high]."""
    wanted = f"a finite number {'above' if above else 'from'} {low:g} {'up ' if above else ''}to {high:g}"

    def check(value: object) -> None:
        if type(value) is not float and type(value) is not int:  # bool is an int to isinstance
            raise Misfit(f"is {shown(value)}, must be {wanted}")
        if not low <= value <= high or (above and value == low):
            raise Misfit(f"is {shown(value)}, must be {wanted}")

    return check


def integer(low: int, high: int) -> Checker:
    """A whole number in [low, high]."""

    def check(value: object) -> None:
        if type(value) is not int or not low <= value <= high:
            raise Misfit(f"is {shown(value)}, must be a whole number from {low} to {high}")

    return check


def text(most: int = 200, pattern: str | None = None, wanted: str = "") -> Checker:
    """One line of at most `most` printable characters, of a pattern (ASCII) when given."""
    form = re.compile(pattern, re.ASCII) if pattern else None

    def check(value: object) -> None:
        if type(value) is not str:
            raise Misfit(f"is {shown(value)}, must be text")
        if len(value) > most:
            raise Misfit(f"has {len(value)} characters, may have {most}")
        if UNPRINTABLE.search(value):
            raise Misfit(f"is {shown(value)}, which holds control characters")
        if form and not form.fullmatch(value):
            raise Misfit(f"is {shown(value)}, must be {wanted}")

    return check


def choice(*allowed: str) -> Checker:
    """One of the given strings."""

    def check(value: object) -> None:
        if type(value) is not str or value not in allowed:
            raise Misfit(f"is {shown(value)}, must be one of: {', '.join(allowed)}")

    return check


def optional(checker: Checker) -> Checker:
    """null, or what the checker takes."""

    def check(value: object) -> None:
        if value is not None:
            checker(value)

    return check


def items(checker: Checker, least: int, most: int) -> Checker:
    """A list of least to most entries that each fit."""

    def check(value: object) -> None:
        if type(value) is not list:
            raise Misfit(f"is {shown(value)}, must be a list")
        if not least <= len(value) <= most:
            raise Misfit(
                f"has {len(value)} entries, must have {least if least == most else f'{least} to {most}'}"
            )
        for index, entry in enumerate(value):
            try:
                checker(entry)
            except Misfit as misfit:
                raise misfit.inside(f"[{index}]") from None

    return check


def fields(required: dict[str, Checker], extra: dict[str, Checker] | None = None) -> Checker:
    """An object with every required key, perhaps some of the extra ones, and no other."""
    known = {**required, **(extra or {})}

    def check(value: object) -> None:
        _need_object(value)
        for key in required:
            if key not in value:
                raise Misfit(f"has no {key!r}")
        for key, entry in value.items():
            if key not in known:
                raise Misfit(f"has an unknown key {shown(key)}; known are: {', '.join(known)}")
            try:
                known[key](entry)
            except Misfit as misfit:
                raise misfit.inside(f".{key}") from None

    return check


def table(key_checker: Checker, checker: Checker, most: int) -> Checker:
    """An object of at most `most` entries whose keys and values each fit."""

    def check(value: object) -> None:
        _need_object(value)
        if len(value) > most:
            raise Misfit(f"has {len(value)} entries, may have {most}")
        for key, entry in value.items():
            try:
                key_checker(key)
            except Misfit as misfit:
                raise Misfit(f"has a key that {misfit.args[0]}") from None
            try:
                checker(entry)
            except Misfit as misfit:
                raise misfit.inside(f".{key if key.isprintable() else ascii(key)}") from None

    return check


def _need_object(value: object) -> None:
    if type(value) is not dict:
        raise Misfit(f"is {shown(value)}, must be an object")
