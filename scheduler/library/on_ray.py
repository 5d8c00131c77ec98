"""A plan on Ray's workers: one task a job, its device, cores and retries declared to Ray.

A worker that dies is Ray's to replace; the new one takes the claim over and goes on from the job's own parts.
Workers return small summaries; records go from them into the store's folder, which all machines must see.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any

from ..errors import PlanError, StepDistillError, Stopped
from .account import QUEUED
from .attempt import Work, attempt, unreachable
from .jobs import Job
from .ledger import Ledger
from .local import POLL, Watch
from .summary import ELSEWHERE, STOPPED, Summary, failed
from .work import distilled_here

NO_RAY = "Ray is not installed in this Python; run: pip install ray (or leave --ray out)"
AHEAD = 2  # tasks in Ray's queue for each that can run
LOOK = 0.5  # seconds between two looks at the table


@dataclass(frozen=True)
class Resources:
    """What one job takes of a worker: GPUs (parts of one too) and cores. retries: how often Ray starts a job
    again whose worker died, or whose folder was away."""

    gpus: float = 0.0
    cpus: int = 1
    retries: int = 5


def run_on_ray(
    jobs: Sequence[Job],
    ledger: Ledger,
    run: str,
    watch: Watch,
    should_stop: Callable[[], bool],
    resources: Resources,
    address: str | None = None,
    poll: float = POLL,
    work: Work = distilled_here,
) -> dict[str, Summary]:
    """The summaries of all jobs by their ids.

    address: of a running cluster ("auto": the one on this machine); None: RAY_ADDRESS, or a cluster that
    is started here and ends with this program. Raises PlanError without Ray, without such a cluster, or where
    no worker has what a job takes.
    """
    ray = _ray()
    # Ray tells of workers that died on stdout, which holds results alone.
    with redirect_stdout(sys.stderr):
        mine = _joined(ray, address)
        try:
            return _Run(ray, jobs, ledger, run, watch, should_stop, resources, poll, work).whole()
        finally:
            if mine:
                ray.shutdown()


class _Run:
    """One plan on one cluster."""

    def __init__(
        self,
        ray: Any,
        jobs: Sequence[Job],
        ledger: Ledger,
        run: str,
        watch: Watch,
        should_stop: Callable[[], bool],
        resources: Resources,
        poll: float,
        work: Work,
    ):
        self.work = work
        self.ray, self.ledger, self.run, self.watch = ray, ledger, run, watch
        self.should_stop, self.poll = should_stop, poll
        self.todo = deque(jobs)
        self.later: deque[tuple[float, Job]] = deque()  # (not before, what another run is at)
        self.flying: dict[Any, Job] = {}
        self.found: dict[str, Summary] = {}
        self.slots = _slots(ray.cluster_resources(), resources)
        self.task = ray.remote(
            num_gpus=resources.gpus,
            num_cpus=resources.cpus,
            max_retries=resources.retries,
            retry_exceptions=[OSError],
        )(worked)

    def whole(self) -> dict[str, Summary]:
        """Until nothing is left, or a stop."""
        while self.todo or self.later or self.flying:
            if self.should_stop():
                self._stop()
                break
            self._send()
            ready = []
            if self.flying:
                ready, _ = self.ray.wait(list(self.flying), timeout=LOOK)
            else:
                time.sleep(LOOK)
            for each in ready:
                self._ended(self.flying.pop(each), each)
            self.watch.tick()
        return self.found

    def _send(self) -> None:
        """Hand out jobs, a few more than can run: those with priority stay in front."""
        now = time.monotonic()
        while self.later and self.later[0][0] <= now:
            self.todo.append(self.later.popleft()[1])
        while self.todo and len(self.flying) < AHEAD * self.slots:
            job = self.todo.popleft()
            self.watch.began(job, QUEUED)
            folder = os.path.abspath(self.ledger.store.folder)
            about = (job, folder, self.run, self.ledger.expiry, self.work)
            self.flying[self.task.remote(*about)] = job

    def _ended(self, job: Job, reference: Any) -> None:
        try:
            summary = self.ray.get(reference)
        except OSError as problem:  # Ray's errors of a task are of the task's own kind too
            summary = unreachable(job, problem)
        except self.ray.exceptions.RayError as problem:
            summary = failed(job, _told(problem))
        self.found[job.id] = summary
        self.watch.ended(job, summary)
        if summary.state == ELSEWHERE:
            self.later.append((time.monotonic() + self.poll, job))

    def _stop(self) -> None:
        """End what runs; each keeps what it has."""
        for each in self.flying:
            self.ray.cancel(each)
        self.ray.wait(list(self.flying), num_returns=len(self.flying), timeout=10)
        for job in self.flying.values():
            self.found[job.id] = Summary(job.id, STOPPED)


def worked(job: Job, store: str, run: str, expiry: float, work: Work) -> Summary:
    """What a worker does; raises OSError where the store's folder is away."""
    try:
        ledger = Ledger(store, expiry)
        return attempt(job, ledger, run, work)
    except (KeyboardInterrupt, Stopped):
        return Summary(job.id, STOPPED)
    except StepDistillError as problem:  # the store's folder
        return failed(job, str(problem))


def _told(problem: Exception) -> str:
    """A sentence for what Ray could not do."""
    lines = [each.strip() for each in str(problem).strip().splitlines()] or [""]
    if (
        getattr(problem, "cause", None) is not None
    ):  # raised on the worker; its traceback ends with it
        return f"its worker cannot do it ({lines[-1].rstrip('.')}); is StepDistill the same there?"
    return f"its worker died, again and again ({lines[0].rstrip('.')})."


def _slots(there: dict[str, float], resources: Resources) -> int:
    """How many jobs the cluster can run at once."""
    rooms = [there.get("CPU", 0.0) / resources.cpus]
    if resources.gpus:
        rooms.append(there.get("GPU", 0.0) / resources.gpus)
    if min(rooms) < 1:
        has = f"{there.get('CPU', 0):g} cores and {there.get('GPU', 0):g} GPUs"
        raise PlanError(
            f"A job is to take {resources.cpus} cores and {resources.gpus:g} GPUs, and Ray's cluster "
            f"has {has}; change gpus, cpus or device in the plan."
        )
    return int(min(rooms))


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ModuleNotFoundError as missing:
        raise PlanError(NO_RAY) from missing
    return ray


def _joined(ray: Any, address: str | None) -> bool:
    """Connect, or start a cluster of one's own; whether it was done here."""
    if ray.is_initialized():
        return False
    try:
        ray.init(
            address=address,
            include_dashboard=None if address else False,
            log_to_driver=False,
            logging_level="ERROR",
        )
    except (ConnectionError, ValueError, RuntimeError) as problem:
        first = " ".join(str(problem).split())[:200].rstrip(".")
        raise PlanError(
            f"Ray could not be reached at {address or 'its usual address'} ({first}); "
            "start it with `ray start --head`, or give --ray without an address."
        ) from None
    return True
