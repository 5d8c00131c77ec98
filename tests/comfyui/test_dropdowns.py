"""The two dropdown entries and Apply in a real server, on a record made by hand, so that every run
can be told from stock."""

from __future__ import annotations

import json
import os
import time

import numpy as np
import pytest
import torch

from scheduler.denoiser import half_log_snr, sigma_at
from scheduler.fingerprint import fingerprint_file
from scheduler.fit.teacher import record_teacher
from scheduler.lookup.solving import solved
from scheduler.record import Conditions, Model, Recipe, Record
from scheduler.sigmas import flow_table, log_snr_grid, published_schedule, stock_schedule
from scheduler.store import Store
from tests.comfyui import expected
from tests.comfyui.client import Failed, Interrupted
from tests.comfyui.graphs import scene, video
from tests.comfyui.server import CHECKPOINTS, Server

PROVENANCE = {"version": "0.1.0", "created": "2026-11-21T00:00:00Z", "model_calls": 100}
KINDS = ("flow", "eps")
NAME = "by-hand"


def made(kind: str):
    """A record of a bundled checkpoint with easily told recipes of 4 and 6 steps, and its teacher's
    inner products."""
    model, name = expected.checkpoint(kind), fingerprint_file(CHECKPOINTS / f"{kind}.safetensors")
    low, high, form = model.sigma_min, model.sigma_max, model.parametrisation
    about = {
        "name": NAME,
        "shift": model.shift,
        "prediction": model.prediction,
        "fingerprint": name.id,
        "samples": name.samples,
    }
    conditions = Conditions(cfg=expected.CFG, latent_shape=model.latent_shape, **about)
    grid = log_snr_grid(low, high, 16, form)
    gram = record_teacher(expected.denoiser(kind), expected.noise(kind, 1), grid, form).gram
    recipes = [recipe for steps in (4, 6) for recipe in _recipes(low, high, form, steps)]
    model = Model.of(conditions, form, low, high)
    return Record(model, conditions, None, tuple(recipes), {}, PROVENANCE, gram)


def _recipes(low: float, high: float, form: str, steps: int):
    """Schedules that no stock one is like, each sampler's its own."""
    for sampler, power in (("euler", 1.3), ("dpmpp_2m", 0.8), ("distilled", 1.1)):
        top = min(high, 0.97) if form == "flow" else high
        ends = half_log_snr(np.array([top, 8 * low]), form)
        sigmas = np.append(
            sigma_at(ends[0] + (ends[1] - ends[0]) * np.linspace(0, 1, steps) ** power, form), 0.0
        )
        sigmas[0] = high
        offsets = [0.0, *[-0.12] * (steps - 1)]
        if sampler == "distilled":
            rows = [[0.0] * 4, *[[0.3, 0.0, 0.02, -0.01]] * (steps - 1)]
            yield Recipe(sampler, steps, high, sigmas, offsets, rows)
        else:
            yield Recipe(sampler, steps, high, sigmas)
            yield Recipe(sampler, steps, high, sigmas**1.05 * high**-0.05, offsets)


@pytest.fixture(scope="module")
def records(server):
    """The records by kind, in the server's store while this module runs, so that other modules find
    their own."""
    store = Store(server.store)
    found = {kind: made(kind) for kind in KINDS}
    names = [store.put(each) for each in found.values()]
    yield found
    for name in names:
        store.remove(name)


def ran(server, client, place, name: str):
    """(the run as the host saw it, the latents) of a prompt that saves and records under one name."""
    client.forget()
    client.run(place.graph)
    return server.runs(name)[-1], server.array(f"{name}.samples")


def near(kind: str, latents: np.ndarray, wanted: torch.Tensor) -> bool:
    return bool((expected.model_latents(kind, latents) - wanted).abs().max() < 2e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "distilled"])
@pytest.mark.parametrize("offsets", [True, False])
def test_apply_gives_every_sampler_its_own_recipe(server, client, records, kind, sampler, offsets):
    place, name = scene(kind), f"apply-{kind}-{sampler}-{offsets}"
    applied = place.add("StepDistillApply", model=place.recorded(name), use_offsets=offsets)
    place.ksampler(applied, name, sampler_name=sampler)
    run, latents = ran(server, client, place, name)
    recipe = records[kind].recipe(sampler, 6, offsets=offsets or sampler == "distilled")
    assert np.allclose(run["sigmas"], recipe.sigmas, rtol=1e-6) and len(run["asked"]) == 6
    assert np.allclose(run["asked"], recipe.sigmas[:-1], rtol=1e-6) == (recipe.offsets is None)
    assert near(kind, latents, expected.drawn(kind, recipe))


def test_what_runs_is_said_once_and_only_by_who_knows_it(server, client, records):
    """The scheduler's entry knows neither cfg nor size; with Apply its wrapper does."""
    place, name = scene("flow"), "said-once"
    applied = place.add("StepDistillApply", model=place.recorded(name), use_offsets=True)
    place.ksampler(applied, name, sampler_name="euler", steps=7)  # of which nothing was said yet
    before = len(server.log())
    ran(server, client, place, name)
    said = [line for line in server.log()[before:].splitlines() if "7 steps" in line]
    assert len(said) == 1, said


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "distilled"])
def test_bare_dropdowns_follow_model_and_sampler(server, client, records, kind, sampler):
    place, name = scene(kind), f"bare-{kind}-{sampler}"
    place.ksampler(place.recorded(name), name, sampler_name=sampler)
    run, latents = ran(server, client, place, name)
    recipe = records[kind].recipe(sampler, 6, offsets=sampler == "distilled")
    assert np.allclose(run["sigmas"], recipe.sigmas, rtol=2e-6)
    assert near(kind, latents, expected.drawn(kind, recipe))


@pytest.mark.parametrize("apply", [True, False])
@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "distilled"])
def test_denoise_is_a_noise_level_and_the_steps_are_solved_for_it(
    server, client, records, sampler, apply
):
    record = records["flow"]
    place, name = scene("flow"), f"denoise-{sampler}-{apply}"
    model = place.recorded(name)
    model = place.add("StepDistillApply", model=model, use_offsets=True) if apply else model
    place.ksampler(model, name, sampler_name=sampler, denoise=0.4, steps=6)
    run, _ = ran(server, client, place, name)
    start = 3 * 0.4 / (1 + 2 * 0.4)
    wanted = solved(
        record.gram,
        sampler if sampler in ("euler", "dpmpp_2m") else "dpmpp_2m",
        6,
        start,
        record.model.sigma_min,
    ).sigmas
    assert np.allclose(run["sigmas"], wanted, rtol=1e-5) and len(run["asked"]) == 6


def test_basic_scheduler_knows_the_sampler_that_it_feeds(server, client, records):
    for sampler in ("dpmpp_2m", "distilled"):
        place, name = scene("eps"), f"basic-{sampler}"
        model = place.recorded(name)
        sigmas = place.add(
            "BasicScheduler", model=model, scheduler="distilled", steps=4, denoise=1.0
        )
        place.custom(sigmas, sampler, name, model)
        run, latents = ran(server, client, place, name)
        recipe = records["eps"].recipe(sampler, 4, offsets=sampler == "distilled")
        assert np.allclose(run["sigmas"], recipe.sigmas, rtol=2e-6)
        assert near("eps", latents, expected.drawn("eps", recipe))


@pytest.mark.parametrize("apply", [True, False])
def test_two_halves_of_a_ksampler_advanced_fit_together(server, client, records, apply):
    place, name = scene("flow"), f"halves-{apply}"
    model = place.recorded(name)
    model = place.add("StepDistillApply", model=model, use_offsets=True) if apply else model
    shared = {
        "model": model,
        **place.prompts,
        "noise_seed": 5,
        "steps": 6,
        "cfg": 3.0,
        "sampler_name": "euler",
        "scheduler": "distilled",
    }
    first = place.add(
        "KSamplerAdvanced", **shared, latent_image=place.latent, add_noise="enable",
        start_at_step=0, end_at_step=3, return_with_leftover_noise="enable",
    )  # fmt: skip
    second = place.add(
        "KSamplerAdvanced", **shared, latent_image=first, add_noise="disable",
        start_at_step=3, end_at_step=10000, return_with_leftover_noise="disable",
    )  # fmt: skip
    place.saved(name, samples=second)
    client.forget()
    client.run(place.graph)
    high, low = server.runs(name)[-2:]
    recipe = records["flow"].recipe("euler", 6, offsets=False)
    assert high["sigmas"][-1] == low["sigmas"][0]
    assert np.allclose([*high["sigmas"], *low["sigmas"][1:]], recipe.sigmas, rtol=2e-6)
    assert near("flow", server.array(f"{name}.samples"), expected.drawn("flow", recipe))


def test_stock_schedules_and_other_sigmas_are_left_alone(server, client, records):
    for scheduler in ("simple", "karras"):
        place, name = scene("flow"), f"alone-{scheduler}"
        applied = place.add("StepDistillApply", model=place.recorded(name), use_offsets=True)
        place.ksampler(applied, name, scheduler=scheduler)
        run, latents = ran(server, client, place, name)
        assert run["asked"] == run["sigmas"][:-1]
        assert near("flow", latents, expected.plain("flow", run["sigmas"], "euler"))
    place, name = scene("flow"), "alone-sampler"
    place.ksampler(place.recorded(name), name, scheduler="simple", sampler_name="distilled")
    run, latents = ran(server, client, place, name)
    assert near("flow", latents, expected.plain("flow", run["sigmas"], "dpmpp_2m"))
    assert "ran as dpmpp_2m" in server.log()


def test_the_sampler_node_and_the_sigmas_node(server, client, records):
    record = records["eps"]
    place = scene("eps")
    made = place.add(
        "StepDistillSampler", model=place.model, steps=6, denoise=1.0, if_missing="error"
    )
    place.custom(made[1], made, "node-sampler")
    sigmas = place.add(
        "StepDistillSigmas",
        model=place.model,
        sampler_name="euler",
        steps=4,
        denoise=1.0,
        if_missing="error",
    )
    place.custom(sigmas, "euler", "node-sigmas")
    client.forget()
    result = client.run(place.graph)
    assert NAME in result.text(made) and NAME in result.text(sigmas)
    payload = result.ui(made)["stepdistill"][0]
    assert (
        payload["sampler"] == "distilled"
        and payload["steps"] == 6
        and payload["offsets"]
        and len(json.dumps(payload)) < 60_000
    )
    assert near(
        "eps",
        server.array("node-sampler.samples"),
        expected.drawn("eps", record.recipe("distilled", 6)),
    )
    assert near(
        "eps",
        server.array("node-sigmas.samples"),
        expected.drawn("eps", record.recipe("euler", 4, offsets=False)),
    )


def test_a_model_sampling_node_makes_it_another_model(server, client, records):
    place = scene("flow")
    shifted = place.add("ModelSamplingSD3", model=place.model, shift=5.0)
    made = place.add(
        "StepDistillSigmas",
        model=shifted,
        sampler_name="euler",
        steps=4,
        denoise=1.0,
        if_missing="stock",
    )
    place.saved("shifted", sigmas=made)
    client.forget()
    info = client.run(place.graph).text(made)
    # its range is another, so the record serves only through its inner products, and says so
    assert "shift 3, you use 5" in info or "not distilled" in info
    sigmas = server.array("shifted.sigmas")
    assert len(sigmas) == 5 and sigmas[0] == 1 and sigmas[-1] == 0


def test_without_a_record_what_is_published_for_the_family_runs_and_says_so_once(server, client):
    """Wan 2.1: OptimalSteps has a table for it."""
    place = video(seed=11)
    applied = place.add("StepDistillApply", model=place.recorded("wan"), use_offsets=True)
    for seed in (1, 2):
        place.ksampler(applied, f"wan-{seed}", seed=seed, steps=5)
    client.forget()
    info = client.run(place.graph).text(applied)
    assert "until you distil" in info
    for run in server.runs("wan"):
        table = published_schedule("optimal_steps_wan", 5)
        assert np.allclose(run["sigmas"], table, rtol=1e-5)
        assert run["asked"] == run["sigmas"][:-1]
    assert server.array("wan-1.samples").shape == (1, 16, 2, 8, 8)
    says = "Published schedule 'optimal-steps-wan', 5 steps, not distilled: no record of this model"
    assert server.log().count(says) == 1


def test_without_any_the_hosts_usual_runs_and_says_so(server, client):
    """With heun, for which nobody publishes a table."""
    place = video(seed=11)
    place.ksampler(place.recorded("plain"), "wan-plain", steps=5, sampler_name="heun")
    client.run(place.graph)
    (run,) = server.runs("plain")
    assert np.allclose(run["sigmas"], stock_schedule("simple", flow_table(8.0), 5), rtol=1e-5)
    says = (
        "Stock schedule 'simple', 5 steps, not distilled: no record of this model is in the store"
    )
    assert says in server.log()


def test_the_distilled_sampler_stops_within_a_call(server, client, records):
    place = scene("flow")
    model = place.recorded("slow", seconds=0.5)
    place.ksampler(model, "slow", sampler_name="distilled", steps=6)
    client.forget()
    with client.events() as events:
        prompt = client.queue(place.graph)
        events.until(
            lambda message: message["type"] == "progress_state" or message["type"] == "progress"
        )
        time.sleep(0.6)
        client.interrupt()
        with pytest.raises(Interrupted):
            client.wait(prompt, 30)
    assert len(server.runs("slow")[-1]["asked"]) < 6


def test_what_cannot_be_done_is_one_sentence_on_the_node(server, client, records):
    place = scene("flow")
    other = place.add("StepDistillFromText", text=records["eps"].to_json())
    made = place.add(
        "StepDistillSigmas",
        model=place.model,
        sampler_name="euler",
        steps=6,
        denoise=1.0,
        if_missing="stock",
        record=other,
    )
    place.saved("refused", sigmas=made)
    with pytest.raises(Failed, match="another kind of noise") as failed:
        client.run(place.graph)
    assert failed.value.type == "StepDistillSigmas" and "\n" not in str(failed.value)
    place = scene("flow")
    made = place.add(
        "StepDistillSampler",
        model=place.model,
        steps=9,
        denoise=1.0,
        if_missing="error",
        record=_alone(place, records),
    )
    place.saved("refused", sigmas=made[1])
    client.run(place.graph)  # the store has this record's inner products, so 9 steps are solved
    place.graph.prompt[made.node]["inputs"]["steps"] = 300
    with pytest.raises(Failed, match="no recipe for 300 steps.*if_missing"):
        client.run(place.graph)


def _alone(place, records):
    return place.add("StepDistillFromText", text=records["flow"].to_json())


def test_the_setting_turns_the_entries_off(monkeypatch):
    monkeypatch.setenv("STEPDISTILL_DROPDOWNS", "0")
    with Server(os.environ["COMFYUI_PATH"]) as plain:
        assert "distilled" not in plain.client.choices("KSampler", "scheduler")
        assert "distilled" not in plain.client.choices("KSampler", "sampler_name")
        assert "distilled" in plain.client.choices("StepDistillSigmas", "sampler_name")


def test_the_entries_are_in_every_list(client):
    assert "distilled" in client.choices(
        "BasicScheduler", "scheduler"
    ) and "distilled" in client.choices("KSamplerSelect", "sampler_name")
    for kind in ("KSampler", "KSamplerAdvanced"):
        for name in ("scheduler", "sampler_name"):
            assert client.choices(kind, name).count("distilled") == 1
