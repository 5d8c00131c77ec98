"""A plan on ComfyUI servers, as far as stand-ins can tell; tests/comfyui/test_library.py has real ones."""

from __future__ import annotations

import json
import threading
import time

import pytest

from scheduler.errors import PlanError
from scheduler.library import comfyui_server, on_comfyui
from scheduler.library.comfyui_graph import graph_of
from scheduler.library.comfyui_server import Server
from scheduler.library.ledger import Ledger
from scheduler.library.on_comfyui import run_on_comfyui
from scheduler.library.summary import DONE, FAILED
from tests.library.fake_server import FakeServer
from tests.library.made import Silent, jobs

PLAN = """
sizes = "1024x768"
prompts = ["a fox", "a harbour"]
negative = "blurred"
guidances = [1, 3, 5, 7]
[[models]]
comfyui = "sdxl.safetensors"
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(on_comfyui, "LOOK", 0.01)
    monkeypatch.setattr(comfyui_server, "PATIENCE", 5.0)


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "store")


def run(found, ledger, servers, stop=bool, **options):
    asked = [Server(each.address, 5.0) for each in servers]
    return run_on_comfyui(found, ledger, "run", Silent(), stop, asked, poll=0.02, **options)


def test_servers_share_the_jobs_and_records_come_back(ledger):
    found = jobs(PLAN, remote=True)
    with FakeServer(slow=3) as one, FakeServer(slow=3) as other:
        result = run(found, ledger, [one, other])
        assert {each.state for each in result.values()} == {DONE}
        assert one.graphs and other.graphs and len(one.graphs + other.graphs) == 4
        assert len(ledger.store.records()) == 4
        again = run(found, ledger, [one, other])
        assert all(each.found for each in again.values()) and len(one.graphs + other.graphs) == 4


def test_a_server_that_goes_away_hands_its_job_to_the_others(ledger):
    found = jobs(PLAN, remote=True)
    with FakeServer(slow=10**6) as dying, FakeServer(slow=3) as other:
        threading.Thread(target=mute_when_busy, args=(dying,)).start()
        result = run(found, ledger, [dying, other])
    assert {each.state for each in result.values()} == {DONE} and len(dying.graphs) == 1
    assert len(other.graphs) == 4 and len(ledger.store.records()) == 4


def mute_when_busy(server: FakeServer) -> None:
    while not server.graphs:
        time.sleep(0.01)
    server.mute = True


def test_a_server_that_was_started_again_is_asked_again(ledger):
    (job,) = jobs(PLAN.replace("[1, 3, 5, 7]", "3"), remote=True)
    with FakeServer(slow=20) as server:

        def restart():
            while not server.graphs:
                time.sleep(0.01)
            server.restart()

        threading.Thread(target=restart).start()
        result = run([job], ledger, [server])
    assert result[job.id].state == DONE and len(server.graphs) == 2


def test_what_servers_die_of_is_not_tried_for_ever(ledger, monkeypatch):
    (job,) = jobs(PLAN.replace("[1, 3, 5, 7]", "3"), remote=True)
    with FakeServer() as server:
        monkeypatch.setattr(Server, "outputs", lambda *_: away())
        result = run([job], ledger, [server])
    assert result[job.id].state == FAILED and "went away" in result[job.id].error
    assert len(server.graphs) == on_comfyui.MOST_TRIES


def away():
    raise comfyui_server.Away("it does not answer")


def test_no_server_left_fails_what_is_left_in_a_sentence(ledger):
    found = jobs(PLAN, remote=True)
    with FakeServer(slow=10**6) as server:
        threading.Thread(target=mute_when_busy, args=(server,)).start()
        result = run(found, ledger, [server], all_away=0.3)
    assert {each.state for each in result.values()} == {FAILED}
    assert "no ComfyUI server answers any more" in result[found[-1].id].error


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ({"refuses": "Value not in list: sdxl"}, "Value not in list: sdxl"),
        ({"fails": "There is no such sampler."}, "There is no such sampler."),
        ({"kept": False}, "could not keep the record"),
    ],
)
def test_a_servers_reason_is_the_jobs_sentence(ledger, trouble, said):
    (job,) = jobs(PLAN.replace("[1, 3, 5, 7]", "3"), remote=True)
    with FakeServer(**trouble) as server:
        result = run([job], ledger, [server])[job.id]
    assert result.state == FAILED and said in result.error and server.address in result.error


@pytest.mark.slow
def test_a_stop_takes_what_is_queued_back(ledger):
    found, over = jobs(PLAN, remote=True), []
    with FakeServer(slow=10**6) as server:
        threading.Timer(0.5, lambda: over.append(1)).start()
        run(found, ledger, [server], stop=lambda: bool(over))
        assert server.given_up == list(server.prompts)


def test_no_server_at_all_is_a_mistake(ledger):
    with pytest.raises(PlanError, match=r"No ComfyUI server answers at 127\.0\.0\.1:9"):
        run_on_comfyui([], ledger, "run", Silent(), bool, [Server("127.0.0.1:9", 0.5)])
    for address in ("http://x", "a b", "x:y", ""):
        with pytest.raises(PlanError, match="write host:port"):
            Server(address)
    assert Server("studio-3").address == "studio-3:8188"
    assert Server("[::1]:80").address == "[::1]:80"


# --- graphs ----------------------------------------------------------------------------------------


def test_the_usual_graph():
    graph, nodes = graph_of(jobs(PLAN, remote=True)[1])
    assert nodes == ["distill"]
    inputs = graph["distill"]["inputs"]
    assert inputs["cfg"] == 3 and inputs["max_steps"] == 6 and inputs["quality"] == "instant"
    assert graph["loader"]["inputs"]["ckpt_name"] == "sdxl.safetensors"
    assert graph["latent"]["inputs"] == {"width": 1024, "height": 768, "batch_size": 1}
    texts = {name: graph[inputs[name][0]]["inputs"]["text"] for name in ("positive", "negative")}
    assert texts == {"positive": "a fox", "negative": "blurred"}
    assert graph["extra_positive"]["inputs"]["text"] == "a harbour"


def test_step_counts_that_one_node_does_not_make_get_a_node_each():
    graph, nodes = graph_of(jobs("steps = [2, 3, 8]" + PLAN, remote=True)[0])
    assert [graph[node]["inputs"]["max_steps"] for node in nodes] == [8, 2, 3]


def test_the_users_own_graph_is_cut_down_to_its_distill_schedule(tmp_path):
    own = {
        "1": {"class_type": "UNETLoader", "inputs": {"unet_name": "flux"}},
        "2": {"class_type": "EmptySD3LatentImage", "inputs": {"width": 64, "height": 64}},
        "3": {
            "class_type": "StepDistillDistill",
            "inputs": {"model": ["1", 0], "latent_image": ["2", 0], "cfg": 1.0, "max_steps": 8},
        },
        "4": {"class_type": "SaveImage", "inputs": {"images": ["3", 1]}},
    }
    (tmp_path / "flux.json").write_text(json.dumps(own), "utf-8")
    text = '[[models]]\nworkflow = "flux.json"\nsteps = 4\nsizes = "128x96"'
    graph, nodes = graph_of(jobs(text, tmp_path, remote=True)[0])
    assert nodes == ["3"] and set(graph) == {"1", "2", "3"}
    assert graph["3"]["inputs"]["cfg"] == 1.0 and graph["3"]["inputs"]["max_steps"] == 4
    assert graph["2"]["inputs"] == {"width": 128, "height": 96}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"1": 3}', '{"nodes": [], "links": []}'])
def test_what_is_no_graph_is_a_sentence(tmp_path, text):
    (tmp_path / "x.json").write_text(text, "utf-8")
    (job,) = jobs('[[models]]\nworkflow = "x.json"', tmp_path, remote=True)
    with pytest.raises(PlanError, match=r"x\.json"):
        graph_of(job)


def test_what_a_graph_needs_is_said():
    for text, said in (
        (PLAN.replace('sizes = "1024x768"', ""), "needs prompts, sizes and guidances"),
        ('samplers = ["euler", "distilled"]' + PLAN, "several samplers"),
    ):
        with pytest.raises(PlanError, match=said):
            graph_of(jobs(text, remote=True)[0])
