"""One real ComfyUI server for all tests of this folder. COMFYUI_PATH names the checkout;
tests/conftest.py skips them without it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import pytest

from scheduler.record import Record
from scheduler.store import Store
from tests.comfyui.client import Result
from tests.comfyui.graphs import scene
from tests.comfyui.server import Server, version

VARIABLE = "COMFYUI_PATH"


def pytest_configure(config):
    config.addinivalue_line(
        "markers",
        "since(version): only for a ComfyUI of this version or newer; deselected on others",
    )
    config.addinivalue_line(
        "markers",
        "before(version): only for a ComfyUI older than this version; deselected on others",
    )


def pytest_collection_modifyitems(config, items):
    """Deselect what does not apply to the version at hand."""
    if not os.environ.get(VARIABLE):
        return
    here = version(os.environ[VARIABLE])
    out = [item for item in items if not _applies(item, here)]
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]


def _applies(item, here: tuple[int, ...]) -> bool:
    since, before = (item.get_closest_marker(name) for name in ("since", "before"))
    numbers = [
        tuple(map(int, marker.args[0].split("."))) if marker else None for marker in (since, before)
    ]
    return (numbers[0] is None or here >= numbers[0]) and (numbers[1] is None or here < numbers[1])


@pytest.fixture(scope="session")
def server():
    """The server that the tests share, in a temporary folder with an empty store."""
    with Server(os.environ[VARIABLE]) as started:
        yield started


@pytest.fixture
def client(server):
    """The shared server's client."""
    return server.client


@pytest.fixture(scope="module", autouse=True)
def own_store(server):
    """Every module begins and ends with an empty store: several records of one model would stand in
    each other's way."""
    emptied(server)
    yield
    emptied(server)


def emptied(server: Server) -> None:
    """Take every record out of the server's store."""
    store = Store(server.store)
    for brief in store.records():
        store.remove(brief.file)


@dataclass(frozen=True)
class Distilled:
    """A run of Distill Schedule: the record as the store has it, its name there, the report, what
    the run took."""

    name: str
    record: Record
    report: str
    result: Result
    seconds: float


@pytest.fixture(scope="session")
def distilled_flow(server) -> Distilled:
    return distilled(server, "flow", sampler_name="all", max_steps=6)


@pytest.fixture(scope="session")
def distilled_eps(server) -> Distilled:
    return distilled(server, "eps")


@pytest.fixture
def flow(server, distilled_flow) -> Distilled:
    """Recipes of 4 to 6 steps, made quickly, for all samplers of the flow checkpoint, in the store."""
    return _in_store(server, distilled_flow)


@pytest.fixture
def eps(server, distilled_eps) -> Distilled:
    """Recipes of 4 and 5 steps for the distilled sampler of the eps checkpoint, in the store."""
    return _in_store(server, distilled_eps)


def _in_store(server: Server, made: Distilled) -> Distilled:
    store = Store(server.store)
    if f"{made.name}.json" not in {brief.file for brief in store.records()}:
        assert store.put(made.record) == f"{made.name}.json"
    return made


def distilled(server: Server, kind: str, **settings) -> Distilled:
    """Distil through a graph."""
    s, store = scene(kind), Store(server.store)
    made = s.distill(s.recorded(f"distilling-{kind}"), **settings)
    s.add("TestSave", name=f"report-{kind}", text=made[2], images=made[1])
    began, before = time.monotonic(), {brief.file for brief in store.records()}
    result = server.client.run(s.graph)
    (name,) = {brief.file for brief in store.records()} - before
    report = (server.output / f"report-{kind}.txt").read_text(encoding="utf-8")
    name = name.removesuffix(".json")
    return Distilled(name, store.load(name), report, result, time.monotonic() - began)
