"""The Few-Step KSampler in the real ComfyUI: what it draws and spends from an empty store on, what is
learnt, and that its pictures can be drawn again."""

from __future__ import annotations

import os
import re
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from scheduler.store import Store
from tests.comfyui.client import Interrupted
from tests.comfyui.expected import model_latents, rms, teacher
from tests.comfyui.graphs import CFG, scene, video
from tests.comfyui.server import Server
from tests.comfyui.test_pictures import PAGE, carried, opened, texts

GOAL = 40  # extra calls until the first few-step picture
FULL = 24


@pytest.fixture(autouse=True)
def empty(server, client):
    """Every test begins with an empty store, and leaves none."""
    yield
    tidy(server)
    client.forget()


def tidy(server):
    store = Store(server.store)
    for brief in store.records():
        store.remove(brief.file)
    store.clear_recordings()


def few(s, name="few", seed=5, model=None, **changed):
    """The node, its latent and info saved."""
    settings = {"steps": 6, "cfg": CFG, "denoise": 1.0, "learn": "from my pictures"}
    settings |= {"latent_image": s.latent, **s.prompts} | changed
    out = s.add("StepDistillKSampler", model=model or s.model, seed=seed, **settings)
    s.add("TestSave", name=name, samples=out, text=out[1])
    return out


def drawn(server, name="few", kind="flow", rows=1, digits="3", **changed):
    """(what the node says, what happened as data, model calls in rows)."""
    s = scene(kind, rows, digits)
    runs = f"{name}-{time.monotonic_ns()}"
    out = few(s, name, model=s.recorded(runs), **changed)
    result = server.client.run(s.graph)
    (card,) = result.ui(out)["stepdistill"]
    calls = sum(sum(run["rows"]) for run in server.runs(runs)) // (2 if s_guided(changed) else 1)
    return result.text(out), card["learning"], calls


def s_guided(changed) -> bool:
    return changed.get("cfg", CFG) != 1


@pytest.mark.parametrize("kind", ["flow", "eps"])
def test_one_picture_in_full_then_few_steps(server, kind):
    said, first, calls = drawn(server, kind=kind)
    assert said.startswith("Drawn in full, 24 steps, to learn this model. From the next picture on")
    assert first["calls"] == calls - FULL <= GOAL and first["next_steps"] == 6
    said, second, calls = drawn(server, kind=kind, seed=6, digits="7")
    assert second["action"] == "few" and calls == 6 and "recipe " in said


def test_its_full_picture_is_what_a_ksampler_draws(server, client):
    drawn(server)
    assert np.allclose(server.array("few.samples"), in_full(client, server), atol=2e-2)


def test_few_steps_are_nearer_to_many_than_stock(server, client):
    drawn(server, digits="1", seed=20)
    drawn(server, rows=2, digits="3, 7")
    s = scene()
    s.ksampler(name="stock", steps=6, sampler_name="dpmpp_2m", scheduler="simple")
    client.run(s.graph)
    wanted = teacher("flow", 5)
    ours, stock = (
        rms(model_latents("flow", server.array(f"{name}.samples")), wanted)
        for name in ("few", "stock")
    )
    assert ours < 0.8 * stock


def test_image_to_image_is_learnt_of_its_own(server, client):
    drawn(server, digits="5", name="before")
    s = scene(rows=1, digits="5")
    picture = few(s, "before", learn="off")
    results = []
    for number in (1, 2):
        out = few(s, f"again-{number}", seed=number, denoise=0.5, latent_image=picture)
        results.append(client.run(s.graph).ui(out)["stepdistill"][0])
    first, second = (each["learning"] for each in results)
    assert (first["action"], first["steps"], second["action"]) == ("in_full", FULL, "few")
    (record,) = (Store(server.store).load(brief.file) for brief in Store(server.store).records())
    recipe = record.recipe("distilled", 6, 0.75)
    assert recipe.coefficients is not None and results[1]["sigmas"][0] == 0.75


def test_off_draws_with_a_stand_in_and_keeps_nothing(server):
    said, told, calls = drawn(server, learn="off")
    assert calls == 6 and told["obstacle"] == "turned_off" and "Stock schedule" in said
    assert not Store(server.store).records() and not Store(server.store).list_recordings()


def test_rows_with_prompts_of_their_own(server):
    _, told, calls = drawn(server, rows=2, digits="1, 7")
    assert told["next_steps"] == 6 and calls == 2 * FULL + told["calls"]
    assert [each.rows for each in Store(server.store).list_recordings()] == [1]
    assert drawn(server, rows=3, digits="4, 5, 6", seed=9)[2] == 3 * 6


def test_another_guidance_is_learnt_of_its_own(server):
    drawn(server)
    assert drawn(server, cfg=8.0)[1]["action"] == "in_full"


def test_videos_are_learnt_and_other_numbers_of_frames_of_their_own(server, client):
    told = []
    for length, seed in ((5, 1), (5, 2), (21, 1)):
        s = video(seed=5)
        latent = s.add("EmptyHunyuanLatentVideo", width=64, height=64, length=length, batch_size=1)
        out = few(s, seed=seed, latent_image=latent)
        told.append(client.run(s.graph).ui(out)["stepdistill"][0]["learning"])
    assert [each["action"] for each in told[::2]] == ["in_full", "in_full"]
    assert told[1]["steps"] == told[0]["next_steps"]


def test_interrupted_while_it_draws(server, client):
    with pytest.raises(Interrupted):
        client.wait(interrupted_picture(server, client, lambda: time.sleep(1.0)))
    store = Store(server.store)
    assert not store.records() and not store.list_recordings()


def test_interrupted_while_it_learns_the_picture_comes_out_and_is_saved(server, client):
    """The nodes after it run: the interruption is over with the learning."""

    def learning():
        end = time.monotonic() + 60
        while not Store(server.store).list_recordings() and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(1.6)  # of some four

    result = client.wait(interrupted_picture(server, client, learning))
    (card,) = [out["stepdistill"][0] for out in result.outputs.values() if "stepdistill" in out]
    assert card["learning"]["stopped"] and "Learning was stopped" in card["info"]
    assert np.allclose(server.array("stopped.samples"), in_full(client, server), atol=2e-2)
    assert len(Store(server.store).list_recordings()) == 1
    _, told, made = drawn(server, seed=6)
    assert told["action"] in ("learn_first", "few") and made <= 6 + GOAL - 5  # of what was paid


def test_the_next_picture_is_foretold_as_it_is_then_drawn(server, client):
    """By the graph as the page has it; of a model that has not run what the store has for its file."""

    def ahead(digits="3", width=64, **changed):
        s = scene(rows=1, digits=digits)
        s.graph.prompt[s.latent.node]["inputs"]["width"] = width
        out = few(s, model=s.recorded("foretold"), **changed)
        asked = {"prompt": s.graph.prompt, "nodes": [out.node]}
        return client.post("/stepdistill/foretold", asked)["nodes"][out.node], s, out

    fresh = scene(rows=1)
    out = few(fresh, model=fresh.recorded("not yet"))
    asked = {"prompt": fresh.graph.prompt, "nodes": [out.node]}
    said = client.post("/stepdistill/foretold", asked)["nodes"][out.node]
    assert said.startswith("flow has not run like this in this session: the store has ")
    client.run(ahead()[1].graph)
    assert ahead(digits="7")[0] == ahead()[0] == "Next picture: 6 steps."
    assert ahead(steps=8)[0].startswith("Next picture: 8 steps, learnt first: at most 4")
    assert "drawn in full, 24 steps, to learn it at denoise 0.5" in ahead(denoise=0.5)[0]
    assert "drawn in full" in ahead(width=256)[0] and ahead(width=65)[0] == ""
    said, s, out = ahead(cfg=8.0)
    assert "drawn in full, 24 steps, to learn it at cfg 8: at most" in said
    most = int(re.search(r"at most (\d+) model calls", said)[1])
    (card,) = client.run(s.graph).ui(out)["stepdistill"]
    assert card["learning"]["action"] == "in_full" and 0 < card["learning"]["calls"] <= most


def interrupted_picture(server, client, ready) -> str:
    """The queued picture's id, interrupted after `ready()`."""
    s = scene(rows=1, digits="3")
    out = few(s, model=s.recorded("interrupted", 0.1))
    s.add("TestSave", name="stopped", samples=out)
    prompt_id = client.queue(s.graph)
    ready()
    client.interrupt()
    return prompt_id


def in_full(client, server):
    """What a KSampler draws of that picture."""
    s = scene(rows=1, digits="3")
    sigmas = s.add("BasicScheduler", model=s.model, scheduler="beta", steps=FULL, denoise=1.0)
    s.custom(sigmas, "dpmpp_2m", "stock")
    client.run(s.graph)
    return server.array("stock.samples")


def test_a_mask_is_drawn_in_full_and_said(server, client):
    s = scene(rows=1, digits="3")
    mask = s.add("SolidMask", value=1.0, width=64, height=64)
    masked = s.add("SetLatentNoiseMask", samples=s.latent, mask=mask)
    out = few(s, latent_image=masked)
    result = client.run(s.graph)
    assert "a picture with a mask" in result.text(out)
    assert not Store(server.store).list_recordings()


def test_a_step_cache_of_another_pack_is_named(server, client):
    """TestTeaCache answers from memory: what it drew is nothing to learn from."""
    for draw in ("few", "stock"):
        s = scene(rows=1, digits="3")
        model = s.add("TestTeaCache", model=s.model, threshold=0.3)
        if draw == "few":
            out = few(s, model=model)
            said = client.run(s.graph).text(out)
            assert said.startswith("Drawn in full, 24 steps") and "carries TeaCache" in said
        else:
            applied = s.add("StepDistillApply", model=model, use_offsets=True, learn=True)
            s.ksampler(applied, "stock", steps=20, scheduler="normal")
            client.run(s.graph)
            assert "carries TeaCache, which answers some steps from memory" in server.log()
    assert not Store(server.store).list_recordings() and not Store(server.store).records()


def test_a_store_that_cannot_be_written(server, client):
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        folder = server.store
        kept = folder.rename(folder.with_name("kept")) if folder.exists() else None
        folder.write_text("in the way")
        try:
            said, told, calls = drawn(server)
        finally:
            folder.unlink()
            if kept is not None:
                kept.rename(folder)
    else:
        pytest.skip("a folder is made read-only by root's tests alone")
    assert calls == FULL and told["obstacle"] == "unwritable" and "could not be kept" in said


@pytest.fixture(scope="module")
def lora(server):
    """A small LoRA of the flow checkpoint, in the server's folder; its name."""
    generator = torch.Generator().manual_seed(0)
    key = "diffusion_model.joint_blocks.0.x_block.mlp.fc1"
    up, down = (torch.randn(shape, generator=generator) for shape in ((512, 4), (4, 128)))
    tensors = {
        f"{key}.lora_up.weight": 0.05 * up,
        f"{key}.lora_down.weight": 0.05 * down,
        f"{key}.alpha": torch.tensor(4.0),
    }
    save_file(tensors, server.base / "models" / "loras" / "animated.safetensors")
    return "animated.safetensors"


def test_an_animated_lora_is_learnt_once_and_its_strength_said(server, client, lora):
    drawn(server)
    results = []
    for strength in (0.5, 0.6):
        s = scene(rows=1, digits="3")
        model = s.add("LoraLoaderModelOnly", model=s.model, lora_name=lora, strength_model=strength)
        out = few(s, model=model)
        result = client.run(s.graph)
        results.append((result.ui(out)["stepdistill"][0]["learning"]["action"], result.text(out)))
    assert [action for action, _ in results] == ["in_full", "few"]
    assert "at strength 0.5, you use 0.6" in results[1][1]


# --- drawn again ---


def with_picture(seed=5, prefix="few-step", **changed):
    s = scene(rows=1, digits="3")
    out = few(s, seed=seed, **changed)
    s.add("SaveImage", images=s.add("TestPicture", samples=out), filename_prefix=prefix)
    return s.graph, out


@pytest.fixture(scope="module")
def elsewhere():
    """Another server, whose store is empty."""
    with Server(os.environ["COMFYUI_PATH"]) as started:
        yield started


@pytest.mark.parametrize("page", [PAGE, None], ids=["page", "api"])
def test_a_picture_draws_the_same_whatever_was_learnt_since(server, client, elsewhere, page):
    drawn(server, seed=1)
    graph, out = with_picture(prefix=f"same-{bool(page)}")
    client.wait(client.queue(graph, page))
    first, found = server.array("few.samples"), texts(server, f"same-{bool(page)}")
    assert len(carried(found)) == 1
    client.post("/stepdistill/improve", {"node": out.node, "calls": 90})
    improved = client.wait(client.queue(graph, page))
    assert "90" in improved.text(out) or "model calls" in improved.text(out)
    again = opened(server, found)
    assert np.array_equal(server.array("few.samples"), first)
    assert "that this workflow carries" in again.text(out)
    opened(elsewhere, found)
    assert np.array_equal(elsewhere.array("few.samples"), first)
    assert Store(elsewhere.store).records() == []


def test_a_denoise_near_a_learnt_one_draws_at_once_and_again_from_its_file(
    server, client, elsewhere
):
    """In the file stands the recipe itself: it draws again where nothing is stored, and where one has been
    fitted for just this denoise since."""
    _, first, _ = drawn(server, seed=1, denoise=0.5)
    said, near, calls = drawn(server, seed=2, denoise=0.55, digits="7")
    assert (first["action"], near["action"], calls) == ("in_full", "few", 6)
    assert "learnt at denoise 0.5, which is near; not measured here" in said
    graph, out = with_picture(prefix="near", denoise=0.55)
    client.wait(client.queue(graph, PAGE))
    ours, found = server.array("few.samples"), texts(server, "near")
    client.post("/stepdistill/improve", {"node": out.node, "calls": 90})
    assert "which is near" not in client.wait(client.queue(graph, PAGE)).text(out)
    for host in (server, elsewhere):
        assert "which is near" in opened(host, found).text(out)
        assert np.array_equal(host.array("few.samples"), ours)


def test_newest_leaves_the_carried_record(server, client):
    drawn(server, seed=1)
    graph, out = with_picture(prefix="newest")
    client.wait(client.queue(graph, PAGE))
    found = texts(server, "newest")
    client.post("/stepdistill/improve", {"node": out.node, "calls": 90})
    client.wait(client.queue(graph, PAGE))
    found["prompt"][out.node]["inputs"]["recipe"] = "newest"
    assert "that this workflow carries" not in opened(server, found).text(out)


def test_what_is_learnt_never_draws_a_finished_graph_again(server, client):
    drawn(server, seed=1)
    graph, out = with_picture()
    assert out.node in client.run(graph).ran
    store = Store(server.store)
    (brief,) = store.records()
    record = store.load(brief.file)
    store.put(replace(record, evidence={"left_out": []}))
    assert store.load(brief.file) != record
    assert out.node not in client.run(graph).ran
    renamed, _ = with_picture(prefix="renamed")  # the node's own picture, from the host's cache
    assert out.node not in client.wait(client.queue(renamed, PAGE)).ran
    assert len(carried(texts(server, "renamed"))) == 1
    client.post("/stepdistill/improve", {"node": out.node, "calls": 90})
    assert out.node in client.run(graph).ran  # but when that was wished
    assert out.node not in client.run(graph).ran


def test_a_picture_drawn_in_full_is_drawn_so_from_its_file(server, client):
    graph, out = with_picture(prefix="full")
    client.wait(client.queue(graph, PAGE))
    first, found = server.array("few.samples"), texts(server, "full")
    assert not carried(found)
    client.forget()
    again = opened(server, found)
    assert np.array_equal(server.array("few.samples"), first)
    assert "another seed" in again.text(out)
    found["prompt"][out.node]["inputs"]["seed"] = 77
    assert "6 steps" in opened(server, found).text(out)


def test_improve_is_refused_with_a_sentence(client):
    import urllib.error

    for data in ({}, {"node": "5"}, {"node": "5", "calls": 0}, {"node": "5", "calls": "many"}):
        with pytest.raises(urllib.error.HTTPError) as refused:
            client.post("/stepdistill/improve", data)
        assert refused.value.code == 400
