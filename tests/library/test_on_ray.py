"""A plan on a real Ray cluster of this machine: workers killed in the middle, and plans started twice."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="ray is not installed: pip install .[ray]")

import ray

from scheduler.errors import PlanError
from scheduler.library.ledger import Ledger
from scheduler.library.local import run_here
from scheduler.library.on_ray import Resources, run_on_ray
from scheduler.library.summary import DONE, FAILED
from scheduler.record import load_record
from tests.library.made import Silent, jobs

pytestmark = [pytest.mark.slow, pytest.mark.ray, pytest.mark.timeout(600)]
WORKERS = 3
FLOW = '[[models]]\ncheckpoint = "flow"\n'
PLAN = """
steps = 4
guidances = [1, 2, 3]
[[models]]
checkpoint = "flow"
[[models]]
checkpoint = "eps"
"""


@pytest.fixture(scope="module", autouse=True)
def cluster():
    """Three workers of one core each, whatever this machine has."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(num_cpus=WORKERS, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "store")


def run(found, ledger, name="run", **options):
    return run_on_ray(found, ledger, name, Silent(), bool, Resources(**options), poll=0.2)


def test_the_same_as_in_one_process(ledger, tmp_path):
    found = jobs(PLAN)
    alone = Ledger(tmp_path / "alone")
    there = run(found, ledger)
    here = run_here(found, alone, "run", Silent(), bool)
    assert {each.state for each in there.values()} == {DONE}
    for job in found:
        one, other = here[job.id], there[job.id]
        assert (one.record, one.ratios, one.calls) == (other.record, other.ratios, other.calls)
        records = [load_record(each.store.folder / one.record) for each in (ledger, alone)]
        assert records[0].recipes == records[1].recipes
    assert len({each.where for each in there.values()}) > 1  # more than one worker


def test_workers_killed_in_the_middle_lose_nothing_and_do_nothing_twice(ledger, capsys):
    found, over = jobs(PLAN.replace("steps = 4", 'steps = "4-8"')), threading.Event()
    killed: list[int] = []
    thread = threading.Thread(target=kill, args=(ledger.folder, killed, over, 4))
    thread.start()
    try:
        result = run(found, ledger)
    finally:
        over.set()
        thread.join()
    assert len(killed) == 4 and not capsys.readouterr().out
    assert {each.state for each in result.values()} == {DONE}, result
    assert len(ledger.store.records()) == len(found) and not ledger.store.problems()
    assert {name.suffix for name in ledger.folder.iterdir()} == {".json"}  # nothing is left over
    for each in result.values():
        steps = [recipe.steps for recipe in load_record(ledger.store.folder / each.record).recipes]
        assert sorted(steps) == [4, 5, 6, 7, 8]


def kill(folder: Path, killed: list[int], over: threading.Event, most: int) -> None:
    """Kill workers that hold a claim and have answers to lose, one after the other."""
    while len(killed) < most and not over.is_set():
        time.sleep(0.05)
        for path in folder.glob("*.claim.*"):
            try:
                told = json.loads(path.read_text("utf-8"))
                answers = list((folder / told["task"]).glob("answer-*"))
                if told["pid"] not in killed and len(answers) > 5:
                    os.kill(told["pid"], signal.SIGKILL)
                    killed.append(told["pid"])
                    break
            except (OSError, ValueError):
                continue


def test_a_plan_started_twice_at_once_is_done_once(ledger):
    found, results = jobs(PLAN), []
    threads = [
        threading.Thread(target=lambda k=k: results.append(run(found, ledger, f"run {k}")))
        for k in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made = [each for result in results for each in result.values() if not each.found]
    assert all(each.state == DONE for result in results for each in result.values())
    assert sorted(each.id for each in made) == sorted(job.id for job in found)


def test_a_job_that_fails_and_what_no_worker_has_are_sentences(ledger):
    bad, good = jobs('steps = 4\n[[models]]\ncheckpoint = "flow"\nsizes = "64x64"\n' + FLOW)
    result = run([bad, good], ledger)
    assert result[bad.id].state == FAILED and "leave sizes out" in result[bad.id].error
    assert result[good.id].state == DONE
    with pytest.raises(PlanError, match="Ray's cluster has 3 cores"):
        run([good], ledger, cpus=64)


class Elsewhere:
    """Work that a worker cannot even unpack, as where StepDistill is not installed."""

    def __reduce__(self):
        return int, ("no number",)


def test_what_a_worker_cannot_unpack_is_a_sentence(ledger):
    (job,) = jobs(FLOW)
    about = ([job], ledger, "run", Silent(), bool, Resources())
    result = run_on_ray(*about, work=Elsewhere())[job.id]
    assert result.state == FAILED and "cannot do it" in result.error
    assert "no number" in result.error and "\n" not in result.error


def test_a_stop_leaves_the_rest_and_the_next_run_goes_on(ledger):
    found, watch = jobs(PLAN), Silent()

    def stop():
        return any(state == DONE for state, _ in watch.events)

    result = run_on_ray(found, ledger, "run", watch, stop, Resources(), poll=0.2)
    assert any(each.state != DONE for each in result.values()) or len(result) < len(found)
    assert {each.state for each in run(found, ledger, "next").values()} == {DONE}
