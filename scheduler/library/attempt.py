"""One attempt at one job, wherever it runs: claimed, looked up, worked at, kept; what goes wrong becomes its
summary's sentence."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from ..errors import OutputError, StepDistillError, Stopped
from ..record import Record
from .claims import BEAT, held
from .jobs import Job
from .ledger import Ledger, Progress
from .summary import ELSEWHERE, STOPPED, Summary, done, failed

NO_MEMORY = "there is not enough memory for this job; ask for a smaller size, or offload."


@dataclass(frozen=True)
class Made:
    """What work gives: a record, its file's name in the store, and whether it was there before."""

    record: Record
    name: str
    found: bool = False


class Watched:
    """How far an attempt is, and whether it is to end: work's view of who watches it."""

    def __init__(self, told: Callable[[Progress], None], should_stop: Callable[[], bool]):
        self.last = Progress(0, 0, "")
        self.lost: Callable[[], bool] = bool
        self._told, self._should_stop = told, should_stop

    def progress(self, done: int, planned: int, phase: str) -> None:
        """Follows every model call."""
        self.last = Progress(done, planned, phase)
        self._told(self.last)

    def should_stop(self) -> bool:
        """Whether to stop between two model calls."""
        return self.lost() or self._should_stop()


Work = Callable[[Job, Ledger, Watched], Made]


def attempt(
    job: Job,
    ledger: Ledger,
    run: str,
    work: Work,
    told: Callable[[Progress], None] = lambda progress: None,
    should_stop: Callable[[], bool] = bool,
    where: str = "",
) -> Summary:
    """Do a job unless it is done, or another run is at it.

    run: names all attempts of one start of the program: one of them takes over at once what an earlier one of
    the same job was killed at. Raises OSError alone, of a folder that is away: it may be tried again.
    """
    where = where or f"{socket.gethostname()} ({os.getpid()})"
    earlier = ledger.done(job)
    if earlier is not None:
        return replace(earlier, found=True, calls=0, seconds=0.0)
    claim = ledger.claim(job, run)
    if not claim.take():
        return Summary(job.id, ELSEWHERE, where=claim.holder())
    watched = Watched(told, should_stop)
    with held(claim, lambda: ledger.tell(job, watched.last), BEAT) as lost:
        watched.lost = lost
        earlier = ledger.done(job)  # by the one who held the claim a moment ago
        if earlier is not None:
            return replace(earlier, found=True, calls=0, seconds=0.0)
        return replace(_worked(job, ledger, work, watched), where=where)


def _worked(job: Job, ledger: Ledger, work: Work, watched: Watched) -> Summary:
    began = time.monotonic()

    def spent() -> tuple[int, float]:
        return watched.last.done, time.monotonic() - began

    try:
        made = work(job, ledger, watched)
        summary = done(job, made.record, made.name, *spent(), made.found)
        ledger.keep(job, summary)
    except Stopped:
        state = ELSEWHERE if watched.lost() else STOPPED
        return Summary(job.id, state, calls=watched.last.done)
    except StepDistillError as problem:
        return failed(job, str(problem), *spent())
    except MemoryError:
        return failed(job, NO_MEMORY, *spent())
    except OSError as problem:
        raise problem from None
    except Exception as problem:  # of a library beneath: the other jobs go on
        told = f"{type(problem).__name__}: {problem}".rstrip(".")
        return failed(job, f"the model could not be worked on ({told}).", *spent())
    ledger.clear(job)
    return summary


def unreachable(job: Job, problem: OSError) -> Summary:
    """The summary of a job whose folder or file was away."""
    return failed(job, str(OutputError(f"{_reason(problem)}; look at the disk, and start again.")))


def _reason(problem: OSError) -> str:
    named = f"{problem.filename}: " if problem.filename else ""
    return f"{named}{(problem.strerror or str(problem) or type(problem).__name__).lower()}"
