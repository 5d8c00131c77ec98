"""A source's index file: what it may hold, in one declaration, and its strict reading.

What every field means is in docs/sources.md. Like a record it is data alone, read within bounds; a
name in it is never used as a path before it has passed `PATH`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import SourceError
from ..record.checkers import (
    Misfit,
    fields,
    flag,
    integer,
    items,
    number,
    optional,
    shown,
    table,
    text,
)
from ..record.parser import MAX_BYTES, Bounds, read_json
from ..record.schema import (
    COUNT,
    ERROR,
    NAME,
    PATCH,
    POSITIVE_SIGMA,
    SAMPLERS,
    STEPS,
    TIME,
)

INDEX_FILE = "stepdistill-index.json"
SIGNATURE_FILE = "stepdistill-index.sig.json"
VERSION = 1
MOST_RECORDS = 5000
MOST_TOTAL = 512 << 20  # bytes of all records of a source
MOST_PAIRS = 64  # values of an outline
BOUNDS = Bounds(bytes=10_000_000, values=600_000, strings=300_000, depth=8)
WORDS = 200

# Plain names alone: nothing hidden, absolute, above, with a drive, a device or an escape in it.
_PART = "[A-Za-z0-9][A-Za-z0-9_.-]*"
PATH = text(
    200, rf"(?:{_PART}/){{0,3}}{_PART}\.json", "a plain relative name such as records/my-model.json"
)
SHA256 = text(64, "[0-9a-f]{64}", "64 hex digits")
OUTLINE = fields(
    {
        "hashes": items(integer(0, 2**48 - 1), 0, MOST_PAIRS),
        "values": items(number(-3.5e38, 3.5e38), 0, MOST_PAIRS),
    }
)
MODEL = fields({"name": optional(text(300)), "outline": OUTLINE}, open=True)
ERRORS = fields(
    {"sampler": NAME, "steps": STEPS},
    {"rms": ERROR, "stock": text(WORDS), "stock_rms": ERROR, "samples": COUNT},
    open=True,
)
ENTRY = fields(
    {
        "file": PATH,
        "sha256": SHA256,
        "bytes": integer(1, MAX_BYTES),
        "fingerprint": text(200),
        "parametrisation": NAME,
        "prediction": optional(NAME),
        "sigma_min": POSITIVE_SIGMA,
        "sigma_max": POSITIVE_SIGMA,
        "shift": optional(number(0, 1000, above=True)),
        "cfg": optional(number(-1000, 1000)),
        "guidance": optional(number(-1000, 1000)),
        "latent_shape": optional(items(integer(1, 10**6), 1, 6)),
        "patches": items(PATCH, 0, 200),
        "samplers": SAMPLERS,
        "steps": items(integer(0, 1000), 2, 2),
        "created": TIME,
        "version": text(40),
    },
    {
        "noise_scale": number(0, 1000, above=True),
        "solvable": flag(),
        "checked_cfg": items(number(-1000, 1000), 2, 2),
        "errors": ERRORS,
        "by": text(WORDS),
    },
    open=True,
)
INDEX = fields(
    {
        "stepdistill_source": integer(VERSION, VERSION),
        "name": text(100),
        "created": TIME,
        "version": text(40),
        "models": table(text(200), MODEL, MOST_RECORDS),
        "records": items(ENTRY, 0, MOST_RECORDS),
    },
    {"by": text(WORDS), "link": text(500), "about": text(1000)},
    open=True,
)


@dataclass(frozen=True)
class SourceIndex:
    """A checked index. name, by: its own words; created: when it was published; models, records: as
    in the file."""

    name: str
    by: str
    created: str
    version: str
    models: Mapping[str, Mapping]
    records: tuple[Mapping, ...]


def read_index(data: bytes) -> SourceIndex:
    """The index of a text, strictly; raises SourceError."""
    try:
        found = read_json(data, BOUNDS)
        _check_version(found)
        INDEX.check(found)
        _check_together(found)
    except Misfit as misfit:
        raise SourceError(f"This source's index is not usable: {misfit}.") from None
    return SourceIndex(
        found["name"],
        found.get("by", ""),
        found["created"],
        found["version"],
        found["models"],
        tuple(found["records"]),
    )


def _check_version(found: object) -> None:
    if type(found) is not dict or "stepdistill_source" not in found:
        raise Misfit("it is no index of a source (no key 'stepdistill_source' with its version)")
    version = found["stepdistill_source"]
    if type(version) is int and version > VERSION:
        raise Misfit(
            f"it was made by a newer StepDistill (index version {shown(version)}), "
            f"this one reads up to {VERSION}: update StepDistill"
        )


def _check_together(found: dict) -> None:
    """The rules between fields, which no declaration of single ones can say."""
    for name, model in found["models"].items():
        outline = model["outline"]
        if len(outline["hashes"]) != len(outline["values"]):
            raise Misfit("has another number of hashes than of values", f".models.{name!a:.60}")
    seen: set[str] = set()
    for place, entry in enumerate(found["records"]):
        _check_entry(entry, found["models"], seen, f".records[{place}]")
        seen |= {entry["file"], entry["sha256"]}
    total = sum(entry["bytes"] for entry in found["records"])
    if total > MOST_TOTAL:
        raise Misfit(f"has {total:,} bytes of records, may have {MOST_TOTAL:,}", ".records")


def _check_entry(entry: dict, models: Mapping, seen: set[str], where: str) -> None:
    for name in ("file", "sha256"):
        if entry[name] in seen:
            raise Misfit(f"stands twice ({shown(entry[name])})", where, f".{name}")
    if entry["fingerprint"] not in models:
        raise Misfit("is of a model that the index does not describe", f"{where}.fingerprint")
    if not entry["sigma_min"] < entry["sigma_max"]:
        raise Misfit("is not above sigma_min", f"{where}.sigma_max")
    if entry["steps"][0] > entry["steps"][1]:
        raise Misfit("is not the least and the most steps", f"{where}.steps")
