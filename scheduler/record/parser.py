"""From the bytes of a stranger's file to checked plain data, or a RecordError; never anything else,
and never at length.

Bounds come first: bytes, values and depth are counted by fast passes over the raw bytes, before a
single JSON value is made, so that a hostile file costs no more than a large honest one (measured:
below 100 ms and 50 MB).
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from ..errors import RecordError
from ..files import PathLike, read_bytes
from .checkers import Misfit, shown
from .inner_products import unpacked
from .migrations import MIGRATIONS
from .rules import check_record
from .schema import VERSION

MAX_BYTES = 4_000_000
MAX_VALUES = 100_000  # entries of lists and objects together
MAX_STRINGS = 60_000
MAX_DEPTH = 16
MAX_DIGITS = 20


@dataclass(frozen=True)
class Bounds:
    """The most that a text may hold: bytes, entries of lists and objects together, strings, levels."""

    bytes: int = MAX_BYTES
    values: int = MAX_VALUES
    strings: int = MAX_STRINGS
    depth: int = MAX_DEPTH


RECORD_BOUNDS = Bounds()


def parse_file(path: PathLike) -> dict:
    """The checked data of a record file, as `parse` gives it; raises RecordError."""
    return parse(read_bytes(path, MAX_BYTES, RecordError), f"record {shown_path(path)}")


def parse(data: bytes | str, name: str = "record") -> dict:
    """The checked data of a record's text, in the present version's form and with its inner
    products decoded (a Gram under "inner_products"); raises RecordError that begins with `name`."""
    record, _ = parse_packed(data, name)
    if "inner_products" in record:
        try:
            record["inner_products"] = unpacked(record["inner_products"])
        except Misfit as misfit:
            raise _unusable(name, misfit.inside(".inner_products")) from None
    return record


def parse_packed(data: bytes | str, name: str = "record") -> tuple[dict, int]:
    """(the same with the inner products still packed, the version that the text states).

    For those who look at many records and need the products of none; whether these are any is not
    known until they are decoded.
    """
    try:
        stated = read_json(_as_bytes(data))
        version = version_of(stated)
        record = migrate(stated)
        check_record(record)
    except Misfit as misfit:
        raise _unusable(name, misfit) from None
    return record, version


def check(record: dict) -> None:
    """Raise RecordError unless the data would be read again as it is written."""
    try:
        check_record(record)
    except Misfit as misfit:
        raise RecordError(f"This record cannot be saved: {misfit}.") from None


def read_json(data: bytes, bounds: Bounds = RECORD_BOUNDS) -> Any:
    """Strict JSON within the bounds: UTF-8, no duplicate keys, no NaN, no endless number; raises Misfit."""
    text = _decode(data, bounds)
    _check_bounds(data, bounds)
    try:
        return json.loads(
            text, object_pairs_hook=_unique, parse_int=_whole, parse_constant=_refuse_constant
        )
    except json.JSONDecodeError as problem:
        place = f"line {problem.lineno}, column {problem.colno}"
        raise Misfit(
            f"it is not JSON at {place} ({problem.msg}); if it was cut short, fetch it again"
        ) from None
    except RecursionError:  # far from it by MAX_DEPTH, unless the caller has used the stack up
        raise Misfit("it is nested too deeply") from None


def version_of(record: object) -> int:
    """The version that a record's data states; raises Misfit for a newer one or none."""
    if type(record) is not dict or "stepdistill" not in record:
        raise Misfit(
            "it is not a StepDistill record (no key 'stepdistill' with the record's version)"
        )
    version = record["stepdistill"]
    if type(version) is not int or version < 1:
        raise Misfit(
            f"is {shown(version)}, must be the record's version, a whole number from 1",
            ".stepdistill",
        )
    if version > VERSION:
        raise Misfit(
            f"it was made by a newer StepDistill (record version {version}), "
            f"this one reads up to {VERSION}: update StepDistill"
        )
    return version


def migrate(record: dict) -> dict:
    """The data of any earlier version in the present form; raises Misfit for a newer version or none."""
    for step in range(version_of(record), VERSION):
        record = {**MIGRATIONS[step](record), "stepdistill": step + 1}
    return record


def _unusable(name: str, misfit: Misfit) -> RecordError:
    return RecordError(f"{name[:1].upper()}{name[1:]} is not usable: {misfit}.")


def shown_path(path: object) -> str:
    """The last part of a path, as a message may quote it."""
    return ascii(str(path).replace("\\", "/").rsplit("/", 1)[-1][:80]).strip("'\"")


def _as_bytes(data: bytes | str) -> bytes:
    if isinstance(data, bytes):
        return data
    if not isinstance(data, str):
        raise Misfit(f"it is {type(data).__name__}, must be text or bytes")
    if len(data) > MAX_BYTES:
        raise Misfit(f"it has more than {MAX_BYTES:,} characters, the most that are read")
    try:
        return data.encode("utf-8")
    except UnicodeEncodeError:
        raise Misfit("it holds half characters (lone surrogates)") from None


def _decode(data: bytes, bounds: Bounds) -> str:
    if len(data) > bounds.bytes:
        raise Misfit(f"it has {len(data):,} bytes; at most {bounds.bytes:,} are read")
    if data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise Misfit("it begins with a byte-order mark; save it as plain UTF-8")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise Misfit(f"it is not UTF-8 text (byte {problem.start})") from None
    if not text or text.isspace():
        raise Misfit("it is empty")
    return text


def _check_bounds(data: bytes, bounds: Bounds) -> None:
    if data.count(b'"') > 2 * bounds.strings:
        raise Misfit(f"it holds more than {bounds.strings:,} strings")
    bare = _without_strings(data)
    brackets = bare.translate(None, bytes(set(range(256)) - set(b"[]{}")))
    if bare.count(b",") + len(brackets) > bounds.values:
        raise Misfit(f"it holds more than {bounds.values:,} values")
    levels = accumulate(1 if bracket in b"[{" else -1 for bracket in brackets)
    if max(levels, default=0) > bounds.depth:
        raise Misfit(f"it is nested deeper than {bounds.depth}")


def _without_strings(data: bytes) -> bytes:
    """What stands outside the strings: escaped backslashes and quotes go first, then every second
    part between quotes."""
    return b"".join(data.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2])


def _unique(pairs: list[tuple[str, object]]) -> dict:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise Misfit(f"the key {shown(twice)} stands twice in one object")
    return found


def _whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise Misfit(f"a whole number has {len(digits)} digits, may have {MAX_DIGITS}")
    return int(digits)


def _refuse_constant(name: str) -> float:
    raise Misfit(f"{name} is not a number that a record may hold")
