"""A plan in this process: one job after the other."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from .attempt import Work, attempt, unreachable
from .jobs import Job
from .ledger import Ledger, Progress
from .summary import ELSEWHERE, STOPPED, Summary
from .work import distilled_here

POLL = 2.0  # seconds between two looks at what another run is at


class Watch(Protocol):
    """Who is told how a plan goes."""

    def began(self, job: Job, where: str) -> None:
        """A job is being worked at."""

    def told(self, job: Job, progress: Progress) -> None:
        """How far it is."""

    def ended(self, job: Job, summary: Summary) -> None:
        """What became of it."""

    def tick(self) -> None:
        """Time has passed."""


def run_here(
    jobs: Sequence[Job],
    ledger: Ledger,
    run: str,
    watch: Watch,
    should_stop: Callable[[], bool],
    work: Work = distilled_here,
    poll: float = POLL,
) -> dict[str, Summary]:
    """The summaries of all jobs by their ids; what another run is at is waited for."""
    found: dict[str, Summary] = {}
    todo, away = deque(jobs), 0
    while todo and not should_stop():
        job = todo.popleft()
        watch.began(job, "")
        try:
            summary = attempt(job, ledger, run, work, partial(watch.told, job), should_stop)
        except OSError as problem:
            summary = unreachable(job, problem)
        found[job.id] = summary
        watch.ended(job, summary)
        if summary.state == STOPPED:
            break
        away = away + 1 if summary.state == ELSEWHERE else 0
        if summary.state == ELSEWHERE:
            todo.append(job)
        if away and away >= len(todo):  # nothing else is left to do
            wait(poll, watch, should_stop)
            away = 0
    return found


def wait(seconds: float, watch: Watch, should_stop: Callable[[], bool]) -> None:
    """Let time pass, with an eye on a stop."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not should_stop():
        watch.tick()
        time.sleep(min(0.2, seconds))
