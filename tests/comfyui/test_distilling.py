"""Distill Schedule in the real ComfyUI: what it makes, what it spends, how it stops and goes on,
and what it is keyed by."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from scheduler.record.verdict_words import recommendation
from scheduler.store import Store
from tests.comfyui.client import Interrupted
from tests.comfyui.graphs import scene, video
from tests.speed import Stopwatch


@pytest.fixture(autouse=True)
def tidy(server):
    """What a test distils goes when it ends."""
    store = Store(server.store)
    yield
    for brief in store.records():
        store.remove(brief.file)


def spent(server, name: str) -> int:
    """Model calls, in rows, of all runs written down under a name; half of them, for guidance asks twice."""
    path = server.output / f"{name}.jsonl"
    return sum(sum(run["rows"]) for run in server.runs(name)) // 2 if path.exists() else 0


@pytest.mark.parametrize("kind", ["flow", "eps"])
def test_the_record_is_in_the_store_and_the_report_says_what_was_done(request, server, kind):
    made = request.getfixturevalue(kind)
    model, under = made.record.model, made.record.conditions
    assert (
        model.parametrisation == {"flow": "flow", "eps": "ve"}[kind]
        and model.fingerprint
        and model.name == kind
    )
    assert under.cfg == 3.0 and under.latent_shape == {"flow": (16, 8, 8), "eps": (4, 8, 8)}[kind]
    assert model.shift == {"flow": 3.0, "eps": None}[kind]
    assert (
        "model calls" in made.report
        and "Kept in your store: Few-Step KSampler" in made.report
        and made.name not in made.report
        and recommendation(made.record) in made.report
    )
    assert made.record.gram is not None
    plot = server.array(f"report-{kind}.images")
    assert plot.ndim == 4 and plot.shape[-1] == 3 and 0 <= plot.min() and plot.max() <= 1


@pytest.mark.parametrize("kind", ["flow", "eps"])
def test_the_model_calls_are_those_that_the_record_states(request, server, kind):
    made = request.getfixturevalue(kind)
    stated = made.record.provenance["model_calls"] + made.record.provenance["evidence_calls"]
    assert (
        stated <= spent(server, f"distilling-{kind}") <= stated + 8
    )  # one more batch or so may time the first call


def test_a_second_run_takes_the_record_from_the_store_without_a_model_call(server, client, flow):
    s = scene()
    made = s.distill(s.recorded("again"), sampler_name="all", max_steps=6, noise_seed=1)
    s.add("TestSave", name="again", text=made[2])
    watch = Stopwatch()
    client.run(s.graph)
    assert spent(server, "again") == 0 and watch.within(10)
    said = (server.output / "again.txt").read_text(encoding="utf-8")
    assert said.startswith("From your store, without a model call: the record made at cfg 3 on ")


def test_the_page_hears_the_plan_and_the_progress(server, client):
    s = scene()
    s.distill(cfg=7.0, max_steps=4)
    with client.events() as events:
        seen = events.until_done(client.queue(s.graph))
    ours = [message["data"] for message in seen if message["type"] == "stepdistill.progress"]
    assert ours and any("model calls" in str(data) for data in ours)
    assert any({"phase", "done", "planned"} <= set(data) for data in ours)


def test_interrupt_stops_within_a_model_call_and_the_next_run_goes_on(server, client):
    s, unfinished = scene(), server.store / ".unfinished"
    s.distill(s.recorded("parts", 0.05), cfg=11.0, max_steps=4)
    prompt_id, end = client.queue(s.graph), time.monotonic() + 60
    while not any(unfinished.glob("*/teacher-*")) and time.monotonic() < end:
        time.sleep(0.02)
    time.sleep(0.3)
    watch = Stopwatch()
    client.interrupt()
    with pytest.raises(Interrupted):
        client.wait(prompt_id)
    assert watch.within(1)
    s = scene()
    made = s.distill(s.recorded("rest"), cfg=11.0, max_steps=4)
    s.add("TestSave", name="rest", text=made[2])
    client.run(s.graph)
    (brief,) = Store(server.store).records()
    origin = Store(server.store).load(brief.file).provenance
    whole, first, second = (
        origin["model_calls"] + origin["evidence_calls"],
        spent(server, "parts"),
        spent(server, "rest"),
    )
    assert first > 20 and second <= whole - 20 and first + second < 1.3 * whole
    assert not any(unfinished.glob("*/teacher-*"))


def interrupted(client, graph, ready) -> None:
    """Queue a graph and interrupt it once something holds."""
    prompt_id, end = client.queue(graph), time.monotonic() + 60
    while not ready() and time.monotonic() < end:
        time.sleep(0.02)
    client.interrupt()
    with pytest.raises(Interrupted):
        client.wait(prompt_id)


def interrupted_after(client, graph, calls: int, ready) -> None:
    """The same, once so many model calls were made and something holds, however slow the machine is."""
    made = set()

    def far_enough(message: dict) -> bool:
        if message["type"] == "stepdistill.progress":
            made.add(message["data"].get("done", 0))
        return max(made, default=0) >= calls and ready()

    with client.events() as events:
        prompt_id = client.queue(graph)
        events.until(far_enough)
        client.interrupt()
        with pytest.raises(Interrupted):
            client.wait(prompt_id)


def test_stopped_after_the_first_recipe_the_record_is_kept_and_in_use(server, client):
    s = scene()
    s.distill(s.recorded("so-far", 0.02), cfg=9.0, max_steps=6)
    interrupted(client, s.graph, lambda: Store(server.store).records())
    (brief,) = Store(server.store).records()
    known = Store(server.store).load(brief.file)
    assert any(recipe.sampler == "distilled" for recipe in known.recipes)
    s = scene()
    found = s.add("StepDistillSampler", model=s.model, steps=6, denoise=1.0, if_missing="error")
    s.custom(found[1], found, "in-use")
    client.run(s.graph)
    s = scene()
    made = s.distill(s.recorded("goes-on"), cfg=9.0, max_steps=6)
    s.add("TestSave", name="goes-on", text=made[2])
    client.run(s.graph)
    report = (server.output / "goes-on.txt").read_text(encoding="utf-8")
    whole = Store(server.store).load(Store(server.store).records()[0].file)
    assert report.startswith("Done in ")
    assert 0 < spent(server, "goes-on") < whole.provenance["model_calls"]


def test_measuring_is_a_stage_of_its_own_that_goes_on_and_again_is_on_purpose(server, client):
    def run(name, seconds=0.0, **settings):
        s = scene()
        made = s.distill(s.recorded(name, seconds), cfg=8.0, max_steps=5, **settings)
        s.add("TestSave", name=name, text=made[2])
        return s.graph

    def record():
        (brief,) = Store(server.store).records()
        return Store(server.store).load(brief.file)

    client.run(run("first"))
    first = record()
    assert "curve" not in first.evidence and first.provenance["evidence_calls"] == 0
    parts = server.store / ".unfinished"
    measuring = run("stopped", 0.02, measure=True)
    interrupted_after(client, measuring, 8, lambda: any(parts.glob("*-measuring/*")))
    assert record().recipes == first.recipes
    client.run(run("measured", measure=True))
    found = record()
    whole = found.provenance["evidence_calls"]
    assert (
        "curve" in found.evidence
        and found.provenance["model_calls"] == first.provenance["model_calls"]
    )
    assert [each.sigmas for each in found.recipes] == [each.sigmas for each in first.recipes]
    assert spent(server, "stopped") > 4 and spent(server, "measured") < whole
    client.run(run("there", measure=True))
    assert spent(server, "there") == 0
    client.run(run("again", again=True))
    assert spent(server, "again") >= first.provenance["model_calls"]


def test_two_times_never_stand_on_a_node_and_the_price_is_told_before(server, client):
    price = client.get(
        "/stepdistill/price?sampler_name=distilled&max_steps=8&quality=instant&measure=false"
    )
    assert "At most 306 model calls: as many as 13 pictures of 24 steps take" in price["text"]
    s = scene()
    s.distill(cfg=6.0, max_steps=4)
    with client.events() as events:
        seen = events.until_done(client.queue(s.graph))
    plans = [
        m["data"]["plan"]
        for m in seen
        if m["type"] == "stepdistill.progress" and "plan" in m["data"]
    ]
    assert "At most" in plans[0] and all(each.startswith(plans[0]) for each in plans)
    assert not any("about" in each for each in plans)  # how long it takes is told live alone


@pytest.fixture(scope="module")
def lora(server):
    """A small LoRA of the flow checkpoint, in the server's folder; its name."""
    generator, key = (
        torch.Generator().manual_seed(0),
        "diffusion_model.joint_blocks.0.x_block.mlp.fc1",
    )
    up, down = torch.randn(512, 4, generator=generator), torch.randn(4, 128, generator=generator)
    tensors = {
        f"{key}.lora_up.weight": 0.05 * up,
        f"{key}.lora_down.weight": 0.05 * down,
        f"{key}.alpha": torch.tensor(4.0),
    }
    save_file(tensors, server.base / "models" / "loras" / "small.safetensors")
    return "small.safetensors"


def test_a_lora_is_part_of_the_key(server, client, flow, lora):
    s = scene()
    with_lora = s.add("LoraLoaderModelOnly", model=s.model, lora_name=lora, strength_model=1.0)
    off = s.add("LoraLoaderModelOnly", model=s.model, lora_name=lora, strength_model=0.0)
    for name, model in {"with": with_lora, "off": off, "plain": s.model}.items():
        found = s.add(
            "StepDistillSigmas",
            model=model,
            sampler_name="dpmpp_2m",
            steps=6,
            denoise=1.0,
            if_missing="stock",
        )
        s.add("TestSave", name=f"lora-{name}", sigmas=found, text=found[1])
    client.run(s.graph)
    words = {
        name: (server.output / f"lora-{name}.txt").read_text(encoding="utf-8")
        for name in ("with", "off", "plain")
    }
    assert "lora" in words["with"].lower() and "differs" in words["with"]
    assert "lora" not in words["off"].lower() and words["off"] == words["plain"]


def test_distilling_with_a_lora_makes_a_record_of_its_own(server, client, flow, lora):
    before = {brief.file for brief in Store(server.store).records()}
    s = scene()
    s.distill(
        s.add("LoraLoaderModelOnly", model=s.model, lora_name=lora, strength_model=1.0), max_steps=4
    )
    client.run(s.graph)
    (name,) = {brief.file for brief in Store(server.store).records()} - before
    (patch,) = Store(server.store).load(name).model.patches
    assert "lora" in patch["name"].lower() and patch["strength"] == 1.0 and patch["fingerprint"]


def test_videos_are_distilled_and_the_graph_runs_again_when_the_store_has_changed(server, client):
    s = video(seed=5)
    found = s.add(
        "StepDistillSigmas",
        model=s.model,
        sampler_name="euler",
        steps=4,
        denoise=1.0,
        if_missing="stock",
    )
    s.add("TestSave", name="video", sigmas=found, text=found[1])
    s.custom(found, "euler", "video-drawn")
    client.run(s.graph)
    before = (server.output / "video.txt").read_text(encoding="utf-8")
    other = video(seed=5)
    other.distill(cfg=3.0, sampler_name="euler", max_steps=4)
    client.run(other.graph)
    client.run(s.graph)  # the very same prompt
    after, sigmas = (
        (server.output / "video.txt").read_text(encoding="utf-8"),
        server.array("video.sigmas"),
    )
    record = Store(server.store).load(Store(server.store).records()[0].file)
    assert "not distilled" in before and "not distilled" not in after
    assert record.conditions.latent_shape == (16, 2, 8, 8) and record.model.shift == 8.0
    assert sigmas == pytest.approx(np.float32(record.recipe("euler", 4, offsets=False).sigmas))
    assert server.array("video-drawn.samples").shape == (1, 16, 2, 8, 8)


def test_an_extra_prompt_and_a_guider_are_taken(server, client):
    s = scene()
    guider = s.add("CFGGuider", model=s.recorded("guided"), **s.prompts, cfg=5.0)
    s.distill(
        guider=guider,
        extra_positive=s.add("TestDigits", digits="1, 2"),
        max_steps=4,
        name="two prompts",
    )
    client.run(s.graph)
    store = Store(server.store)
    records = [store.load(brief.file) for brief in store.records()]
    record = next(record for record in records if record.model.name == "two prompts")
    assert (
        record.conditions.prompts == 2
        and record.conditions.cfg == 5.0
        and spent(server, "guided") > 100
    )
