"""Prompts swapped as files, run on the real server: what ran is what the swap says, and put back it
is what it was."""

from __future__ import annotations

import json

import numpy as np
import pytest

from scheduler.workflow import parse, swap
from tests.comfyui import expected
from tests.comfyui.graphs import CFG, scene

SAME = 1e-5


def as_sigmas(sigmas):
    """To compare with float32 sigmas that went through the host."""
    return pytest.approx(np.float32(sigmas).tolist(), rel=1e-6, abs=0)


def run_swapped(client, prompt: dict, *ways: tuple):
    """Swap a prompt, in one way after the other, and run it; returns the last report."""
    document = parse(json.dumps(prompt))
    reports = [swap(document, to, record) for to, record in ways]
    s = scene()
    s.graph.prompt = document.value
    client.run(s.graph)
    return reports[-1]


def check_drawn(server, name: str, recipe) -> None:
    (run,) = server.runs(name)
    assert run["sigmas"] == as_sigmas(recipe.sigmas)
    assert (
        expected.apart(
            expected.model_latents("flow", server.array(f"{name}.samples")),
            expected.drawn("flow", recipe),
        )
        < SAME
    )


def ksampler(name: str, scheduler: str = "normal", **changed) -> dict:
    s = scene()
    s.ksampler(s.recorded(name), name, scheduler=scheduler, **changed)
    return s.graph.prompt


@pytest.mark.parametrize("sampler", ["euler", "distilled"])
def test_a_prompt_that_carries_its_record_needs_no_store(server, client, distilled_flow, sampler):
    name = f"swapped-{sampler}"
    report = run_swapped(
        client, ksampler(name, sampler_name=sampler), ("distilled", distilled_flow.record)
    )
    assert report.changed == 3 and report.exact
    check_drawn(server, name, distilled_flow.record.recipe(sampler, 6))


def test_the_entry_follows_the_store(server, client, flow):
    run_swapped(client, ksampler("swapped-entry"), ("distilled", None))
    (run,) = server.runs("swapped-entry")
    assert run["sigmas"] in [
        as_sigmas(recipe.sigmas) for recipe in flow.record.recipes if recipe.steps == 6
    ]


def test_a_maker_becomes_distilled_sigmas(server, client, distilled_flow):
    s = scene()
    model = s.recorded("swapped-maker")
    s.custom(
        s.add("BetaSamplingScheduler", model=model, steps=6, alpha=0.6, beta=0.6),
        "dpmpp_2m",
        "swapped-maker",
        model=model,
    )
    run_swapped(client, s.graph.prompt, ("distilled", distilled_flow.record))
    check_drawn(server, "swapped-maker", distilled_flow.record.recipe("dpmpp_2m", 6, offsets=False))


def test_put_back_runs_as_before(server, client, distilled_flow):
    for name, ways in (
        ("stock-before", ()),
        ("stock-after", (("distilled", distilled_flow.record), ("stock", None))),
    ):
        run_swapped(client, ksampler(name), ("stock", None), *ways)
    before, after = (server.runs(name)[0]["sigmas"] for name in ("stock-before", "stock-after"))
    assert before == after and np.array_equal(
        server.array("stock-before.samples"), server.array("stock-after.samples")
    )


@pytest.mark.since("0.6")
@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "res_multistep"])
def test_a_baked_ksampler_draws_the_recipe(server, client, distilled_flow, sampler):
    name = f"baked-{sampler}"
    report = run_swapped(
        client, ksampler(name, sampler_name=sampler), ("baked", distilled_flow.record)
    )
    assert not any("StepDistill" in need for need in report.needs)
    check_drawn(server, name, distilled_flow.record.recipe(sampler, 6, offsets=False))


@pytest.mark.since("0.6")
def test_baked_slices_draw_the_whole(server, client, distilled_flow):
    """Two KSampler (Advanced), the first with its noise left over, the second going on: as one run
    over the whole schedule."""
    s = scene()
    model, same = (
        s.recorded("slices"),
        {"steps": 6, "cfg": CFG, "sampler_name": "euler", "scheduler": "normal", "noise_seed": 5},
    )
    first = {
        "add_noise": "enable",
        "start_at_step": 0,
        "end_at_step": 3,
        "return_with_leftover_noise": "enable",
    }
    second = {
        "add_noise": "disable",
        "start_at_step": 3,
        "end_at_step": 10000,
        "return_with_leftover_noise": "disable",
    }
    half = s.add(
        "KSamplerAdvanced", model=model, **s.prompts, latent_image=s.latent, **same, **first
    )
    s.saved(
        "slices",
        samples=s.add(
            "KSamplerAdvanced", model=model, **s.prompts, latent_image=half, **same, **second
        ),
    )
    run_swapped(client, s.graph.prompt, ("baked", distilled_flow.record))
    recipe = distilled_flow.record.recipe("euler", 6, offsets=False)
    assert [run["sigmas"] for run in server.runs("slices")] == [
        as_sigmas(recipe.sigmas[:4]),
        as_sigmas(recipe.sigmas[3:]),
    ]
    found = expected.model_latents("flow", server.array("slices.samples"))
    assert expected.apart(found, expected.drawn("flow", recipe)) < SAME


@pytest.mark.since("0.6")
def test_a_baked_maker_draws_the_recipe(server, client, distilled_flow):
    s = scene()
    model = s.recorded("baked-maker")
    s.custom(
        s.add("Flux2Scheduler", steps=6, width=64, height=64), "euler", "baked-maker", model=model
    )
    run_swapped(client, s.graph.prompt, ("baked", distilled_flow.record))
    check_drawn(server, "baked-maker", distilled_flow.record.recipe("euler", 6, offsets=False))
