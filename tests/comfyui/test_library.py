"""A plan on two real servers: shared, one of them killed in the middle, and asked again."""

from __future__ import annotations

import json
import os
import threading
import time

import pytest

from scheduler.library.comfyui_server import Server as Worker
from scheduler.library.jobs import jobs_of
from scheduler.library.ledger import Ledger
from scheduler.library.on_comfyui import run_on_comfyui
from scheduler.library.plan import parse_plan
from scheduler.library.summary import DONE, FAILED
from scheduler.store import Store
from tests.comfyui.conftest import VARIABLE, emptied
from tests.comfyui.graphs import scene
from tests.comfyui.server import Server
from tests.library.made import Silent

PLAN = """
steps = 4
guidances = [1, 2, 3, 5]
[[models]]
workflow = "graph.json"
name = "Night"
"""


@pytest.fixture(scope="module")
def second():
    """Another server, with a store of its own."""
    with Server(os.environ[VARIABLE]) as started:
        yield started


@pytest.fixture
def found(tmp_path, server):
    """The jobs of a plan whose graph has a Distill Schedule in the middle of others."""
    emptied(server)
    s = scene("flow", rows=1)
    made = s.distill(s.recorded("library", seconds=0.02))
    s.add("TestSave", name="library-report", text=made[2], images=made[1])
    (tmp_path / "graph.json").write_text(json.dumps(s.graph.prompt), "utf-8")
    return jobs_of(parse_plan(PLAN.encode(), tmp_path / "plan.toml"), remote=True)


def run(found, ledger, *addresses):
    workers = [Worker(address) for address in addresses]
    return run_on_comfyui(found, ledger, "run", Silent(), bool, workers)


def test_two_servers_share_a_plan_and_its_records_come_back(found, server, second, tmp_path):
    ledger = Ledger(tmp_path / "store")
    addresses = (server.client.address, second.client.address)
    result = run(found, ledger, *addresses)
    assert {each.state for each in result.values()} == {DONE}, result
    assert {each.where for each in result.values()} == set(addresses)
    for job in found:
        record = ledger.store.load(result[job.id].record)
        assert record.conditions.cfg == job.cfg and record.model.name == "Night"
        there = Store((server if result[job.id].where == addresses[0] else second).store)
        assert there.load(result[job.id].record).recipes == record.recipes
    assert not (server.output / "library-report.txt").exists()  # nothing else of the graph ran
    again = run(found, ledger, *addresses)
    assert all(each.found for each in again.values())


def test_a_server_that_is_killed_hands_its_jobs_to_the_other(found, server, tmp_path):
    ledger = Ledger(tmp_path / "store")
    with Server(os.environ[VARIABLE]) as dying:

        def kill() -> None:
            while not dying.client.get("/queue")["queue_running"]:
                time.sleep(0.05)
            time.sleep(0.5)  # in the middle of it
            dying.process.kill()

        threading.Thread(target=kill).start()
        result = run(found, ledger, server.client.address, dying.client.address)
    assert {each.state for each in result.values()} == {DONE}, result
    assert {each.where for each in result.values()} == {server.client.address}
    assert len(ledger.store.records()) == len(found)


def test_what_a_server_refuses_is_the_jobs_sentence(server, tmp_path):
    plan = '[[models]]\ncomfyui = "none.safetensors"\nprompts = "p.txt"\nsizes = "64x64"\n'
    (tmp_path / "p.txt").write_text("a fox\n", "utf-8")
    (job,) = jobs_of(parse_plan(f"{plan}guidances = 3".encode(), tmp_path / "plan.toml"), True)
    result = run([job], Ledger(tmp_path / "store"), server.client.address)[job.id]
    assert result.state == FAILED and "none.safetensors" in result.error
