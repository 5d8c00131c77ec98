"""JSON values that remember how they were written: numbers, texts, and what stands between them.

For texts that no one layout gives again (an editor that keeps short lists on one line, a program that
escapes a slash): each list and object then keeps its own spaces, wherever it is moved.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from json.decoder import JSONDecoder

from ..errors import WorkflowError

_SPACE = re.compile(r"[ \t\r\n]*")
_PLAIN = re.compile(r"[^\s,\]}]+")  # a number, true, false, null
_MOST_DIGITS = 4000
_DECODER = JSONDecoder()


class Whole(int):
    """A whole number that is spelled in its own way (-0)."""

    text: str


class Real(float):
    """A number whose spelling Python would change (1e-7, 1.50, NaN)."""

    text: str


class Words(str):
    """A text that is escaped in its own way; text: with its quotation marks."""

    text: str


@dataclass
class Gaps:
    """The spaces of a list or object.

    before, after: of each entry by its place, or by its key; after: not of the last. colons: by key,
    with the key's own spelling. first: before the first entry, where there was none yet. end: before
    the closing bracket.
    """

    before: dict = field(default_factory=dict)
    after: dict = field(default_factory=dict)
    colons: dict[str, str] = field(default_factory=dict)
    first: str = ""
    end: str = ""

    def around(self, entries: int) -> Gaps:
        """The same for so many entries: a list that is emptied keeps both ends in one, and one that is
        filled again takes them apart."""
        if not entries:
            return replace(self, end=next(iter(self.before.values()), "") + self.end)
        if self.before:
            return self
        cut = self.end.rfind("\n") if self.end.count("\n") > 1 else len(self.end) // 2
        return replace(self, first=self.end[:cut], end=self.end[cut:])


class Spaced(dict):
    """An object with its own spaces."""

    gaps: Gaps


class SpacedList(list):
    """A list with its own spaces."""

    gaps: Gaps


def whole(text: str) -> int:
    """A whole number, with its spelling where Python's is another; raises WorkflowError."""
    if len(text) > _MOST_DIGITS:
        raise WorkflowError(f"A whole number has {len(text):,} digits, which no workflow needs.")
    number = int(text)
    if str(number) == text:
        return number
    spelled = Whole(number)
    spelled.text = text
    return spelled


def real(text: str) -> float:
    """A number, with its spelling where Python's is another."""
    number = float(text)
    if repr(number) == text:
        return number
    spelled = Real(number)
    spelled.text = text
    return spelled


def read_spaced(text: str) -> object:
    """The value of a text that is known to be JSON, with everything as it was written."""
    return _value(text, _after_space(text, 0))[0]


def _value(text: str, at: int) -> tuple[object, int]:
    letter = text[at]
    if letter == "{":
        return _object(text, at + 1)
    if letter == "[":
        return _list(text, at + 1)
    if letter == '"':
        return _words(text, at)
    found = _PLAIN.match(text, at)
    assert found is not None
    return json.loads(found[0], parse_int=whole, parse_float=real, parse_constant=real), found.end()


def _words(text: str, at: int) -> tuple[str, int]:
    value, end = _DECODER.raw_decode(text, at)
    spelled = Words(value)
    spelled.text = text[at:end]
    return spelled, end


def _object(text: str, at: int) -> tuple[Spaced, int]:
    found = Spaced()
    gaps = found.gaps = Gaps()
    start = at
    at = _after_space(text, at)
    if text[at] == "}":
        gaps.end = text[start:at]
        return found, at + 1
    while True:
        lead = text[start:at]
        key, end = _DECODER.raw_decode(text, at)
        value_at = _after_space(text, _after_space(text, end) + 1)  # past the colon
        gaps.before[key] = lead
        gaps.colons[key] = text[at:value_at]
        found[key], end = _value(text, value_at)
        at = _after_space(text, end)
        if text[at] == "}":
            gaps.end = text[end:at]
            return found, at + 1
        gaps.after[key] = text[end:at]
        start = at + 1
        at = _after_space(text, start)


def _list(text: str, at: int) -> tuple[SpacedList, int]:
    found = SpacedList()
    gaps = found.gaps = Gaps()
    start = at
    at = _after_space(text, at)
    if text[at] == "]":
        gaps.end = text[start:at]
        return found, at + 1
    while True:
        gaps.before[len(found)] = text[start:at]
        value, end = _value(text, at)
        found.append(value)
        at = _after_space(text, end)
        if text[at] == "]":
            gaps.end = text[end:at]
            return found, at + 1
        gaps.after[len(found) - 1] = text[end:at]
        start = at + 1
        at = _after_space(text, start)


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at
