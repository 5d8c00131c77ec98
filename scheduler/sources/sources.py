"""The sources that a user has added, as one shelf of records to look up.

Looking up asks nothing but the disk; `add` and `update` alone ask the source itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from heapq import merge
from pathlib import Path

from ..errors import RecordError, SourceError, UnknownNameError
from ..files import PathLike
from ..lookup.key import Key
from ..lookup.match import SOURCE, Match, judged
from ..record import Record
from ..store.housekeeping import slug
from ..store.relatives import Relatives
from ..store.scan import Brief
from .addresses import Address, address_of
from .fetching import Heard, fetch
from .kept import (
    MOST_SOURCES,
    NAME,
    SOURCES,
    Source,
    forget,
    load_source,
    read_note,
    source_folders,
    stamp,
)
from .signing import check_key

_BESIDE: dict[Path, Sources] = {}


@dataclass
class _Known:
    """A source that was read: when its note was last written, and what its records are kin to."""

    stamp: tuple[int, int]
    source: Source
    relatives: Relatives


class Sources:
    """The sources beside a store, a shelf (lookup/shelves.py).

    store: the store's folder. unchecked: whether the user asked for records that nobody has checked
    on the model at hand; otherwise they are found, to be named and checked, and never allowed.
    """

    def __init__(self, store: PathLike, unchecked: bool = False):
        self.store = Path(store)
        self.unchecked = unchecked
        self._known: dict[Path, _Known] = {}

    def names(self) -> list[str]:
        """What the sources are called, damaged ones too."""
        return [folder.name for folder in source_folders(self.store)]

    def all(self) -> list[Source]:
        """The sources at hand, by name; damaged ones are left out (`problems` names them)."""
        return [each.source for each in self._read()]

    def damaged(self) -> list[tuple[str, str]]:
        """(name, reason) of sources that cannot be read."""
        found = []
        for folder in source_folders(self.store):
            try:
                load_source(folder)
            except SourceError as problem:
                found.append((folder.name, str(problem)))
        return found

    def problems(self) -> list[tuple[str, str]]:
        """The same, and (name, reason) of records that were changed on disk. Reads everything."""
        found = self.damaged()
        for source in self.all():
            for sha256, entry in source.entries.items():
                try:
                    source.content(sha256)
                except RecordError as problem:
                    found.append((f"{source.name}/{entry['file']}", str(problem)))
        return found

    def source(self, name: str) -> Source:
        """A source by its name; raises UnknownNameError, and SourceError for a damaged one."""
        return load_source(self.source_folder(name))

    def record(self, name: str, file: str) -> Record:
        """A record of a source by its file's name there, with or without .json; raises UnknownNameError
        and RecordError."""
        source = self.source(name)
        for sha256, entry in source.entries.items():
            if entry["file"] in (file, f"{file}.json"):
                return source.record(sha256)
        raise UnknownNameError(
            f"The source {name} has no record {ascii(file[:80])}; "
            f"`store source show {name}` lists what it has."
        )

    def add(
        self,
        given: str,
        name: str | None = None,
        key: str | None = None,
        unsigned: bool = False,
        heard: Heard | None = None,
    ) -> Source:
        """Add a source by its folder or web address, and read it whole.

        name: what to call it, else by where it lies. key: the public key that it must be signed
        with; without one a signed source's own is taken and kept, unless `unsigned` says not to
        look at signatures. Raises SourceError and OutputError; nothing is added then.
        """
        address = address_of(given)
        if key is not None:
            check_key(key)
        folder = self._new_folder(name or _name_of(address), chosen=name is not None)
        self._refuse_twice(address)
        try:
            fetch(address, folder, key=key, pin=not unsigned, heard=heard)
        except BaseException:
            if folder.exists():
                forget(folder)
            raise
        return load_source(folder)

    def update(self, name: str, heard: Heard | None = None) -> Source:
        """Read a source anew; what is at hand stays where that fails. Raises UnknownNameError,
        SourceError and OutputError."""
        folder = self.source_folder(name)
        before = read_note(folder)
        fetch(before.address, folder, before, heard=heard)
        return load_source(folder)

    def remove(self, name: str) -> None:
        """Take a source and what was fetched of it away; raises UnknownNameError and OutputError."""
        forget(self.source_folder(name))

    def matches(self, key: Key, policy: str = "near") -> Iterator[Match]:
        """The records of all sources that may serve, the nearest first, each read when it is asked for.

        None is allowed unless `unchecked`.
        """
        seen: set[str] = set()
        for brief, source in self._in_turn(key):
            if brief.file in seen:
                continue
            seen.add(brief.file)
            with suppress(RecordError):  # changed or removed meanwhile
                record = source.record(brief.file)
                match = judged(record, key, policy, _path(source, brief.file))
                if match is not None:
                    allowed = match.allowed and self.unchecked
                    yield replace(match, allowed=allowed, place=SOURCE, origin=source.origin)

    def _in_turn(self, key: Key) -> Iterator[tuple[Brief, Source]]:
        """Of sources that are equally near, the first by name comes first."""
        turns = [
            [(distance, place, brief, known.source) for distance, brief in self._ranked(known, key)]
            for place, known in enumerate(self._read())
        ]
        for _, _, brief, source in merge(*turns, key=lambda each: each[:2]):
            yield brief, source

    def _ranked(self, known: _Known, key: Key) -> list[tuple[float, Brief]]:
        return known.relatives.nearest(known.source.briefs, key)

    def _read(self) -> list[_Known]:
        """Every source, read again only where its note has changed."""
        folders = source_folders(self.store)
        for folder in set(self._known) - set(folders):
            self._known.pop(folder, None)
        return [found for each in folders if (found := self._one(each)) is not None]

    def _one(self, folder: Path) -> _Known | None:
        known, now = self._known.get(folder), stamp(folder)
        if known is not None and known.stamp == now:
            return known
        self._known.pop(folder, None)
        with suppress(SourceError):
            source = load_source(folder)
            self._known[folder] = _Known(now, source, Relatives(source.fingerprint))
        return self._known.get(folder)

    def source_folder(self, name: str) -> Path:
        """The folder of a source; names are only ever compared with those that are there.

        Raises UnknownNameError.
        """
        found = source_folders(self.store)
        for folder in found:
            if folder.name == name:
                return folder
        few = ", ".join(folder.name for folder in found[:10])
        raise UnknownNameError(
            f"There is no source {ascii(str(name)[:60])}; there are: {few or 'none'}."
        )

    def _new_folder(self, name: str, chosen: bool) -> Path:
        there = {folder.name for folder in source_folders(self.store)}
        if len(there) >= MOST_SOURCES:
            raise SourceError(f"There are {MOST_SOURCES} sources, the most; remove one first.")
        if not NAME.fullmatch(name) or (chosen and name in there):
            raise SourceError(
                f"A source cannot be called {name[:60]!a}; take another name of lower-case letters, "
                "digits and '-'."
            )
        number = 1
        free = name
        while free in there:
            number += 1
            free = f"{name[:50]}-{number}"
        return self.store / SOURCES / free

    def _refuse_twice(self, address: Address) -> None:
        for source in self.all():
            if source.note.address == address:
                raise SourceError(
                    f"This source is there already, as {source.name}; "
                    f"`store source update {source.name}` reads it anew."
                )


def beside(store: PathLike) -> Sources:
    """The sources beside a store, the same object for each folder, for what was read stays in it."""
    return _BESIDE.setdefault(Path(store), Sources(store))


def _path(source: Source, sha256: str) -> str:
    return f"{source.name}/{source.entries[sha256]['file']}"


def _name_of(address: Address) -> str:
    """A name by where a source lies: its folder's, or its site's with the last part of the path."""
    parts = [part for part in re.split(r"[/\\]", address.text.partition("://")[2]) if part]
    plain = [part for part in parts if part.lower() not in ("head", "main", "raw", "-", "resolve")]
    if not plain:
        plain = [Path(address.text).name]
    return slug(plain[-1])
