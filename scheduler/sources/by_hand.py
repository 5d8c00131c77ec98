"""Records of sources that a user chooses by hand, in a host's list: that is asking for them before anybody
has checked them here, and the list's own entry says so."""

from __future__ import annotations

from itertools import islice

from ..record import Record
from .sources import Sources

UNCHECKED = "unchecked, from "
BETWEEN = ": "
MOST_LISTED = (
    200  # a list that is longer is no list; any other record's entry may be written by hand
)


def entries(here: Sources) -> list[str]:
    """ "unchecked, from ann: flow-cfg-3" of each record at hand, by source and file."""
    found = (
        f"{UNCHECKED}{source.name}{BETWEEN}{file.removesuffix('.json')}"
        for source in here.all()
        for file in sorted(each["file"] for each in source.entries.values())
    )
    return list(islice(found, MOST_LISTED))


def is_entry(name: str) -> bool:
    """Whether an entry of a list is one of these."""
    return name.startswith(UNCHECKED) and BETWEEN in name


def record_of(here: Sources, entry: str) -> Record:
    """The record of an entry. Raises UnknownNameError, RecordError and SourceError."""
    name, _, file = entry.removeprefix(UNCHECKED).partition(BETWEEN)
    return here.record(name, file)
