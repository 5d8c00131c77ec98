"""What lies in a store's folder, known without reading it again: the last scan, and the index made
of it, which are made anew when the folder has changed."""

from __future__ import annotations

import os
import time
from pathlib import Path

from .index import Index
from .scan import NOTHING, Brief, Scan, save_briefs, saved_briefs, scan
from .sidecar import sidecar_of

# nanoseconds: the coarsest clock of a file system; what changed more recently may change again
# unseen
SETTLED = 2_500_000_000


class Catalogue:
    """The briefs of a folder's records, by the folder's own time: writers rename files there, which
    that time shows."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._scan = NOTHING
        self._index = Index((), ())
        self._changed = self._looked = -1
        self._unsaved = 0

    def forget(self) -> None:
        """Look into the folder the next time, whatever its time says."""
        self._changed = -1

    @property
    def scan(self) -> Scan:
        """The folder as it is now."""
        self.index()
        return self._scan

    def index(self) -> Index:
        """The index of the folder as it is now."""
        changed = self._folder_time()
        if changed == self._changed and self._looked - changed > SETTLED:
            return self._index
        self._looked = time.time_ns()
        known = saved_briefs(self.folder) if self._scan is NOTHING else self._scan.briefs
        found = scan(self.folder, known)
        if found.briefs != self._scan.briefs or found.sidecars != self._scan.sidecars:
            self._index = Index(found.briefs.values(), found.sidecars)
        self._save(known, found.briefs)
        self._scan = found
        self._changed = changed
        return self._index

    def brief(self, file: str) -> Brief | None:
        """The brief of a record by its file, as of the last look."""
        return self._scan.briefs.get(file)

    def beside(self, file: str) -> bool:
        """Whether inner products stand beside a record, of version 1, in a file of their own; as of
        the last look."""
        return sidecar_of(file).name in self._scan.sidecars

    def _save(self, known: dict[str, Brief], briefs: dict[str, Brief]) -> None:
        """Keep the briefs for other processes, at once in a small store and from time to time in a
        large one."""
        self._unsaved += len(known.keys() ^ briefs.keys())
        self._unsaved += sum(brief is not known.get(name, brief) for name, brief in briefs.items())
        if self._unsaved > len(briefs) // 100:
            save_briefs(self.folder, briefs)
            self._unsaved = 0

    def _folder_time(self) -> int:
        try:
            return os.stat(self.folder).st_mtime_ns
        except OSError:
            return 0
