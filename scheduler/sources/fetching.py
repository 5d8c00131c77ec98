"""Reading a source anew: the only place where one is asked for anything.

Its index is read, and every record that is not at hand yet; each must have the stated size and
hash, be a record, and be what the index says of it. An entry that is not is left out, with the
reason; an index that is not usable, or a source that does not answer, changes nothing of what is
kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import RecordError, SourceError
from ..files import make_folder, read_bytes
from ..record import now
from ..record.parser import MAX_BYTES
from .addresses import WEB, Address
from .entries import digest, disagreement, settled
from .index_form import BOUNDS as INDEX_BOUNDS
from .index_form import INDEX_FILE, SIGNATURE_FILE, SourceIndex, read_index
from .kept import Note, keep, keep_record, record_path
from .readers import FolderReader, Gone, Reader, Unreachable
from .signing import BOUNDS as SIGNATURE_BOUNDS
from .signing import read_signature, verify

MOST_SECONDS = 1800.0  # for all files of a source
LINE_ENDS = 10_000  # bytes that a file may be longer by, where its lines end otherwise

Heard = Callable[[int, int], None]  # (records done, records in all)


def reader_of(address: Address) -> Reader:
    """The reader of an address; nothing is read yet."""
    if address.kind == WEB:
        from .web import WebReader  # the network's packages only where it is asked

        return WebReader(address.text)
    return FolderReader(Path(address.text))


@dataclass(frozen=True)
class Published:
    """An index as it was read: its bytes, what is in it, and the key that it was found signed with."""

    content: bytes
    index: SourceIndex
    key: str | None


def published(reader: Reader, key: str | None, pin: bool) -> Published:
    """The index of a source. key: what it must be signed with; None: nothing, but with `pin` by the key
    that the source itself states, if any. Raises SourceError."""
    try:
        content = settled(reader.read(INDEX_FILE, INDEX_BOUNDS.bytes))
    except Gone:
        raise SourceError(
            f"There is no {INDEX_FILE}, so this is no source; its publisher makes one with "
            "`store publish`."
        ) from None
    if key is not None or pin:
        key = _verified(reader, content, key)
    return Published(content, read_index(content), key)


def _verified(reader: Reader, content: bytes, key: str | None) -> str | None:
    try:
        data = reader.read(SIGNATURE_FILE, SIGNATURE_BOUNDS.bytes)
    except Gone:
        if key is None:
            return None
        raise SourceError(
            "The source is not signed, and was added as one that is; ask its publisher, or remove it "
            "and add it again with --unsigned."
        ) from None
    signature = read_signature(data)
    verify(content, signature, key or signature.key)
    return signature.key


def fetch(
    address: Address,
    folder: Path,
    before: Note | None = None,
    key: str | None = None,
    pin: bool = True,
    heard: Heard | None = None,
    most_seconds: float = MOST_SECONDS,
) -> Note:
    """Read a source into its folder. before: what was known of it. Raises SourceError, OutputError."""
    reader = reader_of(address)
    ends = time.monotonic() + most_seconds
    known = _index_of(folder, before) if before is not None else None
    try:
        found = published(reader, before.key if before else key, pin and before is None)
        if known is not None:
            _refuse_older(found.index, known)
        make_folder(folder)
        refused = _Records(reader, folder, found.index, known).fetched(heard, ends)
    finally:
        reader.close()
    for entry, _ in refused:  # what is no longer as the index says is not served either
        record_path(folder, entry["sha256"]).unlink(missing_ok=True)
    left_out = tuple((entry["file"], reason) for entry, reason in refused)
    added = before.added if before else now()
    note = Note(address, added, now(), digest(found.content), found.key, left_out)
    keep(folder, note, found.content)
    return note


def _index_of(folder: Path, note: Note) -> SourceIndex | None:
    """The index that was read before; None where it was damaged since."""
    path = folder / f"index-{note.index}.json"
    try:
        content = read_bytes(path, INDEX_BOUNDS.bytes, SourceError)
        return read_index(content) if digest(content) == note.index else None
    except SourceError:
        return None


def _refuse_older(found: SourceIndex, known: SourceIndex) -> None:
    """An index from before the one at hand is a page that was put back, by whomever."""
    if found.created < known.created:
        raise SourceError(
            f"The source's index is of {found.created}, older than the one at hand "
            f"({known.created}); nothing was changed. If that is meant, remove it and add it again."
        )


class _Records:
    """The records of an index on their way into a source's folder. known: the index before."""

    def __init__(self, reader: Reader, folder: Path, index: SourceIndex, known: SourceIndex | None):
        self.reader, self.folder, self.index = reader, folder, index
        self.earlier = known.models if known is not None else {}
        self.known = {each["sha256"]: each for each in known.records} if known is not None else {}

    def fetched(self, heard: Heard | None, ends: float) -> list[tuple[Mapping, str]]:
        """Fetch what is not at hand; returns (entry, reason) of what was left out."""
        left_out = []
        for done, entry in enumerate(self.index.records):
            if heard is not None:
                heard(done, len(self.index.records))
            if time.monotonic() > ends:
                raise Unreachable("The source took too long; what was kept before is unchanged.")
            try:
                self._one(entry)
            except Unreachable:
                raise
            except (SourceError, RecordError) as problem:
                left_out.append((entry, str(problem)))
        return left_out

    def _one(self, entry: Mapping) -> None:
        kept = _at_hand(self.folder, entry["sha256"])
        if kept is not None and self._unchanged(entry):
            return
        content = kept
        if content is None:
            content = settled(self.reader.read(entry["file"], entry["bytes"] + LINE_ENDS))
        _check(entry, self.index.models, content)
        if kept is None:
            keep_record(self.folder, entry["sha256"], content)

    def _unchanged(self, entry: Mapping) -> bool:
        """Whether an index said just this of a record that was checked then."""
        name = entry["fingerprint"]
        same = self.index.models[name] == self.earlier.get(name)
        return same and self.known.get(entry["sha256"]) == entry


def _check(entry: Mapping, models: Mapping[str, Mapping], content: bytes) -> None:
    """Raise SourceError or RecordError unless a content is what an index says of it."""
    if len(content) != entry["bytes"] or digest(content) != entry["sha256"]:
        raise SourceError(
            "Its content is not what the index says (another hash): one of both is stale or was changed."
        )
    name = disagreement(entry, models, content)
    if name is not None:
        raise SourceError(f"The index says another {name} than the record itself.")
    if not entry["fingerprint"]:
        raise SourceError("It names no model's weights, so nobody can find it.")


def _at_hand(folder: Path, sha256: str) -> bytes | None:
    try:
        content = read_bytes(record_path(folder, sha256), MAX_BYTES, RecordError)
    except RecordError:
        return None
    return content if digest(content) == sha256 else None
