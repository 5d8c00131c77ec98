"""How a plan stands: each job with what is known of it. The table and the report are views of this."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .jobs import Job
from .ledger import Ledger, Progress
from .summary import DONE, ELSEWHERE, FAILED, STOPPED, Summary

WAITING, QUEUED, RUNNING = "waiting", "queued", "running"


@dataclass
class Row:
    """One job, as it is now."""

    job: Job
    state: str = WAITING
    progress: Progress | None = None
    summary: Summary | None = None
    where: str = ""

    @property
    def words(self) -> str:
        """What is to be said of it, in a few words."""
        found = self.summary
        if self.state == RUNNING:
            return _share(self.progress, self.where)
        if found is None or self.state in (WAITING, QUEUED):
            return ""
        if found.state == FAILED:
            return found.error
        if found.state == ELSEWHERE:
            return f"being made by {found.where}" if found.where else "being made by another run"
        if found.state == STOPPED:
            return "stopped; it goes on from there"
        return f"in the store already; {gain(found)}" if found.found else gain(found)


class Account:
    """All jobs of a plan; it is told how they go (local.Watch)."""

    def __init__(self, jobs: Sequence[Job], ledger: Ledger):
        self.rows = {job.id: Row(job) for job in jobs}
        self.began_at, self.ledger = time.monotonic(), ledger

    def began(self, job: Job, where: str) -> None:
        """A job is being worked at, or is the next for a worker."""
        row = self.rows[job.id]
        row.state = QUEUED if where == QUEUED else RUNNING
        row.where = where

    def told(self, job: Job, progress: Progress) -> None:
        """How far it is."""
        self.rows[job.id].progress = progress

    def ended(self, job: Job, summary: Summary) -> None:
        """What became of it."""
        row = self.rows[job.id]
        row.state, row.summary = summary.state, summary

    def tick(self) -> None:
        """Look at what workers elsewhere say of themselves."""
        for row in self.rows.values():
            if row.state in (QUEUED, RUNNING, ELSEWHERE):
                row.progress = self.ledger.progress(row.job) or row.progress
            if row.state == QUEUED and row.progress is not None:
                row.state = RUNNING

    @property
    def counts(self) -> Counter[str]:
        """How many jobs are in each state."""
        return Counter(row.state for row in self.rows.values())

    @property
    def summaries(self) -> Mapping[str, Summary]:
        """Those that there are, by jobs' ids."""
        return {name: row.summary for name, row in self.rows.items() if row.summary is not None}

    @property
    def seconds(self) -> float:
        """Since the plan was begun."""
        return time.monotonic() - self.began_at

    def sentence(self) -> str:
        """All of it in a line."""
        counts, made = self.counts, [each for each in self.summaries.values() if each.state == DONE]
        found = sum(each.found for each in made)
        calls = sum(each.calls for each in self.summaries.values())
        parts = [f"{len(made)} of {len(self.rows)} jobs done"]
        parts += [f"{found} of them were in the store"] if found else []
        others = (FAILED, STOPPED, RUNNING, QUEUED, WAITING)
        parts += [f"{counts[state]} {state}" for state in others if counts[state]]
        parts += [f"{counts[ELSEWHERE]} made by another run"] if counts[ELSEWHERE] else []
        return f"{', '.join(parts)}; {calls:,} model calls, {_time(self.seconds)}"


def gain(summary: Summary) -> str:
    """What the recipes gain, by their step counts."""
    if not summary.ratios:
        return "not measured"
    shares = ", ".join(f"{steps}: {ratio:.2f}" for steps, ratio in summary.ratios.items())
    return f"error over best stock at {shares}"


def _share(progress: Progress | None, where: str) -> str:
    if progress is None or not progress.planned:
        return progress.phase if progress and progress.phase else where
    return f"{100 * progress.done // progress.planned} %, {progress.phase}"


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
