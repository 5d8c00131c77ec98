"""Two models on one path: the second half goes on at the very sigma where the first left the latent,
whatever each half's own record says."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from scheduler.checkpoints import load_checkpoint
from scheduler.fingerprint import fingerprint_file
from scheduler.record import Conditions, Model, Recipe, Record
from scheduler.record.pair_half import FIRST, hand_over_step, pair_half
from scheduler.record.pair_half import SECOND as SECOND_HALF
from scheduler.samplers import sample
from scheduler.sigmas.hand_over import continued_from
from scheduler.store import Store
from tests.comfyui import expected
from tests.comfyui.client import Failed, Out
from tests.comfyui.graphs import scene
from tests.comfyui.server import CHECKPOINTS

SECOND = "second.safetensors"
STEPS = 6
PROVENANCE = {"version": "0.1.0", "created": "2026-11-21T00:00:00Z", "model_calls": 100}
FIRST_RECIPE = [1.0, 0.93, 0.83, 0.6146, 0.4, 0.2, 0.0]
SECOND_RECIPE = [1.0, 0.96, 0.9, 0.75, 0.5, 0.25, 0.0]


def record(path, sigmas) -> Record:
    model, name = expected.checkpoint("flow"), fingerprint_file(path)
    about = {"name": path.stem, "shift": model.shift, "prediction": model.prediction}
    about |= {"fingerprint": name.id, "samples": name.samples}
    conditions = Conditions(cfg=expected.CFG, latent_shape=model.latent_shape, **about)
    recipes = (Recipe("euler", STEPS, 1.0, sigmas), Recipe("dpmpp_2m", STEPS, 1.0, sigmas))
    kept = Model.of(conditions, "flow", model.sigma_min, model.sigma_max)
    return Record(kept, conditions, None, recipes, {}, PROVENANCE)


@pytest.fixture(scope="module")
def second(server, tmp_path_factory):
    """Another model of the same shape in the server's folder; the records of both in its store."""
    path = tmp_path_factory.mktemp("second") / SECOND
    generator = torch.Generator().manual_seed(1)
    weights = load_file(CHECKPOINTS / "flow.safetensors")
    moved = {
        name: each + 0.05 * each.float().std() * torch.randn(each.shape, generator=generator)
        if each.is_floating_point() and each.ndim > 1
        else each
        for name, each in weights.items()
    }
    with safe_open(CHECKPOINTS / "flow.safetensors", "pt") as file:
        about = file.metadata()
    save_file({name: each.to(weights[name].dtype) for name, each in moved.items()}, path, about)
    there = server.base / "models" / "diffusion_models" / SECOND
    there.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, there)
    store = Store(server.store)
    store.put(record(CHECKPOINTS / "flow.safetensors", FIRST_RECIPE))
    store.put(record(path, SECOND_RECIPE))
    yield path
    there.unlink()


def halves(place, name: str, first: dict, second: dict, apply=False, split=(3, 3)):
    """Two KSamplers (Advanced) of two models; what each ran is recorded."""
    other = place.add("UNETLoader", unet_name=SECOND, weight_dtype="default")
    models = [place.recorded(f"{name}-high"), place.recorded(f"{name}-low", model=other)]
    if apply:
        models = [place.add("StepDistillApply", model=m, use_offsets=True) for m in models]
    shared = {**place.prompts, "noise_seed": 5, "steps": STEPS, "cfg": 3.0}
    shared |= {"sampler_name": "euler", "scheduler": "distilled"}
    high = place.add(
        "KSamplerAdvanced", **(shared | first), model=models[0], latent_image=place.latent,
        add_noise="enable", start_at_step=0, end_at_step=split[0],
        return_with_leftover_noise="enable",
    )  # fmt: skip
    low = place.add(
        "KSamplerAdvanced", **(shared | second), model=models[1], latent_image=high,
        add_noise="disable", start_at_step=split[1], end_at_step=10000,
        return_with_leftover_noise="disable",
    )  # fmt: skip
    place.saved(name, samples=low)


def ran(server, client, place, name: str):
    client.forget()
    client.run(place.graph)
    return server.runs(f"{name}-high")[-1]["sigmas"], server.runs(f"{name}-low")[-1]["sigmas"]


def by_the_library(path, high, low, second_sampler="euler", first_sampler="euler"):
    """The same run by the library: each half by its own model."""
    states = []
    denoise = expected.denoiser("flow")

    def heard(x, sigma):
        states.append(x.clone())
        return denoise(x, sigma)

    sample(heard, expected.noise("flow", 5) * high[0], [*high, 0.0], first_sampler)
    model = load_checkpoint(path)
    denoise_second = model.denoiser(torch.tensor(expected.DIGITS), expected.CFG)
    return sample(denoise_second, states[-1], low, second_sampler)


@pytest.mark.parametrize("apply", [False, True])
@pytest.mark.parametrize("split", [(3, 3), (2, 3), (3, 0)])
def test_the_second_half_goes_on_where_the_first_ended(server, client, second, apply, split):
    place, name = scene("flow"), f"pair-{apply}-{split[0]}-{split[1]}"
    halves(place, name, {}, {}, apply, split)
    high, low = ran(server, client, place, name)
    assert high[-1] == low[0]
    assert np.allclose(high, FIRST_RECIPE[: split[0] + 1], rtol=2e-6)
    assert np.allclose(low, continued_from(SECOND_RECIPE[split[1] :], high[-1]), rtol=2e-6)
    drawn = expected.model_latents("flow", server.array(f"{name}.samples"))
    assert (drawn - by_the_library(second, high, low)).abs().max() < 1e-5 * drawn.abs().max()


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "uni_pc", "distilled"])
def test_with_other_samplers_too(server, client, second, sampler):
    place, name = scene("flow"), f"pair-{sampler}"
    halves(place, name, {"sampler_name": sampler}, {"sampler_name": sampler})
    high, low = ran(server, client, place, name)
    assert high[-1] == low[0] and len(high) == 4 and len(low) == 4 and low[-1] == 0


def test_a_first_half_with_a_stock_schedule(server, client, second):
    place, name = scene("flow"), "pair-stock"
    halves(place, name, {"scheduler": "karras"}, {})
    high, low = ran(server, client, place, name)
    assert high[-1] == low[0] and not np.isclose(high[-1], SECOND_RECIPE[3])


def test_a_first_half_that_is_cached(server, client, second):
    """Only the second half runs again, and its first sigma is still where the first ended."""
    place, name = scene("flow"), "pair-cached"
    halves(place, name, {}, {})
    high, low = ran(server, client, place, name)
    for node in place.graph.prompt.values():
        if node["inputs"].get("start_at_step") == 3:
            node["inputs"]["cfg"] = 2.5
    result = client.run(place.graph)
    runs = server.runs(f"{name}-low")
    assert len(runs) == 2 and runs[-1]["sigmas"] == low and result.ran
    assert len(server.runs(f"{name}-high")) == 1


def test_the_sampler_node_goes_on_with_a_latent_of_another_model(server, client, second):
    """Distilled Sampler's own sigmas, split: the second half's begin where the latent was left."""
    place, name = scene("flow"), "pair-node"
    halves(place, name, {}, {})
    other = place.add("UNETLoader", unet_name=SECOND, weight_dtype="default")
    model = place.recorded("pair-node-low", model=other)
    first = next(
        key for key, node in place.graph.prompt.items() if node["inputs"].get("end_at_step") == 3
    )
    low = next(
        key for key, node in place.graph.prompt.items() if node["inputs"].get("start_at_step") == 3
    )
    del place.graph.prompt[low]
    made = place.graph.prompt
    made["50"] = _node("StepDistillSampler", model=[model.node, 0], steps=STEPS,
                       denoise=1.0, if_missing="stock")  # fmt: skip
    made["51"] = _node("SplitSigmas", sigmas=["50", 1], step=3)
    made["52"] = _node("DisableNoise")
    made["53"] = _node(
        "CFGGuider", model=[model.node, 0], cfg=3.0,
        **{key: [out.node, out.index] for key, out in place.prompts.items()},
    )  # fmt: skip
    made["54"] = _node(
        "SamplerCustomAdvanced", noise=["52", 0], guider=["53", 0], sampler=["50", 0],
        sigmas=["51", 1], latent_image=[first, 0],
    )  # fmt: skip
    for node in made.values():
        if node["class_type"] == "TestSave":
            node["inputs"]["samples"] = ["54", 0]
    client.forget()
    client.run(place.graph)
    high = server.runs("pair-node-high")[-1]["sigmas"]
    own = server.runs("pair-node-low")[-1]["sigmas"]  # what the host brought
    asked = server.runs("pair-node-low")[-1]["asked"]
    assert own[0] != high[-1]
    led = continued_from(own, high[-1])
    assert np.allclose(asked, led[:-1], rtol=2e-6) and np.isclose(asked[0], high[-1], rtol=1e-7)
    drawn = expected.model_latents("flow", server.array(f"{name}.samples"))
    wanted = by_the_library(second, high, led, second_sampler="dpmpp_2m")
    assert (drawn - wanted).abs().max() < 1e-5 * drawn.abs().max()


def test_behind_apply_a_split_schedule_of_ours_goes_on_there_too(server, client, second):
    """BasicScheduler's `distilled`, SplitSigmas, SamplerCustomAdvanced: the run is what meets."""
    place, name = scene("flow"), "pair-split"
    halves(place, name, {}, {})
    other = place.add("UNETLoader", unet_name=SECOND, weight_dtype="default")
    model = place.recorded("pair-split-low", model=other)
    applied = place.add("StepDistillApply", model=model, use_offsets=True)
    sigmas = place.add(
        "BasicScheduler", model=applied, scheduler="distilled", steps=STEPS, denoise=1.0
    )
    parts = place.add("SplitSigmas", sigmas=sigmas, step=3)
    prompt = place.graph.prompt
    by_start = {node["inputs"].get("start_at_step"): key for key, node in prompt.items()}
    guider = place.add("CFGGuider", model=applied, **place.prompts, cfg=3.0)
    drawn = place.add(
        "SamplerCustomAdvanced", noise=place.add("DisableNoise"), guider=guider,
        sampler=place.add("KSamplerSelect", sampler_name="euler"), sigmas=parts[1],
        latent_image=Out(by_start[0]),
    )  # fmt: skip
    del prompt[by_start[3]]
    for node in prompt.values():
        if node["class_type"] == "TestSave":
            node["inputs"]["samples"] = [drawn.node, 0]
    high, low = ran(server, client, place, name)
    assert high[-1] == low[0]
    latents = expected.model_latents("flow", server.array(f"{name}.samples"))
    assert (latents - by_the_library(second, high, low)).abs().max() < 1e-5 * latents.abs().max()


def test_a_stock_second_half_is_never_altered_and_the_gap_is_said(server, client, second):
    place, name = scene("flow"), "pair-gap"
    halves(place, name, {}, {"scheduler": "simple"}, apply=True)
    high, low = ran(server, client, place, name)
    assert high[-1] != low[0]
    assert "so the two halves do not meet" in server.log()


def _node(kind: str, **inputs) -> dict:
    return {"class_type": kind, "inputs": inputs}


def test_distil_pair_and_its_halves(server, client, second):
    """One schedule over both: the halves meet at the published boundary, and beat the best stock pair."""
    place, name = scene("flow"), "pair-distilled"
    other = place.add("UNETLoader", unet_name=SECOND, weight_dtype="default")
    made = place.add(
        "StepDistillPair", model=place.model, second_model=other, **place.prompts,
        latent_image=place.latent, cfg=3.0, sampler_name="dpmpp_2m", max_steps=6, hand_over=0.875,
        noise_seed=3,
    )  # fmt: skip
    client.forget()
    report = client.run(place.graph).text(made)
    assert "Both halves are kept in your store." in report and "6 steps: hands over after" in report
    store = Store(server.store)
    found = [store.load(brief.file) for brief in store.records()]
    by_half = {pair_half(each).half: each for each in found if pair_half(each)}
    recipe = by_half[FIRST].recipe("dpmpp_2m", 6)
    assert recipe == by_half[SECOND_HALF].recipe("dpmpp_2m", 6)
    assert recipe.evidence["ratio"] < 1 and recipe.choice.ours
    step = hand_over_step(recipe)
    place = scene("flow")
    sampler = {"sampler_name": "dpmpp_2m"}
    halves(place, name, sampler, sampler, split=(step, step))
    high, low = ran(server, client, place, name)
    assert high[-1] == low[0] and np.isclose(low[0], 0.875, rtol=1e-6)
    assert np.allclose([*high, *low[1:]], recipe.sigmas, rtol=2e-6)
    drawn = expected.model_latents("flow", server.array(f"{name}.samples"))
    wanted = by_the_library(second, high, low, "dpmpp_2m", "dpmpp_2m")
    assert (drawn - wanted).abs().max() < 1e-5 * drawn.abs().max()
    # A run that is split elsewhere is not the pair's: each model's own recipe, still meeting.
    place = scene("flow")
    away = 3 if step != 3 else 4
    halves(place, f"{name}-away", sampler, sampler, split=(away, away))
    high, low = ran(server, client, place, f"{name}-away")
    assert high[-1] == low[0] and np.allclose(high, FIRST_RECIPE[: away + 1], rtol=2e-6)


def test_models_that_share_no_noise_are_refused(server, client, second):
    place = scene("flow")
    other = place.add("UNETLoader", unet_name="eps.safetensors", weight_dtype="default")
    place.add(
        "StepDistillPair", model=place.model, second_model=other, **place.prompts,
        latent_image=place.latent, cfg=3.0, sampler_name="euler", max_steps=4, hand_over=0.875,
        noise_seed=3,
    )  # fmt: skip
    with pytest.raises(Failed, match="different noise levels"):
        client.run(place.graph)


def drawn_by_the_pair(place, name: str, **changed):
    other = place.add("UNETLoader", unet_name=SECOND, weight_dtype="default")
    settings = {"seed": 5, "steps": 5, "cfg": 3.0, "sampler_name": "euler", "hand_over": 0.6}
    settings |= {"learn": "now"} | changed
    made = place.add(
        "StepDistillPairKSampler", model=place.recorded(f"{name}-high"),
        second_model=place.recorded(f"{name}-low", model=other), **place.prompts,
        latent_image=place.latent, **settings,
    )  # fmt: skip
    place.saved(name, samples=made)
    return made


def test_few_step_ksampler_of_a_pair_distils_once_and_draws(server, client, second):
    texts = []
    for number, changed in enumerate([{}, {"seed": 6}, {"steps": 4}, {"seed": 7, "steps": 5}]):
        place, name = scene("flow"), f"few-pair-{number}"
        made = drawn_by_the_pair(place, name, **changed)
        client.forget()
        texts.append(client.run(place.graph).text(made))
    assert ["kept in your store" in text for text in texts] == [True, False, True, False]
    assert all(text.startswith("The pair's recipe") for text in texts)
    high = server.runs("few-pair-0-high")[-1]["sigmas"]
    low = server.runs("few-pair-0-low")[-1]["sigmas"]
    assert high[-1] == low[0] and len(high) + len(low) == 7
    drawn = expected.model_latents("flow", server.array("few-pair-0.samples"))
    wanted = by_the_library(second, high, low)
    assert (drawn - wanted).abs().max() < 1e-5 * drawn.abs().max()


def test_without_learning_a_stock_pair_is_drawn_and_named(server, client, second):
    place, name = scene("flow"), "few-pair-off"
    made = drawn_by_the_pair(place, name, steps=7, learn="off")
    assert "Stock schedule 'simple', 7 steps" in client.run(place.graph).text(made)
    high, low = (server.runs(f"{name}-{half}")[-1]["sigmas"] for half in ("high", "low"))
    assert high[-1] == low[0] <= 0.6 < high[-2]
