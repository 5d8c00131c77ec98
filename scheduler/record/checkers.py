"""A small declarative schema for plain JSON data: checkers of numbers, texts, lists and objects.

A checker knows two things that are declared together: `check`, a function of one value that raises
`Misfit` or returns nothing, and `schema`, the same as JSON Schema (draft 2020-12). The schema may
take more than the check does (a whole number written 1.0), never less. Containers add their place
to the misfit on the way out, so that data without faults costs no path building.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

MAX_NUMBER = sys.float_info.max
MAX_KEY = 100  # characters of a key that is not known
MAX_TEXT = 10_000  # and of a text under it
MAX_PLAIN_DEPTH = 12

# Control and direction characters could rewrite the terminal or page that shows a name; a lone
# surrogate cannot be saved.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
# The same for JSON Schema, without the surrogates, which its regular expressions may not know.
UNPRINTABLE_SCHEMA = r"[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]"


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


@dataclass(frozen=True)
class Checker:
    """What one value must be, as a function and as JSON Schema."""

    check: Callable[[object], None]
    schema: Mapping

    def __call__(self, value: object) -> None:
        self.check(value)


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

    least = "exclusiveMinimum" if above else "minimum"
    return Checker(check, {"type": "number"} | _limits(low, high, least))


def integer(low: int, high: int) -> Checker:
    """A whole number in [low, high]."""

    def check(value: object) -> None:
        if type(value) is not int or not low <= value <= high:
            raise Misfit(f"is {shown(value)}, must be a whole number from {low} to {high}")

    return Checker(check, {"type": "integer"} | _limits(low, high, "minimum"))


def text(most: int = 200, pattern: str | None = None, wanted: str = "") -> Checker:
    """One line of at most `most` printable characters, of a pattern when given.

    Patterns are written for both Python and JSON Schema: plain classes, no `\\d` or `\\w`.
    """
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

    form_schema = {"pattern": f"^(?:{pattern})$"} if pattern else {}
    unprintable = {"not": {"pattern": UNPRINTABLE_SCHEMA}}
    return Checker(check, {"type": "string", "maxLength": most} | form_schema | unprintable)


def base64_text(most: int) -> Checker:
    """Text of base64's alphabet; whether it can be decoded is not looked at."""
    alphabet = "[A-Za-z0-9+/]+={0,2}"
    form = re.compile(alphabet)

    def check(value: object) -> None:
        if type(value) is not str or len(value) > most or not form.fullmatch(value):
            raise Misfit(f"is {shown(value)}, must be base64 text of at most {most:,} characters")

    return Checker(check, {"type": "string", "maxLength": most, "pattern": f"^{alphabet}$"})


def flag() -> Checker:
    """true or false."""

    def check(value: object) -> None:
        if type(value) is not bool:
            raise Misfit(f"is {shown(value)}, must be true or false")

    return Checker(check, {"type": "boolean"})


def choice(*allowed: str) -> Checker:
    """One of the given strings."""

    def check(value: object) -> None:
        if type(value) is not str or value not in allowed:
            raise Misfit(f"is {shown(value)}, must be one of: {', '.join(allowed)}")

    return Checker(check, {"enum": list(allowed)})


def optional(checker: Checker) -> Checker:
    """null, or what the checker takes."""

    def check(value: object) -> None:
        if value is not None:
            checker.check(value)

    return Checker(check, {"anyOf": [{"type": "null"}, checker.schema]})


def items(checker: Checker, least: int, most: int) -> Checker:
    """A list of least to most entries that each fit."""
    check_entry, count = checker.check, f"{least}" if least == most else f"{least} to {most}"

    def check(value: object) -> None:
        if type(value) is not list:
            raise Misfit(f"is {shown(value)}, must be a list")
        if not least <= len(value) <= most:
            raise Misfit(f"has {len(value)} entries, must have {count}")
        for index, entry in enumerate(value):
            try:
                check_entry(entry)
            except Misfit as misfit:
                raise misfit.inside(f"[{index}]") from None

    size = {"minItems": least, "maxItems": most}
    return Checker(check, {"type": "array", "items": checker.schema} | size)


def fields(
    required: dict[str, Checker], extra: dict[str, Checker] | None = None, open: bool = False
) -> Checker:
    """An object with every required key and perhaps some of the extra ones.

    Any other key is refused; with `open` it is taken, if it and its value are plain JSON.
    """
    known = {**required, **(extra or {})}

    def check(value: object) -> None:
        if type(value) is not dict:
            raise Misfit(f"is {shown(value)}, must be an object")
        for key in required:
            if key not in value:
                raise Misfit(f"has no {key!r}")
        for key, entry in value.items():
            checker = known.get(key, PLAIN) if open else known.get(key)
            if checker is None:
                listed = ", ".join(known)
                raise Misfit(f"has an unknown key {shown(key)}; known are: {listed}")
            if key not in known:
                _check_key(key, UNKNOWN_KEY)
            try:
                checker.check(entry)
            except Misfit as misfit:
                raise misfit.inside(_key_place(key)) from None

    properties = {key: checker.schema for key, checker in known.items()}
    closed = {} if open else {"additionalProperties": False}
    object_schema = {"type": "object", "properties": properties, "required": list(required)}
    return Checker(check, object_schema | closed)


def table(key_checker: Checker, checker: Checker, most: int) -> Checker:
    """An object of at most `most` entries whose keys and values each fit."""

    def check(value: object) -> None:
        if type(value) is not dict:
            raise Misfit(f"is {shown(value)}, must be an object")
        if len(value) > most:
            raise Misfit(f"has {len(value)} entries, may have {most}")
        for key, entry in value.items():
            _check_key(key, key_checker)
            try:
                checker.check(entry)
            except Misfit as misfit:
                raise misfit.inside(_key_place(key)) from None

    keys = {"propertyNames": key_checker.schema, "maxProperties": most}
    return Checker(check, {"type": "object", "additionalProperties": checker.schema} | keys)


def _check_plain(value: object, depth: int = 0) -> None:
    if type(value) is float or type(value) is int:  # first, for there may be many
        if not -MAX_NUMBER <= value <= MAX_NUMBER:
            _PLAIN_NUMBER.check(value)
        return
    if value is None or type(value) is bool:
        return
    if depth > MAX_PLAIN_DEPTH:
        raise Misfit(f"is nested deeper than {MAX_PLAIN_DEPTH}")
    if type(value) is str:
        _PLAIN_TEXT.check(value)
    elif type(value) is list:
        for index, entry in enumerate(value):
            try:
                _check_plain(entry, depth + 1)
            except Misfit as misfit:
                raise misfit.inside(f"[{index}]") from None
    elif type(value) is dict:
        for key, entry in value.items():
            _check_key(key, UNKNOWN_KEY)
            try:
                _check_plain(entry, depth + 1)
            except Misfit as misfit:
                raise misfit.inside(_key_place(key)) from None
    else:
        _PLAIN_NUMBER.check(value)


def _check_key(key: str, checker: Checker) -> None:
    try:
        checker.check(key)
    except Misfit as misfit:
        raise Misfit(f"has a key that {misfit.args[0]}") from None


def _key_place(key: str) -> str:
    return f".{key if key.isprintable() else ascii(key)}"


def _limits(low: float, high: float, least: str) -> dict:
    found = {} if low == -MAX_NUMBER else {least: low}
    return found if high == MAX_NUMBER else found | {"maximum": high}


UNKNOWN_KEY = text(MAX_KEY)
_PLAIN_TEXT = text(MAX_TEXT)
_PLAIN_NUMBER = number()
# Whatever JSON can say, within bounds: what stands under a key that this version does not know.
PLAIN = Checker(_check_plain, {})
