"""What a store's folder keeps of the jobs that were worked at there: results, claims, how far each is,
and the parts that a stopped job goes on from. All machines read and write it."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import PlanError, UnknownNameError
from ..files import PathLike, make_folder, read_bytes, write_text
from ..store import Store
from .claims import EXPIRY, Claim
from .jobs import Job
from .summary import DONE, Summary

FOLDER = ".library"  # inside the store; names that begin with a dot are no records
MOST_BYTES = 100_000


@dataclass(frozen=True)
class Progress:
    """How far a job is, as its worker last said."""

    done: int
    planned: int
    phase: str


class Ledger:
    """The account of a store. Raises OutputError where its folder cannot be written to."""

    def __init__(self, store: PathLike, expiry: float = EXPIRY):
        self.store = Store(store)
        self.folder = make_folder(Path(store) / FOLDER)
        self.expiry = expiry

    def done(self, job: Job) -> Summary | None:
        """The result of a job that was done, and whose record the store still has."""
        try:
            data = read_bytes(self._path(job, "json"), MOST_BYTES, PlanError)
            found = Summary.from_json(data.decode("utf-8", "replace"))
            self.store.path(found.record)
        except (PlanError, UnknownNameError):
            return None
        return found if found.state == DONE and found.id == job.id else None

    def keep(self, job: Job, summary: Summary) -> None:
        """Keep a result; raises OutputError."""
        write_text(self._path(job, "json"), summary.to_json())

    def claim(self, job: Job, run: str) -> Claim:
        """A claim of the record that a job writes, not yet taken."""
        return Claim(self.folder, f"{job.place}.claim", run, job.id, self.expiry)

    def work_folder(self, job: Job) -> Path:
        """Where a job keeps what it goes on from."""
        return self.folder / job.id

    def clear(self, job: Job) -> None:
        """Remove what a finished job has no more use for."""
        shutil.rmtree(self.work_folder(job), ignore_errors=True)
        with suppress(OSError):
            self._path(job, "progress").unlink(missing_ok=True)

    def tell(self, job: Job, told: Progress) -> None:
        """Say how far a job is; nothing hangs on it."""
        with suppress(OSError):
            text = json.dumps([told.done, told.planned, told.phase])
            self._path(job, "progress").write_text(text, encoding="utf-8")

    def progress(self, job: Job) -> Progress | None:
        """How far a job is; None where nobody has said."""
        try:
            done, planned, phase = json.loads(self._path(job, "progress").read_text("utf-8"))
            return Progress(int(done), int(planned), str(phase)[:40])
        except (OSError, ValueError, TypeError):
            return None

    def _path(self, job: Job, ending: str) -> Path:
        return self.folder / f"{job.id}.{ending}"
