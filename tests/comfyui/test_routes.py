"""Every way in which a recipe reaches a sampling run: what ran is what the library computes."""

from __future__ import annotations

import numpy as np
import pytest

from scheduler.lookup.solving import solved
from tests.comfyui import expected
from tests.comfyui.graphs import CFG, scene

SAME = 1e-5


def as_sigmas(sigmas):
    """To compare with float32 sigmas that went through the host."""
    return pytest.approx(np.float32(sigmas).tolist(), rel=1e-6, abs=0)


def check_drawn(server, name: str, recipe, kind: str = "flow") -> None:
    """One run, on this recipe's sigmas, of as many model calls as steps, drew what the library draws."""
    (run,) = server.runs(name)
    assert run["sigmas"] == as_sigmas(recipe.sigmas) and len(run["asked"]) == recipe.steps
    found, wanted = (
        expected.model_latents(kind, server.array(f"{name}.samples")),
        expected.drawn(kind, recipe),
    )
    if (
        recipe.sampler == "uni_pc"
    ):  # the host ends at 0.001, which for a flow model is a factor of 1 / (1 - 0.001)
        found *= 0.999
    assert expected.apart(found, wanted) < SAME


@pytest.fixture
def recipe(flow):
    """recipe("euler", 6, offsets=False) of the flow checkpoint's record."""
    return flow.record.recipe


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "res_multistep", "uni_pc"])
def test_sigmas_and_sampler_custom(server, client, recipe, sampler):
    s, name = scene(), f"custom-{sampler}"
    model = s.recorded(name)
    found = s.add(
        "StepDistillSigmas",
        model=model,
        sampler_name=sampler,
        steps=6,
        denoise=1.0,
        if_missing="error",
    )
    chosen = s.add("KSamplerSelect", sampler_name=sampler)
    rest = s.prompts | {"sampler": chosen, "sigmas": found, "latent_image": s.latent}
    drawn = s.add("SamplerCustom", model=model, add_noise=True, noise_seed=5, cfg=CFG, **rest)
    s.saved(name, samples=drawn)
    result = client.run(s.graph)
    check_drawn(server, name, recipe(sampler, 6, offsets=False))
    assert result.text(found).startswith("Distilled for flow, 6 steps")


@pytest.mark.parametrize("kind, steps", [("flow", 6), ("flow", 4), ("eps", 5)])
def test_distilled_sampler_and_sampler_custom_advanced(request, server, client, kind, steps):
    made, s, name = request.getfixturevalue(kind), scene(kind), f"sampler-{kind}-{steps}"
    model = s.recorded(name)
    sampler = s.add("StepDistillSampler", model=model, steps=steps, denoise=1.0, if_missing="error")
    s.custom(sampler[1], sampler, name, model=model)
    client.run(s.graph)
    recipe = made.record.recipe("distilled", steps)
    assert recipe.coefficients is not None
    check_drawn(server, name, recipe, kind)


@pytest.mark.parametrize("sampler", ["distilled", "euler", "dpmpp_2m", "res_multistep"])
def test_apply_and_ksampler(server, client, recipe, sampler):
    s, name = scene(), f"apply-{sampler}"
    s.ksampler(
        s.add("StepDistillApply", model=s.recorded(name), use_offsets=True),
        name,
        sampler_name=sampler,
    )
    client.run(s.graph)
    wanted = recipe(sampler, 6)
    check_drawn(server, name, wanted)
    if wanted.offsets and any(wanted.offsets):
        assert server.runs(name)[0]["asked"] != as_sigmas(wanted.sigmas[:-1])


def test_apply_without_offsets(server, client, recipe):
    s = scene()
    s.ksampler(
        s.add("StepDistillApply", model=s.recorded("bare-apply"), use_offsets=False), "bare-apply"
    )
    client.run(s.graph)
    check_drawn(server, "bare-apply", recipe("euler", 6, offsets=False))
    assert server.runs("bare-apply")[0]["asked"] == as_sigmas(
        recipe("euler", 6, offsets=False).sigmas[:-1]
    )


def test_one_apply_serves_several_samplers_and_steps(server, client, recipe):
    s = scene()
    applied = s.add("StepDistillApply", model=s.model, use_offsets=True)
    for sampler, steps in (("euler", 4), ("dpmpp_2m", 5)):
        s.ksampler(
            s.recorded(f"many-{sampler}", model=applied),
            f"many-{sampler}",
            sampler_name=sampler,
            steps=steps,
        )
    client.run(s.graph)
    check_drawn(server, "many-euler", recipe("euler", 4))
    check_drawn(server, "many-dpmpp_2m", recipe("dpmpp_2m", 5))


@pytest.mark.parametrize("scheduler", ["simple", "karras"])
def test_apply_leaves_other_schedulers_alone(server, client, flow, scheduler):
    for name, applied in (("with", True), ("without", False)):
        s, run = scene(), f"{scheduler}-{name}"
        model = s.recorded(run)
        s.ksampler(
            s.add("StepDistillApply", model=model, use_offsets=True) if applied else model,
            run,
            scheduler=scheduler,
        )
        client.run(s.graph)
    assert server.runs(f"{scheduler}-with") == server.runs(f"{scheduler}-without")
    assert np.array_equal(
        server.array(f"{scheduler}-with.samples"), server.array(f"{scheduler}-without.samples")
    )


@pytest.mark.parametrize("sampler", ["euler", "distilled"])
def test_the_bare_dropdown_follows_the_loaded_model(server, client, recipe, sampler):
    s, name = scene(), f"dropdown-{sampler}"
    s.ksampler(s.recorded(name), name, sampler_name=sampler)
    client.run(s.graph)
    check_drawn(server, name, recipe(sampler, 6, offsets=sampler == "distilled"))


@pytest.mark.parametrize("sampler", ["dpm_2", "uni_pc", "euler_ancestral", "dpmpp_2m_sde"])
@pytest.mark.parametrize("steps", [1, 5])
def test_every_sampler_gets_exactly_the_steps_it_asks_for(server, client, flow, sampler, steps):
    s, name = scene(), f"any-{sampler}-{steps}"
    s.ksampler(
        s.add("StepDistillApply", model=s.recorded(name), use_offsets=True),
        name,
        sampler_name=sampler,
        steps=steps,
    )
    client.run(s.graph)
    (run,) = server.runs(name)
    assert (
        len(run["sigmas"]) == steps + 1
        and run["sigmas"][0] == 1.0
        and run["sigmas"][-1] == 0
        and (np.diff(run["sigmas"]) < 0).all()
    )


def test_basic_scheduler_has_it_too(server, client, recipe):
    s = scene()
    sigmas = s.add("BasicScheduler", model=s.model, scheduler="distilled", steps=6, denoise=1.0)
    s.custom(s.saved("basic", sigmas=sigmas), "euler", "basic-drawn")
    client.run(s.graph)
    assert server.array("basic.sigmas").tolist() == as_sigmas(
        recipe("euler", 6, offsets=False).sigmas
    )


@pytest.mark.parametrize("route", ["apply", "sigmas", "dropdown"])
def test_denoise_starts_at_a_noise_level_and_keeps_the_steps(server, client, flow, route):
    s, name = scene(), f"half-{route}"
    model = s.recorded(name)
    if route == "sigmas":
        found = s.add(
            "StepDistillSigmas",
            model=model,
            sampler_name="euler",
            steps=4,
            denoise=0.5,
            if_missing="error",
        )
        s.custom(found, "euler", name, model=model)
    else:
        applied = (
            s.add("StepDistillApply", model=model, use_offsets=True) if route == "apply" else model
        )
        s.ksampler(applied, name, steps=4, denoise=0.5)
    client.run(s.graph)
    (run,) = server.runs(name)
    wanted = solved(flow.record.gram, "euler", 4, 0.75, flow.record.model.sigma_min)
    assert run["sigmas"] == as_sigmas(wanted.sigmas) and run["sigmas"][0] == pytest.approx(0.75)
    ours = expected.plain("flow", run["sigmas"], "euler")
    assert (
        expected.apart(expected.model_latents("flow", server.array(f"{name}.samples")), ours) < SAME
    )


@pytest.mark.parametrize("applied", [True, False])
def test_advanced_slices_meet_and_end_at_zero(server, client, recipe, applied):
    s, name = scene(), f"slices-{applied}"
    model = s.recorded(name)
    model = s.add("StepDistillApply", model=model, use_offsets=False) if applied else model
    shared = {
        "noise_seed": 5,
        "steps": 6,
        "cfg": CFG,
        "sampler_name": "euler",
        "scheduler": "distilled",
    } | s.prompts
    first = s.add(
        "KSamplerAdvanced",
        model=model,
        latent_image=s.latent,
        add_noise="enable",
        start_at_step=0,
        end_at_step=3,
        return_with_leftover_noise="enable",
        **shared,
    )
    second = s.add(
        "KSamplerAdvanced",
        model=model,
        latent_image=first,
        add_noise="disable",
        start_at_step=3,
        end_at_step=10000,
        return_with_leftover_noise="disable",
        **shared,
    )
    s.saved(name, samples=second)
    client.run(s.graph)
    runs, whole = server.runs(name), recipe("euler", 6, offsets=False)
    assert [run["sigmas"] for run in runs] == [
        as_sigmas(whole.sigmas[:4]),
        as_sigmas(whole.sigmas[3:]),
    ]
    assert (
        expected.apart(
            expected.model_latents("flow", server.array(f"{name}.samples")),
            expected.drawn("flow", whole),
        )
        < SAME
    )


def test_the_distilled_sampler_on_foreign_sigmas_runs_exactly_those(server, client, flow):
    s = scene()
    model = s.recorded("foreign")
    karras = s.add("BasicScheduler", model=model, scheduler="karras", steps=6, denoise=1.0)
    s.custom(
        karras,
        s.add("StepDistillSampler", model=model, steps=6, denoise=1.0, if_missing="error"),
        "foreign",
        model=model,
    )
    client.run(s.graph)
    (run,) = server.runs("foreign")
    ours = expected.plain("flow", run["sigmas"], "dpmpp_2m")
    assert run["asked"] == run["sigmas"][:-1] and len(run["asked"]) == 6
    assert (
        expected.apart(expected.model_latents("flow", server.array("foreign.samples")), ours) < SAME
    )
    assert "dpmpp_2m" in server.log()


def test_a_shifted_model_is_named_as_such(server, client, flow):
    s = scene()
    shifted = s.add("ModelSamplingSD3", model=s.model, shift=6.0)
    found = s.add(
        "StepDistillSigmas",
        model=shifted,
        sampler_name="euler",
        steps=6,
        denoise=1.0,
        if_missing="stock",
    )
    s.add("TestSave", name="shifted", sigmas=found, text=found[1])
    client.run(s.graph)
    words = (server.output / "shifted.txt").read_text(encoding="utf-8")
    assert "shift" in words or "sigmas" in words
    assert len(server.array("shifted.sigmas")) == 7


def test_compare_draws_the_same_noise_with_every_schedule(server, client, flow):
    s = scene()
    compared = s.add(
        "StepDistillCompare",
        model=s.recorded("compared"),
        **s.prompts,
        latent_image=s.latent,
        cfg=CFG,
        sampler_name="euler",
        schedulers="simple\nkarras\ndistilled",
        steps="4, 6",
        seeds=2,
        noise_seed=3,
    )
    s.add("TestSave", name="compared", images=compared, text=compared[2])
    s.add("TestSave", name="pictures", images=compared[1])
    client.run(s.graph)
    table = (server.output / "compared.txt").read_text(encoding="utf-8")
    assert all(name in table for name in ("simple", "karras", "distilled"))
    for name in ("compared", "pictures"):
        picture = server.array(f"{name}.images")
        assert (
            picture.ndim == 4 and picture.shape[-1] == 3 and 0 <= picture.min() < picture.max() <= 1
        )
    assert len(server.runs("compared")) == 1  # all of it inside one sampling call of the host
