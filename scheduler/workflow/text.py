"""JSON in and out without losing anything.

Neither the order of keys, nor the numbers' own spelling (1.0, 1e-7, long seeds), nor the layout. A
text that any of the usual writers made (ComfyUI's page, Python's json, at any indent) has one
layout; of any other each part keeps its own (spelled.py). Either comes out as it went in, byte for
byte.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from json.encoder import encode_basestring, encode_basestring_ascii

from ..errors import WorkflowError
from .spelled import Gaps, Real, Spaced, SpacedList, Whole, Words, read_spaced, real, whole

MAX_DEPTH = 200  # of lists and objects in one another
_NO_MORE = "save it again from ComfyUI"
_SPACE = " \t\r\n"
_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"')
_ESCAPES = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)")  # a doubled backslash is one
_HALF = re.compile("[\ud800-\udfff]")
_MARK = "\ufeff"  # of byte order: some editors put it before everything

Add = Callable[[str], object]  # takes the next part of a text


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
            parse_int=whole,
            parse_float=real,
            parse_constant=real,
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
    layout = _layout(text)
    if write(value, layout) == text:
        return value, layout
    value = read_spaced(text.strip(_SPACE + _MARK))
    return value, replace(layout, exact=write(value, layout) == text)


def write(value: object, layout: Layout) -> str:
    """The value as text."""
    parts = [layout.before]
    _write(value, layout, layout.newline, parts.append)
    parts.append(layout.after)
    return "".join(parts)


def _write(value: object, layout: Layout, margin: str, add: Add) -> None:
    if isinstance(value, (Spaced, SpacedList)):
        _write_spaced(value, layout, margin, add)
    elif isinstance(value, dict) and value:
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


def _write_spaced(value: Spaced | SpacedList, layout: Layout, margin: str, add: Add) -> None:
    """What was read with its own spaces; an entry that is new takes those of the one before it."""
    gaps = value.gaps.around(len(value))
    keyed = isinstance(value, dict)
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    add("{" if keyed else "[")
    for count, (key, entry) in enumerate(entries):
        add(gaps.before[key] if key in gaps.before else _lead(gaps, count, layout))
        if keyed:
            add(gaps.colons.get(key) or _string(key, layout.ascii) + layout.colon)
        _write(entry, layout, margin + (layout.indent or ""), add)
        if count + 1 < len(value):
            add(gaps.after.get(key, "") + ",")
    add(gaps.end)
    add("}" if keyed else "]")


def _lead(gaps: Gaps, count: int, layout: Layout) -> str:
    """What stands before an entry that is new."""
    last = next(reversed(gaps.before.values()), gaps.first)
    alone = len(gaps.before) < 2 and not last
    return layout.comma[1:] if alone and count else last


def _leaf(value: object, ascii_only: bool) -> str:
    if isinstance(value, (Whole, Real, Words)):
        return value.text
    if isinstance(value, str):
        return _string(value, ascii_only)
    if type(value) in (int, float):
        return repr(value)
    return json.dumps(value)


def _string(text: str, ascii_only: bool) -> str:
    if ascii_only:
        return encode_basestring_ascii(text)
    plain = encode_basestring(text)
    # Half characters are not for UTF-8.
    return plain if text.isascii() else _HALF.sub(lambda half: f"\\u{ord(half[0]):04x}", plain)


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


def _layout(text: str) -> Layout:
    """The layout that a text seems to have, judged by what stands outside of its strings."""
    bare = text.strip(_SPACE + _MARK)
    at = text.find(bare)
    bones = _STRINGS.sub('""', bare)
    found = re.match(r"[\[{](\r?\n)([ \t]*)", bones)
    comma = re.search(r",([ \t]*)", bones)
    colon = re.search(r'"(\s*:[ \t]*)', bones)
    return Layout(
        indent=found[2] if found else None,
        comma="," + (comma[1] if comma else ""),
        colon=colon[1] if colon else ": ",
        ascii=bare.isascii() and any(map(_beyond, _ESCAPES.finditer(bare))),
        newline=found[1] if found else "\n",
        before=text[:at],
        after=text[at + len(bare) :],
    )


def _beyond(escape: re.Match) -> bool:
    """Whether an escape stands for a letter that need not be escaped (JSON's own are below)."""
    return escape[1] is not None and int(escape[1], 16) > 0x7E
