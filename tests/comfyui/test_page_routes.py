"""The routes that the page uses: what they answer, and what they refuse."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import numpy as np
import pytest

from scheduler.store import Store
from tests.browser.made import made
from tests.comfyui.graphs import scene

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def ask(server):
    """ask("swap", {...}, headers): (status, answer); without data by GET."""

    def asked(path: str, data: object = None, headers: dict | None = None) -> tuple[int, dict]:
        body = (
            None if data is None else data if isinstance(data, bytes) else json.dumps(data).encode()
        )
        address = f"http://{server.client.address}/stepdistill/{path}"
        request = urllib.request.Request(address, body, JSON if headers is None else headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refusal:
            text = refusal.read()
            return refusal.code, json.loads(text) if text.startswith(b"{") else {}

    return asked


@pytest.fixture
def stored(server):
    """The name of a record in the store."""
    store = Store(server.store)
    name = store.put(made()).removesuffix(".json")
    yield name
    for brief in store.records():
        store.remove(brief.file)


def test_the_store_is_listed_described_and_handed_out(ask, stored):
    status, answer = ask("records")
    assert status == 200 and [each["name"] for each in answer["records"]] == [stored]
    status, found = ask(f"record?name={stored}&sampler=euler&steps=4")
    assert (
        found["shown"]["steps"] == 4
        and found["samplers"]["euler"] == [4, 5, 6, 7, 8]
        and found["shown"]["knee"] == 6
        and found["shown"]["source"] == "exact"  # "from the store"
    )
    status, file = ask(f"file?name={stored}")
    assert json.loads(file["text"])["stepdistill"] == 2


def test_a_record_is_kept_and_removed(ask, server, stored):
    status, answer = ask("keep", {"text": made("new").to_json()})
    assert status == 200 and len(Store(server.store).records()) == 2
    assert ask("remove", {"name": answer["name"]})[0] == 200
    assert len(Store(server.store).records()) == 1


@pytest.mark.parametrize(
    "name", ["..", "../../secret", "/etc/passwd", "nothing", "", "x" * 5000, "a\0b"]
)
def test_names_lead_nowhere_else(ask, server, stored, name):
    assert ask("remove", {"name": name})[0] in (400, 404)
    assert len(Store(server.store).records()) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "not json",
        '{"stepdistill": 2}',
        '{"stepdistill": 1, "model": {"__class__": "x"}}',
        '{"a":' * 3000,
    ],
)
def test_only_what_the_parser_takes_is_kept(ask, server, text):
    for path in ("keep", "read"):
        status, answer = ask(path, {"text": text})
        assert status == 400 and answer["error"]
    assert not Store(server.store).records()


@pytest.mark.parametrize("body", [b"", b"[]", b"3", b"{", b'"x"', b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_object_is_refused(ask, body):
    assert ask("keep", body)[0] == 400


def test_what_is_too_large_is_refused(ask):
    assert ask("keep", {"text": "x" * 9_000_000})[0] == 413


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        JSON | {"Sec-Fetch-Site": "cross-site"},
        JSON | {"Sec-Fetch-Site": "same-site"},
        JSON | {"Origin": "http://evil.example"},
        JSON | {"Origin": "null"},
    ],
)
def test_other_sites_change_nothing(ask, server, stored, headers):
    changes = {
        "remove": {"name": stored},
        "keep": {"text": made("evil").to_json()},
        "swap": {"workflow": "{}", "to": "stock"},
    }
    for path, data in changes.items():
        assert ask(path, data, headers)[0] == 403
    assert [brief.file for brief in Store(server.store).records()] == [f"{stored}.json"]


def test_the_page_itself_may(ask, server, stored):
    own = JSON | {"Sec-Fetch-Site": "same-origin", "Origin": f"http://{server.client.address}"}
    assert ask("remove", {"name": stored}, own)[0] == 200


def test_a_workflow_is_swapped_baked_and_put_back(ask, stored):
    s = scene()
    s.ksampler(scheduler="karras")
    text = json.dumps(s.graph.prompt)
    status, answer = ask("swap", {"workflow": text, "to": "distilled"})
    assert (
        status == 200
        and answer["changed"] == 1
        and "karras -> distilled" in answer["nodes"][0]["line"]
    )
    assert (
        json.loads(ask("swap", {"workflow": answer["workflow"], "to": "stock"})[1]["workflow"])
        == s.graph.prompt
    )
    assert (
        "ManualSigmas"
        in ask("swap", {"workflow": text, "to": "baked", "record": stored})[1]["workflow"]
    )
    closest = ask("swap", {"workflow": text, "to": "closest", "record": stored})[1]
    assert "karras -> simple" in closest["nodes"][0]["line"]


def few(ask, graph):
    status, answer = ask("swap", {"workflow": json.dumps(graph.prompt), "to": "few"})
    assert status == 200
    return json.loads(answer["workflow"]), answer["nodes"]


def test_few_steps_says_what_the_stores_record_gains_and_that_is_what_runs(
    server, client, ask, flow
):
    """The record is known by the weights in the file that the graph loads, not by its title."""
    s = scene()
    s.ksampler(name="before", scheduler="normal", steps=8)
    changed, (node,) = few(ask, s.graph)
    assert node["action"] == "swapped" and "8 steps of euler -> " in node["text"]
    drawn = next(each for each in changed.values() if each["class_type"] == "StepDistillKSampler")
    assert drawn["inputs"]["steps"] <= 6
    client.run(changed)
    many = scene()
    many.ksampler(name="reference", scheduler="simple", sampler_name="dpmpp_2m", steps=80)
    few_latent = server.array("before.samples")
    client.run(many.graph)
    client.run(s.graph)
    reference = server.array("reference.samples")
    error = [
        np.sqrt(np.mean((each - reference) ** 2))
        for each in (few_latent, server.array("before.samples"))
    ]
    assert error[0] <= error[1]


def test_few_steps_where_nothing_is_gained(ask, flow):
    s = scene()
    s.ksampler(name="a", scheduler="normal", steps=80)
    changed, (node,) = few(ask, s.graph)
    assert changed == s.graph.prompt and node["code"] == "no_gain"
    assert "nothing would be gained" in node["text"] and "distil" in node["text"].lower()


def test_few_steps_at_another_cfg_says_what_the_first_run_does(client, ask, flow):
    s = scene()
    s.ksampler(name="other", scheduler="normal", steps=8, cfg=9.0)
    changed, (node,) = few(ask, s.graph)
    assert node["text"].endswith("; the first picture is drawn in full, to learn it at cfg 9")
    number = next(k for k, each in changed.items() if each["class_type"] == "StepDistillKSampler")
    (said,) = client.run(changed).outputs[number]["text"]
    assert said.startswith("Drawn in full, 24 steps, to learn it at cfg 9")


def test_few_steps_on_an_empty_store_learns_and_says_so(server, ask):
    for file in server.store.glob("*.json"):
        file.unlink()
    s = scene()
    s.ksampler(name="a", scheduler="normal", steps=20)
    sigmas = s.add("BasicScheduler", model=s.model, scheduler="normal", steps=20, denoise=1.0)
    s.custom(sigmas, "euler", "b")
    changed, nodes = few(ask, s.graph)
    assert [node["code"] for node in nodes] == ["learns", "no_gain"]
    assert changed["5"]["class_type"] == "StepDistillKSampler"


@pytest.mark.parametrize(
    "change",
    [
        {"workflow": "{}"},
        {"workflow": 3},
        {"to": "elsewhere"},
        {"to": "baked"},
        {"record": "none"},
        {"only": "5"},
        {"only": [5]},
    ],
)
def test_a_senseless_swap_is_refused_in_a_sentence(ask, change):
    s = scene()
    s.ksampler(scheduler="karras")
    status, answer = ask(
        "swap", {"workflow": json.dumps(s.graph.prompt), "to": "distilled"} | change
    )
    assert status in (400, 404) and answer["error"].endswith((".", "?"))
