"""JSON in and out without losing anything.

Neither the order of keys, nor the numbers' own spelling (1.0, 1e-7, long seeds), nor the layout. A
text that any of the usual writers made (ComfyUI's page, Python's json, at any indent) comes out
as it went in, byte for byte.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from json.encoder import encode_basestring, encode_basestring_ascii

from ..errors import WorkflowError

MAX_DEPTH = 200  # of lists and objects in one another
_NO_MORE = "save it again from ComfyUI"
_MARK = "\ufeff"  # of byte order: some editors put it before everything

Add = Callable[[str], object]  # takes the next part of a text


class Whole(int):
    """A whole number that is spelled in its own way (-0)."""

    text: str


class Real(float):
    """A number whose spelling Python would change (1e-7, 1.50, NaN)."""

    text: str


@dataclass(frozen=True)
class Layout:
    """How a JSON text is laid out.

    indent: None for one line. comma, colon: the separators. ascii: whether letters beyond are
    escaped. newline: "\\n" or "\\r\\n". before, after: what stands around the value. exact: whether
    a text of this layout is met byte for byte.
    """

    indent: str | None = None
    comma: str = ","
    colon: str = ":"
    ascii: bool = False
    newline: str = "\n"
    before: str = ""
    after: str = ""
    exact: bool = True


def read(text: str) -> tuple[object, Layout]:
    """(the value, its layout).

    Raises WorkflowError for what is not JSON, is nested too deeply or names a key twice.
    """
    try:
        value = json.loads(
            text.removeprefix(_MARK),
            object_pairs_hook=_unique,
            parse_int=_whole,
            parse_float=_real,
            parse_constant=_real,
        )
    except json.JSONDecodeError as problem:
        place = f"line {problem.lineno}, column {problem.colno}"
        raise WorkflowError(
            f"This is not JSON at {place} ({problem.msg}); if it was cut short, {_NO_MORE}."
        ) from None
    except RecursionError:
        raise WorkflowError(
            f"This is nested more than {MAX_DEPTH} deep, which no workflow is."
        ) from None
    _check_depth(value)
    return value, _layout(text, value)


def write(value: object, layout: Layout) -> str:
    """The value as text."""
    parts = [layout.before]
    _write(value, layout, layout.newline, parts.append)
    parts.append(layout.after)
    return "".join(parts)


def same(a: object, b: object) -> bool:
    """Whether two values are the same JSON: values, numbers' kind and spelling, order of keys."""
    return write(a, _PLAIN) == write(b, _PLAIN)


def _write(value: object, layout: Layout, margin: str, add: Add) -> None:
    if isinstance(value, dict) and value:
        keys = (_string(key, layout.ascii) + layout.colon for key in value)
        _write_each("{}", zip(keys, value.values(), strict=True), layout, margin, add)
    elif isinstance(value, list) and value:
        _write_each("[]", (("", entry) for entry in value), layout, margin, add)
    else:
        add(_leaf(value, layout.ascii))


def _write_each(
    brackets: str,
    entries: Iterator[tuple[str, object]],
    layout: Layout,
    margin: str,
    add: Add,
) -> None:
    spread = layout.indent is not None  # over lines
    inner = margin + (layout.indent or "")
    add(brackets[0])
    for count, (head, entry) in enumerate(entries):
        add((layout.comma if count else "") + (inner if spread else "") + head)
        _write(entry, layout, inner, add)
    add((margin if spread else "") + brackets[1])


def _leaf(value: object, ascii_only: bool) -> str:
    if isinstance(value, str):
        return _string(value, ascii_only)
    if isinstance(value, (Whole, Real)):
        return value.text
    if type(value) in (int, float):
        return repr(value)
    return json.dumps(value)


def _string(text: str, ascii_only: bool) -> str:
    # Half characters are not for UTF-8.
    halves = not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text)
    return encode_basestring_ascii(text) if ascii_only or halves else encode_basestring(text)


def _whole(text: str) -> int:
    if len(text) > 4000:
        raise WorkflowError(f"A whole number has {len(text):,} digits, which no workflow needs.")
    number = int(text)
    if str(number) == text:
        return number
    spelled = Whole(number)
    spelled.text = text
    return spelled


def _real(text: str) -> float:
    number = float(text)
    if repr(number) == text:
        return number
    spelled = Real(number)
    spelled.text = text
    return spelled


def _unique(pairs: list[tuple[str, object]]) -> dict:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise WorkflowError(
            f"The key {ascii(twice)[:60]} stands twice in one object, "
            f"so one of its values would be lost; {_NO_MORE}."
        )
    return found


def _check_depth(value: object) -> None:
    level: list[dict | list] = [[value]]
    for _ in range(MAX_DEPTH + 1):
        parts = [list(each.values()) if isinstance(each, dict) else each for each in level]
        level = [part for each in parts for part in each if isinstance(part, (dict, list))]
        if not level:
            return
    raise WorkflowError(f"This is nested more than {MAX_DEPTH} deep, which no workflow is.")


def _layout(text: str, value: object) -> Layout:
    """The layout whose writing gives the text again, or else the one that is nearest to it."""
    bare = text.strip(" \t\r\n" + _MARK)
    at = text.find(bare)
    found = re.match(r"[\[{]\r?\n([ \t]*)", bare)
    indent = found[1] if found else None
    spaced = indent is None and re.search(r'[\]}"\d], ["{\[\d]', bare[:100_000])
    colon = re.search(r'"(\s*:[ \t]*)', bare)
    layout = Layout(
        indent=indent,
        comma=", " if spaced else ",",
        colon=colon[1] if colon else ": ",
        ascii=bare.isascii() and bool(re.search(r"\\u[0-9a-fA-F]{4}", bare)),
        newline="\r\n" if "\r\n" in text else "\n",
        before=text[:at],
        after=text[at + len(bare) :],
    )
    return layout if write(value, layout) == text else replace(layout, exact=False)


_PLAIN = Layout()
