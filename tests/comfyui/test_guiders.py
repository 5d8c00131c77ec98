"""Guiders that do more than a KSampler, in the real ComfyUI: each has a record of its own."""

from __future__ import annotations

import pytest
from safetensors.torch import load_file, save_file

from scheduler.store import Store
from tests.comfyui.graphs import scene
from tests.comfyui.server import ROOT
from tests.comfyui.test_few_step import tidy

OTHER = "other.safetensors"


@pytest.fixture(autouse=True)
def empty(server, client):
    yield
    tidy(server)
    client.forget()


def distilled(server, guider_of, name: str = "guided") -> str:
    """Distil with a guider; the report."""
    s = scene(rows=1, digits="3")
    s.model = s.recorded(name)
    made = s.distill(guider=guider_of(s), max_steps=4)
    s.add("TestSave", name=name, text=made[2])
    server.client.run(s.graph)
    return (server.output / f"{name}.txt").read_text(encoding="utf-8")


def in_store(server) -> list[list[str]]:
    store = Store(server.store)
    return [
        [each["name"] for each in store.load(brief.file).model.patches] for brief in store.records()
    ]


def dual_cfg(second: float):
    def make(s):
        conds = {"cond1": s.positive, "cond2": s.negative, "negative": s.negative}
        numbers = {"cfg_conds": 3.0, "cfg_cond2_negative": second, "style": "regular"}
        return s.add("DualCFGGuider", model=s.model, **conds, **numbers)

    return make


def test_each_number_of_a_guider_has_its_own_record(server):
    distilled(server, dual_cfg(2.0))
    distilled(server, dual_cfg(4.0))
    assert len(in_store(server)) == 2
    assert "guider: Guider_DualCFG cfg2" in in_store(server)[0]
    distilled(server, dual_cfg(4.0), "from-the-store")
    assert not (server.output / "from-the-store.jsonl").exists()


@pytest.fixture
def other(server) -> str:
    """A file of weights like the flow checkpoint's, but others."""
    weights = load_file(ROOT / "scheduler" / "checkpoints" / "flow.safetensors")
    folder = server.base / "models" / "diffusion_models"
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: 1.02 * value for name, value in weights.items()}, folder / OTHER)
    return OTHER


def dual_model(file: str):
    def make(s):
        second = s.add("UNETLoader", unet_name=file, weight_dtype="default")
        about = {"positive": s.positive, "negative": s.negative, "cfg": 3.0}
        return s.add("DualModelGuider", model=s.model, model_negative=second, **about)

    return make


@pytest.mark.since("0.29")
def test_two_second_models_do_not_collide(server, other):
    distilled(server, dual_model("flow.safetensors"))
    distilled(server, dual_model(other))
    found = in_store(server)
    assert len(found) == 2
    seconds = {name for names in found for name in names if name.startswith("second model: ")}
    assert seconds == {"second model: flow", "second model: other"}


def test_a_plain_guider_shares_its_record_with_a_ksampler(server):
    distilled(server, lambda s: s.add("CFGGuider", model=s.model, **s.prompts, cfg=3.0))
    assert in_store(server) == [[]]
    s = scene(rows=1, digits="3")
    s.distill(s.recorded("plain-again"), max_steps=4)
    server.client.run(s.graph)
    assert not (server.output / "plain-again.jsonl").exists()
