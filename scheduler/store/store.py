"""The cache: a folder of one JSON record a key, shared by hosts and processes, looked up by what a
recipe depends on.

Files are written under another name, flushed and renamed, so that a reader sees an earlier good
record or the new one, whatever is killed when. Nothing is locked: every record has a file of its
own. What is foreign or broken is named and left alone, and no record is ever removed unless its
name is given.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import (
    OutputError,
    RecipeError,
    RecordError,
    StepDistillError,
    UnknownNameError,
)
from ..files import PathLike, make_folder, write_text
from ..fingerprint import Fingerprint
from ..lookup import words
from ..lookup.key import Key
from ..lookup.match import EXACT, Match, judged
from ..lookup.model_facts import facts_of_record
from ..lookup.selection import select
from ..lookup.wanted import COEFFICIENTS, SIGMAS, Wanted
from ..record import Gram, Recipe, Record, load_record
from .catalogue import Catalogue
from .folder import store_folder
from .housekeeping import TEMPORARY, remove_stale, slug, unlink
from .joining import joined
from .recording_file import KeptRecording
from .recordings import FOLDER, MOST_A_KEY, RecordingShelf
from .relatives import Relatives
from .scan import Brief, revision
from .sidecar import read_gram, sidecar_of

if TYPE_CHECKING:  # listing needs no torch
    from ..recordings import Recording

MOST_RECORDS = 20_000
MOST_BYTES = 2 << 30
MOST_RECORDING_BYTES = 2 << 30
KEPT = 16
LEFT = re.compile(r"[a-z0-9-]+--[0-9a-f]{24}(-\d+)?\.safetensors")


class Store:
    """A folder of records. It need not exist until something is put into it; lookups write nothing
    but the index of briefs.

    most_records, most_bytes: what is put beyond them is refused. most_recording_bytes,
    most_recordings: of all recordings, and of one key's; the oldest make room.
    """

    def __init__(
        self,
        folder: PathLike,
        most_records: int = MOST_RECORDS,
        most_bytes: int = MOST_BYTES,
        most_recording_bytes: int = MOST_RECORDING_BYTES,
        most_recordings: int = MOST_A_KEY,
    ):
        self.folder = Path(folder)
        self._shelf = RecordingShelf(self.folder / FOLDER, most_recording_bytes, most_recordings)
        self.most_records, self.most_bytes = most_records, most_bytes
        self._catalogue = Catalogue(self.folder)
        self._relatives = Relatives(self._fingerprint)
        self._read: dict[tuple, Record] = {}

    @classmethod
    def open(cls, given: PathLike | None = None, host: PathLike | None = None) -> Store:
        """The store by the documented order: `given`, STEPDISTILL_STORE, the host's user folder,
        the platform's data folder."""
        return cls(store_folder(given, host))

    def lookup(self, key: Key, policy: str = "near") -> Match | None:
        """The exact hit, else the nearest with its distance in words, else None.

        A nearest match that the policy (lookup.match.POLICIES) does not allow is returned too, with
        allowed False: it is there to be named, not to be used. Matches with solve True are used
        through `recipe`.
        """
        for attempt in range(2):
            found, stale = self._found(key, policy)
            if not stale or attempt:
                return found
            self._catalogue.forget()  # a record was edited in place: look again
        return None

    def matches(self, key: Key, policy: str = "near") -> Iterator[Match]:
        """All records that may serve, the nearest first, each read when it is asked for.

        As `lookup` answers: those that the policy does not allow too.
        """
        seen = set()
        for _, brief in self._relatives.in_turn(self._catalogue.index(), key):
            if brief.file in seen:
                continue
            seen.add(brief.file)
            with suppress(RecordError, OSError):  # edited or removed meanwhile
                match = judged(self._loaded(brief), key, policy, brief.file)
                if match is not None:
                    yield match

    def records(self) -> list[Brief]:
        """All records in brief, the newest first."""
        return list(self._catalogue.index().briefs)

    def problems(self) -> list[tuple[str, str]]:
        """(name, reason) of what lies in the folder and is no usable record or recording, and of inner
        products that are none. Reads every record."""
        self._catalogue.forget()
        found = list(self._catalogue.scan.problems)
        for brief in self._catalogue.index().briefs:
            try:
                self.gram(brief.file)
            except RecordError as problem:
                beside = self._catalogue.beside(brief.file)
                name = sidecar_of(brief.file).name if beside else brief.file
                found.append((name, str(problem)))
            except UnknownNameError:  # removed meanwhile
                pass
        found += [(f"{FOLDER}/{name}", reason) for name, reason in self._shelf.problems()]
        return sorted(found)

    def load(self, name: str) -> Record:
        """A record by its file's name, with or without .json; raises UnknownNameError and RecordError.

        One of version 1 gets the inner products that stand beside it, if these can be read.
        """
        path = self.path(name)
        return self._with_products(load_record(path), path.name)

    def path(self, name: str) -> Path:
        """The file of a record by name; names are only ever compared with those that lie there.
        Raises UnknownNameError."""
        names = self._catalogue.scan.briefs
        for known in (name, f"{name}.json"):
            if known in names:
                return self.folder / known
        few = ", ".join(sorted(names)[:10]) + (", ..." if len(names) > 10 else "")
        raise UnknownNameError(
            f"The store has no record {ascii(str(name)[:80])}; it has: {few or 'none'}."
        )

    def gram(self, name: str) -> Gram | None:
        """The inner products of a record, or None; raises UnknownNameError, and RecordError for
        products that are none, in the record or beside it."""
        path = self.path(name)
        record = load_record(path)
        if record.gram is None and self._catalogue.beside(path.name):
            return read_gram(sidecar_of(path))
        return record.gram

    def put(self, record: Record) -> str:
        """Keep a record under its key, in the place of an earlier one with the same key; returns
        its file's name.

        What the earlier one has for other runs (step counts, starts) stays (joining.py), and its
        inner products where it is the same record. Raises RecordError for a record that cannot be saved,
        and OutputError where the folder cannot be written to or is full: records are never dropped
        to make room.
        """
        text = record.to_json()
        make_folder(self.folder)
        self._sweep()
        name = self._name_for(record)
        if self._catalogue.brief(name) is not None:
            text = self._with_earlier(record, name) or text
        self._check_room(name, len(text))
        write_text(self.folder / name, text)
        # After that: a record of the present version never takes what stands beside it for its own.
        unlink(sidecar_of(self.folder / name))
        self._catalogue.forget()
        return name

    def remove(self, name: str) -> None:
        """Remove a record and what stands beside it; raises UnknownNameError and OutputError."""
        path = self.path(name)
        unlink(path)
        unlink(sidecar_of(path))
        self._catalogue.forget()

    def keep_recording(self, key: Key, recording: Recording, title: str | None = None) -> str:
        """Keep a recording of a run under a key, whatever the key's sampler; returns its file's name.

        title: the model's name, for people. The oldest recordings make room. Raises RecordingError
        for one that cannot be learnt from or is of another model, and OutputError for one larger
        than all room for recordings, or where the folder cannot be written to.
        """
        return self._shelf.keep(key, recording, title)

    def recordings(self, key: Key, prompt: str | None = None) -> list[Recording]:
        """The recordings of a key, the newest first, by what a record's key matches exactly.

        prompt: of this one alone, by its hash.
        """
        return self._shelf.load(key, prompt)

    def list_recordings(self) -> list[KeptRecording]:
        """All recordings in brief, the newest first."""
        return self._shelf.kept()

    def clear_recordings(self, key: Key | None = None) -> int:
        """Remove the recordings of a key, or all, readable or not; returns how many. Raises OutputError."""
        return self._shelf.clear(key)

    def recipe(
        self,
        match: Match,
        sampler: str,
        steps: int,
        start_sigma: float | None = None,
        offsets: bool = True,
        sigma_min: float | None = None,
        sigma_max: float | None = None,
    ) -> Recipe:
        """The recipe that a match has for a run (lookup/selection.py), stated or solved.

        sigma_min, sigma_max: of the model at hand, for a match that must be solved again
        (`match.solve`). Raises RecipeError where the record has none that serves, StepsError, and
        SigmaRangeError for a start that the model does not have.
        """
        facts = facts_of_record(match.record)
        low, high = sigma_min or facts.sigma_min, sigma_max or facts.sigma_max
        facts = replace(facts, sigma_min=low, sigma_max=high)
        carries = COEFFICIENTS if offsets else SIGMAS
        wanted = Wanted.of(facts, sampler, steps, start_sigma=start_sigma, carries=carries)
        found = select(wanted, facts, given=match)
        if found.reason is not None:
            raise RecipeError(words.reason(found.reason))
        return found.recipe

    def revision(self) -> int:
        """A number that changes whenever a record does; below 2^48."""
        return revision(self.folder)

    def _found(self, key: Key, policy: str) -> tuple[Match | None, bool]:
        """(the best match, whether a file was not what the index says)."""
        stale = False
        for _, brief in self._relatives.nearest(self._catalogue.index(), key):
            try:
                changed = self._stamp(brief.file) != brief.stamp
                stale = stale or changed
                record = self._loaded(brief)
            except OSError:
                stale = True
                continue
            except RecordError:  # its inner products are none, which its brief does not know
                stale = stale or changed
                continue
            match = judged(record, key, policy, brief.file)
            if match is not None:
                return match, stale
        return None, stale

    def _loaded(self, brief: Brief) -> Record:
        """A record; the last few stay in memory, for a graph asks for the same ones again and again."""
        known = brief.file, brief.stamp, self._catalogue.beside(brief.file)
        if known not in self._read:
            while len(self._read) >= KEPT:
                del self._read[next(iter(self._read))]
            record = load_record(self.folder / brief.file)
            self._read[known] = self._with_products(record, brief.file)
        return self._read[known]

    def _with_products(self, record: Record, file: str) -> Record:
        if record.gram is not None or not self._catalogue.beside(file):
            return record
        with suppress(RecordError):
            return replace(record, gram=read_gram(sidecar_of(self.folder / file)))
        return record

    def _with_earlier(self, record: Record, file: str) -> str:
        """The text of a record with what the one in its place has for other runs; "" where that
        one cannot be read."""
        try:
            there = self.load(file)
        except StepDistillError:
            return ""
        if record.is_within(there):
            return there.to_json()
        return joined(record, there).to_json()

    def _fingerprint(self, brief: Brief) -> Fingerprint | None:
        """The full fingerprint of a record's model; None where the record cannot be read."""
        with suppress(RecordError):
            return Fingerprint.of_record(load_record(self.folder / brief.file).model)
        return None

    def _stamp(self, name: str) -> tuple[int, int]:
        found = os.stat(self.folder / name)
        return found.st_size, found.st_mtime_ns

    def _name_for(self, record: Record) -> str:
        """The file of the record with the same key, or a new name that nothing has: what is broken
        or foreign is not overwritten."""
        key = Key.of(record)
        match = self.lookup(replace(key, sampler=None), "exact")
        if (
            match is not None
            and match.kind == EXACT
            and match.by_check is None  # that one is of another cfg
            and Key.of(match.record).sampler == key.sampler
        ):
            return match.name
        stem = f"{slug(record.model.name)}--{key.digest()}"
        for number in range(1, 1000):
            name = f"{stem}.json" if number == 1 else f"{stem}-{number}.json"
            # Whatever lies there is asked itself: another writer may have put it there a moment ago.
            if not os.path.lexists(self.folder / name) or self._holds(name, key):
                return name
        raise OutputError(
            f"The store has a thousand files in the way of {stem}.json; look at them with `store verify`."
        )

    def _holds(self, name: str, key: Key) -> bool:
        try:
            return Key.of(load_record(self.folder / name)).digest() == key.digest()
        except RecordError:
            return False

    def _check_room(self, name: str, size: int) -> None:
        found = self._catalogue.scan
        count, whole = len(found.briefs), found.size
        if name in found.briefs:
            return
        if count >= self.most_records or whole + size > self.most_bytes:
            raise OutputError(
                f"The store is full ({count:,} records, {whole:,} bytes); remove some with `store remove`."
            )

    def _sweep(self) -> None:
        """Take away what killed writers left, temporary files and inner products of no record that
        reads them, once it is old enough to be nobody's."""
        with suppress(OSError), os.scandir(self.folder) as entries:
            for entry in entries:
                lone = LEFT.fullmatch(entry.name) and not self._read_beside(entry.path)
                if lone or TEMPORARY.fullmatch(entry.name):
                    remove_stale(entry)

    def _read_beside(self, path: str) -> bool:
        """Whether the record beside a file of inner products may still read them."""
        record = Path(path).with_suffix(".json")
        brief = self._catalogue.scan.briefs.get(record.name)
        return os.path.lexists(record) and (brief is None or brief.version == 1)
