"""Plans, jobs and work for the tests of scheduler/library."""

from __future__ import annotations

from pathlib import Path

from scheduler.library.attempt import Made
from scheduler.library.jobs import Job, jobs_of
from scheduler.library.plan import parse_plan
from tests.weights import record_of, weights

OWN = weights()
PLAN = """
steps = [4, 6]
[[models]]
checkpoint = "flow"
guidances = [1.0, 3.0]
[[models]]
checkpoint = "eps"
guidances = 2
"""


def jobs(text: str = PLAN, folder: Path = Path(), remote: bool = False) -> list[Job]:
    """The jobs of a plan's text."""
    return jobs_of(parse_plan(text.encode(), folder / "plan.toml"), remote)


class Silent:
    """A watch that remembers what it was told."""

    def __init__(self):
        self.events = []

    def began(self, job, where):
        self.events.append(("began", job.id))

    def told(self, job, progress):
        self.events.append(("told", job.id))

    def ended(self, job, summary):
        self.events.append((summary.state, job.id))

    def tick(self):
        pass


class Work:
    """Work that makes a small record of each job, and counts."""

    def __init__(self, trouble=None):
        self.done, self.trouble = [], trouble or {}

    def __call__(self, job, ledger, watched):
        watched.progress(1, 2, "teacher")
        self.done.append(job.id)
        if job.id in self.trouble:
            raise self.trouble[job.id]
        record = record_of(OWN, name=job.title, cfg=job.cfg, samplers=("distilled",))
        return Made(record, ledger.store.put(record))
