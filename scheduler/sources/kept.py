"""A source as it is kept on disk: what the user said of it, its index, and its records by their hashes.

    <store>/.sources/<name>/source.json            written last; names the index that counts
    <store>/.sources/<name>/index-<sha256>.json    the index, byte for byte as it was published
    <store>/.sources/<name>/records/<sha256>.json

A record's file is there only once its content was checked against the index and for itself; its
hash is checked at every reading nevertheless. The folder is hidden from the store, which seeks no
records there.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from ..errors import OutputError, RecordError, SourceError
from ..files import make_folder, read_bytes, write_bytes, write_text
from ..fingerprint import Fingerprint
from ..record import Record
from ..record.checkers import Misfit, choice, fields, integer, items, optional, text
from ..record.origin import Origin
from ..record.parser import MAX_BYTES, Bounds, read_json
from ..record.schema import TIME
from ..store.index import Index
from ..store.scan import Brief
from .addresses import FOLDER, WEB, Address
from .entries import brief_of_entry, digest
from .index_form import BOUNDS, SHA256, SourceIndex, read_index
from .signing import KEY, key_name

SOURCES = ".sources"
NOTE = "source.json"
RECORDS = "records"
NAME = re.compile("[a-z0-9][a-z0-9-]{0,59}")
MOST_SOURCES = 100
MOST_NAMED = 100  # entries that were left out and are named
KEPT = 16  # records that stay in memory
NOTE_BOUNDS = Bounds(bytes=200_000, values=2000, strings=2000, depth=4)
NOTE_FORM = fields(
    {
        "address": text(4096),
        "kind": choice(FOLDER, WEB),
        "added": TIME,
        "updated": TIME,
        "index": SHA256,
        "key": optional(KEY),
        "left_out": items(items(text(400), 2, 2), 0, MOST_NAMED),
    },
    {"version": integer(1, 1)},
    open=True,
)


@dataclass(frozen=True)
class Note:
    """What is known of a source beside its index.

    key: the public key that its indexes must be signed with, or None. left_out: (file, reason) of
    entries that were refused when it was last read.
    """

    address: Address
    added: str
    updated: str
    index: str
    key: str | None = None
    left_out: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Source:
    """A source at hand; read-only. Made by `load_source`."""

    name: str
    folder: Path
    note: Note
    index: SourceIndex
    _records: dict[str, Record] = field(default_factory=dict, repr=False, compare=False)

    @property
    def by(self) -> str:
        """Who says so: the publisher's own words, or the source's title."""
        return self.index.by or self.index.name

    @property
    def signed(self) -> bool:
        return self.note.key is not None

    @property
    def origin(self) -> Origin:
        """What its records and matches say of whose they are."""
        key = self.note.key
        return Origin(self.name, self.by, key_name(key) if key else "")

    @cached_property
    def entries(self) -> Mapping[str, Mapping]:
        """The entries whose records are at hand, by their sha256."""
        there = _hashes(self.folder)
        return {each["sha256"]: each for each in self.index.records if each["sha256"] in there}

    @cached_property
    def briefs(self) -> Index:
        """The same, to be looked up; a brief's `file` is the sha256."""
        models = self.index.models
        return Index([brief_of_entry(each, models) for each in self.entries.values()], ())

    def content(self, sha256: str) -> bytes:
        """A record's file as it was published, its hash checked; raises RecordError."""
        path = record_path(self.folder, sha256)
        data = read_bytes(path, MAX_BYTES, RecordError)
        if digest(data) != sha256:
            raise RecordError(
                f"A record of the source {self.name} was changed since it was fetched; update the source."
            )
        return data

    def record(self, sha256: str) -> Record:
        """A record by its hash; the last few stay in memory. Raises RecordError."""
        if sha256 not in self._records:
            found = replace(Record.from_json(self.content(sha256)), origin=self.origin)
            while len(self._records) >= KEPT:
                self._records.pop(next(iter(self._records)), None)
            self._records[sha256] = found
        return self._records[sha256]

    def fingerprint(self, brief: Brief) -> Fingerprint | None:
        """The full fingerprint of a record's model; None where the record cannot be read."""
        with suppress(RecordError):
            return Fingerprint.of_record(self.record(brief.file).model)
        return None


def record_path(folder: Path, sha256: str) -> Path:
    """Where a record of a hash is kept in a source's folder."""
    return folder / RECORDS / f"{sha256}.json"


def load_source(folder: Path) -> Source:
    """The source kept in a folder; raises SourceError."""
    note = read_note(folder)
    data = read_bytes(folder / f"index-{note.index}.json", BOUNDS.bytes, SourceError)
    if digest(data) != note.index:
        raise SourceError("Its index was changed since it was fetched; update the source.")
    return Source(folder.name, folder, note, read_index(data))


def keep(folder: Path, note: Note, index: bytes) -> None:
    """Make an index, whose records are in the folder, the one that counts; what no index names any
    more goes. Raises OutputError."""
    write_bytes(folder / f"index-{note.index}.json", index)
    found = {
        "version": 1,
        "address": note.address.text,
        "kind": note.address.kind,
        "added": note.added,
        "updated": note.updated,
        "index": note.index,
        "key": note.key,
        "left_out": [[name[:400], reason[:400]] for name, reason in note.left_out[:MOST_NAMED]],
    }
    write_text(folder / NOTE, json.dumps(found, indent=1) + "\n")
    _clear(folder, note.index, {each["sha256"] for each in read_index(index).records})


def keep_record(folder: Path, sha256: str, content: bytes) -> None:
    """Keep a record that was checked; raises OutputError."""
    make_folder(folder / RECORDS)
    write_bytes(record_path(folder, sha256), content)


def source_folders(store: Path) -> list[Path]:
    """The folders of a store's sources, by name; links are none."""
    try:
        with os.scandir(store / SOURCES) as found:
            names = [
                each.name
                for each in found
                if NAME.fullmatch(each.name) and each.is_dir(follow_symlinks=False)
            ]
    except OSError:
        return []
    return [store / SOURCES / name for name in sorted(names)[:MOST_SOURCES]]


def stamp(folder: Path) -> tuple[int, int]:
    """What changes whenever the source does: the time and size of its note; zeros where there is none."""
    try:
        found = os.stat(folder / NOTE)
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


def forget(folder: Path) -> None:
    """Take a source away; raises OutputError. What its folder links to stays."""
    with suppress(OSError):  # first: without it there is no source, whatever stops us then
        os.unlink(folder / NOTE)
    try:
        shutil.rmtree(folder)
    except OSError as problem:
        reason = (problem.strerror or str(problem)).lower()
        raise OutputError(
            f"The source {folder.name} could not be removed whole: {reason}."
        ) from problem


def read_note(folder: Path) -> Note:
    """What is known of a source beside its index; raises SourceError."""
    if not os.path.lexists(folder / NOTE):
        raise SourceError(
            f"The source {folder.name} was not read to its end; remove it and add it again."
        )
    data = read_bytes(folder / NOTE, NOTE_BOUNDS.bytes, SourceError)
    try:
        found = read_json(data, NOTE_BOUNDS)
        NOTE_FORM.check(found)
    except Misfit as misfit:
        raise SourceError(
            f"What was kept of the source {folder.name} is damaged ({misfit}); "
            "remove it and add it again."
        ) from None
    left_out = tuple((name, reason) for name, reason in found["left_out"])
    address = Address(found["kind"], found["address"])
    return Note(address, found["added"], found["updated"], found["index"], found["key"], left_out)


def _hashes(folder: Path) -> set[str]:
    try:
        return {name.removesuffix(".json") for name in os.listdir(folder / RECORDS)}
    except OSError:
        return set()


def _clear(folder: Path, index: str, wanted: Iterable[str]) -> None:
    """Remove earlier indexes, and records that this one does not name; what resists stays."""
    keeps = {f"index-{index}.json", NOTE, RECORDS}
    _remove(folder, lambda name: name.startswith("index-") and name not in keeps)
    files = {f"{each}.json" for each in wanted}
    _remove(folder / RECORDS, lambda name: name not in files)


def _remove(folder: Path, goes: Callable[[str], bool]) -> None:
    with suppress(OSError):
        for name in os.listdir(folder):
            if goes(name):
                with suppress(OSError):
                    os.unlink(folder / name)
