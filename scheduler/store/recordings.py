"""Recordings on disk: a folder inside the store's, one file each, bounded, the oldest first out.

They are latents of the artist's own pictures and stay where they are: no record, sidecar, export or
workflow holds one. Files are written whole or not at all and nothing is locked, as for records. What
has a name of ours is counted, makes room and is cleared, readable or not; what has another is named
and left alone.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import OutputError, RecordingError
from ..files import make_folder, write_bytes
from ..lookup.key import Key
from ..lookup.match import same_key
from .housekeeping import TEMPORARY, remove_stale, slug, unlink
from .recording_file import KeptRecording, brief_of, decoded, encoded
from .scan import RECORDINGS as FOLDER

if TYPE_CHECKING:
    from ..recordings import Recording

__all__ = ["FOLDER", "MOST_A_KEY", "RecordingShelf"]

MOST_A_KEY = 8
# The model, nanoseconds since 1970, which order the files, and what keeps two writers apart.
NAME = re.compile(r"[a-z0-9-]+--([0-9]{20})-[0-9a-f]{6}\.safetensors")


class RecordingShelf:
    """The recordings in a folder, which need not exist; most_bytes of all, most_a_key of one key."""

    def __init__(self, folder: Path, most_bytes: int, most_a_key: int):
        self.folder = folder
        self.most_bytes, self.most_a_key = most_bytes, most_a_key

    def keep(self, key: Key, recording: Recording, title: str | None) -> str:
        """Write a recording, then let the oldest go; as `Store.keep_recording`."""
        from ..recordings import usable

        if key.fingerprint is None:
            raise RecordingError(
                "The weights of this run are not known, so its recording would never be found again; "
                "give the key their fingerprint."
            )
        usable(recording, key.sigma_min, key.sigma_max, key.latent_shape, key.process)
        self._check_size(sum(vector.nbytes for vector in recording.vectors))
        data = encoded(key, recording, title)
        self._check_size(len(data))
        make_folder(self.folder)
        self._sweep()
        # Never below another's, or a clock that was set back would make the newest the oldest.
        stamp = max([time.time_ns(), *(found + 1 for found, _, _ in self._ours())])
        name = f"{slug(title)}--{stamp:020d}-{secrets.token_hex(3)}.safetensors"
        write_bytes(self.folder / name, data)
        self._make_room(name, key)
        return name

    def load(self, key: Key, prompt: str | None = None) -> list[Recording]:
        """Those of a key (and a prompt), the newest first; what cannot be read is left out."""
        found = []
        for brief in self._of(key):
            if prompt is not None and brief.prompt != prompt:
                continue
            with suppress(RecordingError):
                found.append(decoded(self.folder / brief.file, brief.bytes))
        return found

    def kept(self) -> list[KeptRecording]:
        """All in brief, the newest first; what cannot be read is left out."""
        found = []
        for _, name, size in self._ours():
            with suppress(RecordingError):
                found.append(brief_of(self.folder / name, size))
        return found

    def problems(self) -> list[tuple[str, str]]:
        """(name, reason) of what lies in the folder and is no recording."""
        found = []
        for entry, about in self._files():
            if TEMPORARY.fullmatch(entry.name):
                continue
            if not NAME.fullmatch(entry.name) or not stat.S_ISREG(about.st_mode):
                found.append((entry.name, "not a recording"))
                continue
            try:
                brief_of(Path(entry.path), about.st_size)
            except RecordingError as problem:
                if os.path.lexists(entry.path):  # not removed meanwhile
                    found.append((entry.name, str(problem)))
        return found

    def clear(self, key: Key | None) -> int:
        """Remove those of a key, or all; how many. What cannot be removed is said after the rest."""
        if key is None:
            self._sweep()
        names = [name for _, name, _ in self._ours()] if key is None else self._names_of(key)
        problems: list[OutputError] = []
        for name in names:
            try:
                unlink(self.folder / name)
            except OutputError as problem:
                problems.append(problem)
        if problems:
            raise problems[0]
        return len(names)

    def _check_size(self, size: int) -> None:
        if size > self.most_bytes:
            raise OutputError(
                f"This recording has {size:,} bytes, and {self.most_bytes:,} are kept of all recordings; "
                "allow more of them, or record a smaller picture."
            )

    def _make_room(self, newest: str, key: Key) -> None:
        """Let the oldest go, of the key and of all, but never what was just written."""
        going = self._names_of(key)[self.most_a_key :]
        ours = [(name, size) for _, name, size in self._ours()]
        whole = sum(size for name, size in ours if name not in going)
        for name, size in reversed(ours):
            if whole <= self.most_bytes:
                break
            if name not in going and name != newest:
                going.append(name)
                whole -= size
        for name in going:
            # A reader may hold it (Windows): then the next writer lets it go.
            with suppress(OutputError):
                unlink(self.folder / name)

    def _of(self, key: Key) -> list[KeptRecording]:
        return [brief for brief in self.kept() if same_key(key, brief.key)]

    def _names_of(self, key: Key) -> list[str]:
        return [brief.file for brief in self._of(key)]

    def _ours(self) -> list[tuple[int, str, int]]:
        """(time stamp, name, bytes) of the files with a name of ours, the newest first."""
        found = []
        for entry, about in self._files():
            named = NAME.fullmatch(entry.name)
            if named and stat.S_ISREG(about.st_mode):
                found.append((int(named[1]), entry.name, about.st_size))
        return sorted(found, reverse=True)

    def _sweep(self) -> None:
        """Take away what killed writers left: latents, too."""
        for entry, _ in self._files():
            if TEMPORARY.fullmatch(entry.name):
                remove_stale(entry)

    def _files(self) -> Iterator[tuple[os.DirEntry, os.stat_result]]:
        with suppress(OSError), os.scandir(self.folder) as entries:
            for entry in entries:
                with suppress(OSError):  # removed meanwhile
                    yield entry, entry.stat(follow_symlinks=False)
