"""A library of recipes on several workers: wall time and speed-up, workers killed in the middle, and the
same plan started twice at once.

    python -m benchmarks.library                       40 distillations on 1, 2 and 4 workers (needs Ray)
    python -m benchmarks.library --workers 1 2 8 --steps 4-8 --kills 10

The models are the two bundled checkpoints and two of the same layouts with other weights, at ten guidances
each. Every line is a store of its own; its records are counted, and looked at for what should be in them.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from scheduler.errors import PlanError
from scheduler.library.attempt import Made, Watched, Work
from scheduler.library.jobs import Job, jobs_of
from scheduler.library.ledger import Ledger
from scheduler.library.local import run_here
from scheduler.library.on_ray import Resources, run_on_ray
from scheduler.library.plan import parse_plan
from scheduler.library.summary import DONE, Summary
from scheduler.library.work import distilled_here

GUIDANCES = (1, 1.5, 2, 3, 4, 5, 6, 7, 9, 12)  # a bucket of the store's key each
NOISE = 0.02  # of a weight's size, that the other two models' weights have on top
ANSWERS = 5  # that a worker must have to lose before it is killed
ENOUGH = 40


@dataclass(frozen=True)
class Outcome:
    """One line of the table."""

    name: str
    seconds: float
    results: list[dict[str, Summary]]
    killed: int = 0


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--steps", default="6", help="step counts of each job (default 6)")
    parser.add_argument("--kills", type=int, default=6, help="workers killed in one of the runs")
    parser.add_argument(
        "--wait",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="let each model call take so long beside its own work, as one on a device would: the "
        "speed-up then says what handing out jobs costs, whatever else this computer's cores do",
    )
    parser.add_argument(
        "--jobs", type=int, default=ENOUGH, help="how many distillations (at most 40)"
    )
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="stepdistill-library-") as name:
        folder = Path(name)
        jobs = planned(folder, options.steps)[: options.jobs]
        print(f"{len(jobs)} distillations of {options.steps} steps, {os.cpu_count()} cores here\n")
        print(f"{'run':<34}{'seconds':>9}{'speed-up':>10}{'calls':>8}{'killed':>8}  lost  twice")
        first = None
        work = partial(waiting, options.wait) if options.wait else distilled_here
        for outcome in outcomes(folder, jobs, options.workers, options.kills, work):
            first = first or outcome.seconds
            print(told(outcome, jobs, folder / outcome.name, first), flush=True)


def outcomes(
    folder: Path, jobs: list[Job], workers: list[int], kills: int, work: Work
) -> Iterator[Outcome]:
    """Every run, one after the other; the last two only where workers are to be killed."""
    yield alone(folder, jobs, work)
    for count in workers:
        yield on_ray(folder, jobs, f"Ray, {count} workers", count, work)
    if kills:
        most = max(workers[:2])
        yield on_ray(folder, jobs, f"Ray, {most} workers, killed", most, work, kills=kills)
        yield on_ray(folder, jobs, f"Ray, {most} workers, plan twice", most, work, starts=2)


def waiting(seconds: float, job: Job, ledger: Ledger, watched: Watched) -> Made:
    """A job whose model calls take longer than their own work."""
    tell, before = watched.progress, [0]

    def progress(done: int, planned: int, phase: str) -> None:
        time.sleep(seconds * max(done - before[0], 0))
        before[0] = done
        tell(done, planned, phase)

    watched.progress = progress  # type: ignore[method-assign]
    return distilled_here(job, ledger, watched)


def planned(folder: Path, steps: str) -> list[Job]:
    """The jobs, with the two models that are made for them."""
    models = ["flow", "eps", *(str(noisy(name, folder)) for name in ("flow", "eps"))]
    tables = "".join(f'[[models]]\ncheckpoint = "{name}"\n' for name in models)
    text = f'steps = "{steps}"\nguidances = {list(GUIDANCES)}\n{tables}'
    return jobs_of(parse_plan(text.encode(), folder / "plan.toml"))


def noisy(name: str, folder: Path) -> Path:
    """A checkpoint of a bundled one's layout with weights of its own."""
    import torch
    from safetensors import safe_open
    from safetensors.torch import save_file

    from scheduler.checkpoints.load import BUNDLED

    torch.manual_seed(0)
    with safe_open(BUNDLED[name], "pt") as file:
        about = file.metadata()
        tensors = {key: file.get_tensor(key) for key in file.keys()}
    changed = {
        key: each + NOISE * each.std() * torch.randn_like(each)
        for key, each in tensors.items()
        if each.numel() > 1
    }
    path = folder / f"noisy-{name}.safetensors"
    save_file(tensors | changed, path, about)
    return path


def alone(folder: Path, jobs: list[Job], work: Work) -> Outcome:
    """In this process."""
    began = time.monotonic()
    result = run_here(jobs, Ledger(folder / "one process"), "run", Silent(), bool, work)
    return Outcome("one process", time.monotonic() - began, [result])


def on_ray(
    folder: Path,
    jobs: list[Job],
    name: str,
    workers: int,
    work: Work,
    kills: int = 0,
    starts: int = 1,
) -> Outcome:
    """On a cluster of its own; the time counts from when it stands."""
    results: list[dict[str, Summary]] = []
    ledger = Ledger(folder / name)
    with cluster(workers), killer(ledger.folder, kills) as killed:
        began = time.monotonic()

        def start(k: int) -> None:
            about = (jobs, ledger, f"run {k}", Silent(), bool, Resources(retries=2 * kills + 1))
            results.append(run_on_ray(*about, work=work))

        threads = [threading.Thread(target=start, args=(k,)) for k in range(starts)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return Outcome(name, time.monotonic() - began, results, len(killed))


@contextmanager
def cluster(workers: int) -> Iterator[None]:
    """Ray on this machine with so many workers, whatever cores it has."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ModuleNotFoundError as missing:
        raise PlanError("This benchmark needs Ray; run: pip install ray") from missing
    ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def killer(folder: Path, most: int) -> Iterator[list[int]]:
    """Kills workers in the middle of a job, one after the other, while the block runs."""
    killed: list[int] = []
    over = threading.Event()

    def kill() -> None:
        while len(killed) < most and not over.wait(0.2):
            found = victim(folder, killed)
            if found is not None:
                os.kill(found, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
                killed.append(found)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


def victim(folder: Path, killed: list[int]) -> int | None:
    """A worker that holds a claim and has answers to lose."""
    for path in folder.glob("*.claim.*"):
        try:
            told_there = json.loads(path.read_text("utf-8"))
            answers = list((folder / told_there["task"]).glob("answer-*"))
        except (OSError, ValueError):
            continue
        if told_there["pid"] not in killed and len(answers) > ANSWERS:
            return told_there["pid"]
    return None


def told(outcome: Outcome, jobs: list[Job], store: Path, first: float) -> str:
    """A line: what it took, and what is wrong in the store afterwards."""
    made = [
        each
        for result in outcome.results
        for each in result.values()
        if each.state == DONE and not each.found
    ]
    ledger = Ledger(store)
    whole = [job for job in jobs if complete(ledger, job)]
    calls = sum(each.calls for each in made)
    lost, twice = len(jobs) - len(whole), len(made) - len({each.id for each in made})
    doubled = len(ledger.store.records()) - len(jobs)
    numbers = (
        f"{outcome.seconds:>9.1f}{first / outcome.seconds:>10.2f}{calls:>8}{outcome.killed:>8}"
    )
    return f"{outcome.name:<34}{numbers}{lost:>6}{twice + max(doubled, 0):>7}"


def complete(ledger: Ledger, job: Job) -> bool:
    """Whether the store has all that a job was to make."""
    summary = ledger.done(job)
    if summary is None:
        return False
    record = ledger.store.load(summary.record)
    return {each.steps for each in record.recipes} >= set(job.model.steps)


class Silent:
    """A watch that says nothing."""

    def began(self, job: Job, where: str) -> None: ...

    def told(self, job: Job, progress) -> None: ...

    def ended(self, job: Job, summary: Summary) -> None: ...

    def tick(self) -> None: ...


if __name__ == "__main__":
    main()
