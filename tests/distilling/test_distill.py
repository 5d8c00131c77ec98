"""`distill` from end to end on small mixtures: what comes out, what it costs, and how it stops,
resumes and refuses."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from benchmarks.beds import isotropic_bed
from scheduler import Conditions, distill, load_record
from scheduler.denoiser import start_state
from scheduler.distilling.effort import EFFORTS
from scheduler.distilling.recording import fit_rows
from scheduler.errors import (
    BudgetError,
    DenoiserError,
    OutputError,
    RecordError,
    SigmaRangeError,
    StepsError,
    Stopped,
    UnknownNameError,
)
from scheduler.evidence import least_budget
from scheduler.record import Record
from scheduler.rows import in_batches, noise_for
from scheduler.samplers import SAMPLERS, sample
from scheduler.sigmas import baselines, log_snr_grid, table_for
from tests.examples import examples
from tests.mixture import mixture_denoiser, small_mixture, unit_noise

RANGES = {"flow": (0.002, 1.0), "ve": (0.0291671, 14.6146)}
BOTH = ["flow", pytest.param("ve", marks=pytest.mark.slow)]  # the second costs as much again
SHAPE = (1, 8)


class Counted:
    """A denoiser that counts its own model calls, and notes where it was asked and by how many rows."""

    def __init__(self, denoise):
        self.denoise, self.calls, self.levels, self.batches = denoise, 0, set(), set()

    def __call__(self, x, sigma):
        self.calls += len(x)
        self.levels.add(float(sigma[0]))
        self.batches.add(len(x))
        return self.denoise(x, sigma)


def run(parametrisation="flow", denoise=None, **options) -> Record:
    low, high = RANGES[parametrisation]
    about = {
        "latent_shape": SHAPE,
        "sigma_max": high,
        "sigma_min": low,
        "parametrisation": parametrisation,
    }
    small = {
        "budget": 200,
        "evidence_budget": 0,
        "steps": (2, 4),
        "samplers": ("euler", "distilled"),
    }
    return distill(denoise or small_mixture(parametrisation), **about | small | options)


def undated(record: Record) -> Record:
    """Without what differs between equal runs."""
    told = {k: v for k, v in record.provenance.items() if k not in ("created", "seconds")}
    for part in ("plans", "stages"):
        told[part] = [{k: v for k, v in each.items() if k != "created"} for each in told[part]]
    return replace(record, provenance=told)


@pytest.mark.parametrize("parametrisation", BOTH)
@pytest.mark.slow
def test_every_recipe_is_there_and_valid(parametrisation, tmp_path):
    low, high = RANGES[parametrisation]
    steps, samplers, plans, model = (
        (1, 2, 3, 7, 12),
        ("euler", "dpmpp_2m", "distilled"),
        [],
        Counted(small_mixture(parametrisation)),
    )
    evidence = Counted(small_mixture(parametrisation))
    rows = least_budget(samplers, steps, 9)  # three batches of the plan's three rows
    held_out = {"evidence_budget": rows, "evidence_denoise": evidence}
    record = run(
        parametrisation,
        model,
        steps=steps,
        samplers=samplers,
        budget=900,
        **held_out,
        on_plan=plans.append,
    )
    for sampler in samplers:
        for n in steps:
            for offsets in (True, False) if sampler != "distilled" else (True,):
                recipe = record.recipe(sampler, n, offsets=offsets)
                assert (
                    len(recipe.sigmas) == n + 1
                    and recipe.sigmas[0] == high
                    and recipe.sigmas[-1] == 0
                )
                assert all(a > b for a, b in pairwise(recipe.sigmas)) and recipe.sigmas[
                    -2
                ] >= low * (1 - 1e-9)
                if recipe.choice == "ours" and sampler == "distilled":
                    assert len(recipe.coefficients) == len(recipe.offsets) == n
                end = record.sample(
                    small_mixture(parametrisation),
                    unit_noise(3, *SHAPE, dtype=torch.float32),
                    sampler,
                    n,
                    offsets=offsets,
                )
                assert end.shape == (3, *SHAPE) and end.isfinite().all()
    assert model.calls == record.provenance["model_calls"] <= plans[0].calls <= 900
    assert evidence.calls == record.provenance["evidence_calls"] <= plans[0].evidence == rows
    assert min(model.levels) >= low * (1 - 1e-6) and max(model.levels) <= high * (1 + 1e-6)
    assert model.batches == {plans[0].rows} == evidence.batches
    assert record.evidence["recommendation"] and record.recipe("distilled", 3).evidence
    record.save(tmp_path / "a.json")
    assert load_record(tmp_path / "a.json") == record


@pytest.mark.slow
@example("ve", ["distilled"], [1], 585, 3)  # walks of one step, which ask anew
@examples(15)
@given(
    st.sampled_from(sorted(RANGES)),
    st.lists(st.sampled_from([*SAMPLERS, "distilled"]), min_size=1, max_size=3, unique=True),
    st.lists(st.integers(1, 12), min_size=1, max_size=4, unique=True),
    st.integers(0, 1500),
    st.integers(1, 3),
)
def test_calls_never_exceed_the_plan(parametrisation, samplers, steps, extra, sets):
    """Whatever the samplers, steps, efforts and sets; and the least budget that is named works."""
    models, plans = [Counted(small_mixture(parametrisation)) for _ in range(sets)], []
    options = {"denoise": models, "samplers": samplers, "steps": steps, "on_plan": plans.append}
    with pytest.raises(BudgetError) as told:
        run(parametrisation, **options | {"budget": 0})
    least = int(re.search(r"least that works is (\d+)", str(told.value)).group(1))
    record = run(parametrisation, **options | {"budget": least + extra})
    calls = sum(model.calls for model in models)
    assert calls == record.provenance["model_calls"] <= plans[0].calls <= least + extra
    assert {(recipe.sampler, recipe.steps) for recipe in record.recipes} == {
        (sampler, n) for sampler in samplers for n in steps
    }


@pytest.mark.slow
@examples(30)
@given(
    st.lists(st.sampled_from([*SAMPLERS, "distilled"]), min_size=1, max_size=2, unique=True),
    st.lists(st.integers(1, 8), min_size=1, max_size=2, unique=True),
    st.sampled_from([None, 0.6]),
    st.booleans(),
)
def test_starts_cost_what_was_planned(samplers, steps, start_sigma, cautious):
    """From a lower start too, and on latents that nothing is refined on. A walk may find both of its
    offsets equal, and ask once."""

    def blocks(x, sigma):
        many = sigma.repeat_interleave(x[0].numel() // 8)
        return small_mixture()(x.reshape(-1, 1, 8), many).reshape(x.shape)

    model, plans = Counted(blocks), []
    options = {"samplers": samplers, "steps": steps, "start_sigma": start_sigma}
    options |= {"denoise": model, "latent_shape": (1, 8 if cautious else 640), "samples": 1}
    with pytest.raises(BudgetError) as told:
        run(**options, budget=0)
    least = int(re.search(r"least that works is (\d+)", str(told.value)).group(1))
    run(**options, budget=least, on_plan=plans.append)
    assert plans[0].calls == least
    walked = sum(steps) if "distilled" in samplers else 0
    assert least - walked <= model.calls <= least


@pytest.mark.parametrize(
    "effort",
    [pytest.param(name, marks=[] if name == "instant" else pytest.mark.slow) for name in EFFORTS],
)
@pytest.mark.parametrize("parametrisation", BOTH)
@pytest.mark.slow
def test_every_effort_keeps_to_its_plan(parametrisation, effort):
    model, plans = Counted(small_mixture(parametrisation)), []
    samplers, steps = ("uni_pc", "euler", "distilled"), (2, 3, 5)
    record = run(
        parametrisation,
        model,
        samplers=samplers,
        steps=steps,
        budget=None,
        effort=effort,
        on_plan=plans.append,
    )
    assert model.calls == record.provenance["model_calls"] <= plans[-1].calls
    assert record.provenance["plans"][0]["effort"] == effort


def test_a_random_model_is_refused_with_a_resume_folder_too(tmp_path):
    def denoise(x, sigma):
        return small_mixture()(x, sigma) + 0.1 * torch.randn(x.shape)

    for folder in (None, tmp_path):
        model = Counted(denoise)
        with pytest.raises(DenoiserError, match="it is random, keeps something between calls"):
            run(denoise=model, samples=2, resume=folder)
        assert model.calls <= 2 * 16


@pytest.mark.slow
def test_equal_runs_are_equal_and_the_seed_matters():
    options = {"evidence_budget": 700, "steps": (3,)}
    first, second = run(**options), run(**options)
    assert undated(first) == undated(second)
    assert run(steps=(3,), seed=1).recipes != run(steps=(3,), seed=2).recipes


@pytest.mark.slow
def test_ours_beats_stock_euler_on_noise_of_its_own():
    record, (low, high) = run("ve", budget=1500, steps=(6,)), RANGES["ve"]
    noise, denoise = unit_noise(24, *SHAPE, seed=99), small_mixture("ve")
    start = start_state(noise, high, "ve")
    fine = sample(denoise, start, log_snr_grid(low, high, 200, "ve"), "heun")

    def error(end):
        return float((end - fine).flatten(1).norm(dim=1).mean())

    stock = [
        error(sample(denoise, start, each, "euler"))
        for each in baselines(table_for(low, high, "ve"), 6, low, high).values()
    ]
    assert error(record.sample(denoise, noise, "distilled", 6)) < 0.7 * min(stock)
    assert error(record.sample(denoise, noise, "euler", 6)) < np.median(stock)


@pytest.mark.slow
def test_a_sequence_of_denoisers_is_fitted_together():
    means = unit_noise(2, 8, seed=5)
    models = [Counted(mixture_denoiser(means[k : k + 1], [1.0], 0.05)) for k in range(2)]
    record = run(denoise=models)
    assert models[0].calls == models[1].calls > 0
    assert (
        record.conditions.prompts == 2 and record.teacher["samples"] == 2 * models[0].batches.pop()
    )


@pytest.mark.parametrize("parametrisation", BOTH)
@pytest.mark.slow
def test_one_sample_is_enough_to_run(parametrisation):
    model = Counted(small_mixture(parametrisation))
    record = run(parametrisation, model, samples=1, evidence_budget=2000)
    assert model.batches == {1} and record.teacher["samples"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("share", [1 - 1e-8, 1 + 1e-8, 1 - 5e-3, 1 + 5e-3])
def test_a_range_that_is_nearly_the_tables_own(share):
    """Hosts hand Stable Diffusion's range over in float32, or rounded: stock still starts where the
    model does, for free."""
    model, plans = Counted(small_mixture("ve")), []
    record = run(
        "ve", model, sigma_max=14.614641189575195 * share, steps=(3,), on_plan=plans.append
    )
    assert model.calls <= plans[0].calls
    assert {recipe.sigmas[0] for recipe in record.recipes} == {14.614641189575195 * share}


def test_progress_only_rises_and_names_each_phase():
    heard = []
    evidence = least_budget(("euler", "distilled"), (2, 4), 4)
    run(
        samples=2,
        evidence_budget=evidence,
        progress=lambda done, planned, phase: heard.append((done, planned, phase)),
    )
    done, planned, phases = zip(*heard, strict=True)
    assert (
        all(a < b for a, b in pairwise(done)) and done[-1] <= planned[0] and len(set(planned)) == 1
    )
    assert list(dict.fromkeys(phases)) == [
        "teacher",
        "euler",
        "distilled",
        "refinement",
        "evidence",
    ]


class Stops:
    """should_stop that says yes from a number of questions on."""

    def __init__(self, after: int):
        self.left = after

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


@pytest.mark.slow
@examples(3)
@given(st.lists(st.integers(1, 200), min_size=1, max_size=2), st.sampled_from(sorted(RANGES)))
def test_stopped_anywhere_and_resumed_the_record_is_the_same(
    tmp_path_factory, stops, parametrisation
):
    folder = tmp_path_factory.mktemp("resume")
    options = {"evidence_budget": 1100, "samplers": ("dpmpp_2m", "distilled"), "steps": (2, 4)}
    whole = run(parametrisation, **options)
    model, plans, stopped = Counted(small_mixture(parametrisation)), [], 0
    for after in stops:
        try:
            run(parametrisation, model, **options, resume=folder, should_stop=Stops(after))
        except Stopped:
            stopped += 1
    before = model.calls
    assert undated(
        run(parametrisation, model, **options, resume=folder, on_plan=plans.append)
    ) == undated(whole)
    # Each start asks once whether the model is the one that drew the teacher; each stop loses the
    # part in hand.
    part = max(plans[0].costs["teacher"], plans[0].rows * 4 * 3, 8 * 99 * 2)
    total = whole.provenance["model_calls"] + whole.provenance["evidence_calls"]
    assert model.calls <= total + stopped * part + len(stops) * (plans[0].rows + 8 * 99 * 2)
    if (
        max(stops) > 2 * plans[0].nodes + 4
    ):  # two questions a call: the teacher at least was finished, and is not drawn again
        assert model.calls - before < total


@pytest.mark.slow
def test_a_finished_run_is_taken_up_at_the_cost_of_a_few_questions(tmp_path):
    """One tells whether the model is the same; what was asked twice is asked once more."""
    model, plans = Counted(small_mixture()), []
    first = run(denoise=model, resume=tmp_path, on_plan=plans.append)
    before = model.calls
    again = run(denoise=model, resume=tmp_path)
    assert undated(again) == undated(first)
    assert plans[0].rows <= model.calls - before <= 0.1 * before
    more = run(denoise=model, resume=tmp_path, seed=3)
    assert more.recipes != first.recipes


@pytest.mark.slow
def test_a_stop_between_teacher_and_fits_does_not_repeat_the_teacher(tmp_path):
    plans, model = [], Counted(small_mixture())
    phase = []
    with pytest.raises(Stopped):
        run(
            denoise=model,
            resume=tmp_path,
            on_plan=plans.append,
            progress=lambda done, planned, name: phase.append(name),
            should_stop=lambda: phase[-1:] == ["euler"],
        )
    before = model.calls
    told = []
    whole = run(
        denoise=model, resume=tmp_path, progress=lambda done, planned, name: told.append(planned)
    )
    left = plans[0].calls - plans[0].costs["teacher"] + plans[0].rows
    assert model.calls - before <= left and told[-1] <= left  # nor promised to be
    assert whole.provenance["model_calls"] == run().provenance["model_calls"]


@pytest.mark.slow
@pytest.mark.parametrize("parametrisation", BOTH)
def test_another_model_with_the_same_folder_is_noticed(tmp_path, parametrisation):
    run(parametrisation, resume=tmp_path)
    other = mixture_denoiser(unit_noise(3, 8, seed=9), [0.5, 0.3, 0.2], 0.05, parametrisation)
    assert (
        run(parametrisation, other, resume=tmp_path).recipes == run(parametrisation, other).recipes
    )


def bare(record):
    """Its recipes without what is only expected of them, which more answers change."""
    return [replace(each, evidence={"rms": each.evidence.get("rms")}) for each in record.recipes]


@pytest.mark.slow
def test_another_guidance_with_the_same_folder_is_noticed(tmp_path):
    bed, classes = isotropic_bed(), torch.arange(4)
    options = {
        "latent_shape": bed.latent_shape,
        "sigma_max": bed.sigma_max,
        "sigma_min": bed.sigma_min,
        "samples": 4,
        "budget": 500,
        "steps": (3,),
    }
    run("ve", bed.denoiser(classes, 3.0), **options, resume=tmp_path)
    found = run("ve", bed.denoiser(classes, 3.5), **options, resume=tmp_path)
    fresh = run("ve", bed.denoiser(classes, 3.5), **options)
    assert bare(found) == bare(fresh)


@pytest.mark.slow
def test_broken_resume_files_are_replaced(tmp_path):
    first = run(resume=tmp_path)
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert undated(run(resume=tmp_path)) == undated(first)


def narrow(x, sigma):
    return small_mixture()(x.double(), sigma).to(torch.bfloat16)


@pytest.mark.parametrize("denoise", [narrow, lambda x, sigma: small_mixture()(x, sigma).double()])
@pytest.mark.slow
def test_a_denoiser_may_answer_in_another_precision(denoise):
    record = run(denoise=denoise)
    assert all(np.isfinite(recipe.sigmas).all() for recipe in record.recipes)


@pytest.mark.parametrize("shape", [(2, 2, 2), (2, 2, 2, 1)])
@pytest.mark.slow
def test_latents_of_any_rank(shape):
    record = run(latent_shape=shape, steps=(2,))
    assert record.conditions.latent_shape == shape
    assert (
        record.sample(
            small_mixture(), unit_noise(1, *shape).to(torch.bfloat16), "distilled", 2
        ).dtype
        == torch.bfloat16
    )


def test_a_model_that_breaks_off_the_beaten_path_gets_no_recipe_that_goes_there():
    """At levels that neither the teacher nor stock asks it answers NaN, as a float16 network may:
    no error, and no query offsets."""
    known = {
        float(np.float32(s))
        for sigmas in baselines(table_for(*RANGES["flow"], "flow"), 2).values()
        for s in sigmas
    }

    def heard(plan):
        known.update(
            float(np.float32(s)) for s in log_snr_grid(*RANGES["flow"], plan.nodes, "flow")
        )

    def fragile(x, sigma):
        return small_mixture()(x, sigma) * (1 if float(sigma[0]) in known else math.nan)

    record = run(denoise=fragile, budget=300, samplers=("euler",), steps=(2,), on_plan=heard)
    assert len(record.recipes) == 1 and record.recipe("euler", 2).offsets is None


@pytest.mark.parametrize(
    "denoise, told",
    [
        (lambda x, s: x * math.nan, r"NaN or infinite values at sigma 1;"),
        (lambda x, s: x / (s[0] > 0.05), r"NaN or infinite values at sigma 0\.0[34]"),
        (lambda x, s: x[:, :, :4], r"shape \(\d+, 1, 4\) at sigma 1;"),
        (lambda x, s: x.long(), r"torch.int64 at sigma 1;"),
        (lambda x, s: x.numpy(), r"ndarray at sigma 1;"),
        (lambda x, s: None, r"NoneType at sigma 1;"),
    ],
)
def test_a_bad_denoiser_is_named_with_its_sigma(denoise, told):
    with pytest.raises(DenoiserError, match=told):
        run(denoise=denoise)


@pytest.mark.parametrize(
    "wrong, error",
    [
        ({"sigma_max": 0.001}, SigmaRangeError),
        ({"sigma_min": 1.0}, SigmaRangeError),
        ({"steps": 0}, StepsError),
        ({"steps": [2000]}, StepsError),
        ({"samplers": ["lcm"]}, UnknownNameError),
        ({"samplers": ["ddpm"]}, UnknownNameError),
        ({"samplers": ["no such"]}, UnknownNameError),
        ({"budget": 10}, BudgetError),
        ({"samplers": ["er_sde"], "budget": 50}, BudgetError),
        ({"budget": 1e3}, BudgetError),
        ({"evidence_budget": -1}, BudgetError),
        ({"samples": 0}, BudgetError),
        ({"evidence_denoise": 3}, DenoiserError),
        ({"conditions": Conditions(cfg=math.nan)}, RecordError),
        ({"seed": -1}, RecordError),
        ({"latent_shape": (1,) * 7}, RecordError),
        ({"resume": "\0"}, OutputError),
    ],
)
def test_mistakes_are_found_before_the_first_model_call(wrong, error):
    model = Counted(small_mixture())
    with pytest.raises(error) as caught:
        run(denoise=model, **wrong)
    assert model.calls == 0 and str(caught.value).rstrip().endswith(".")


@pytest.mark.slow
def test_a_recipe_of_one_guidance_holds_at_others():
    """Fitted at guidance 3, run at 2 and 4.5 on other noise: finite; where ours stood, no worse
    than the best stock Euler run there."""
    bed = isotropic_bed()
    fitting, classes = torch.arange(8) % 4, torch.arange(32) % 4
    about = {
        "latent_shape": bed.latent_shape,
        "sigma_max": bed.sigma_max,
        "sigma_min": bed.sigma_min,
        "samples": 8,
    }
    record = run(
        "ve",
        bed.denoiser(fitting, 3.0),
        **about,
        budget=1500,
        steps=(4, 8),
        samplers=("euler", "distilled"),
    )
    assert record.recipe("distilled", 8).choice == "ours"
    noise = unit_noise(32, *bed.latent_shape, seed=123)
    start = start_state(noise, bed.sigma_max, "ve")
    for guidance in (2.0, 4.5):
        denoise = bed.denoiser(classes, guidance)
        fine = sample(denoise, start, log_snr_grid(bed.sigma_min, bed.sigma_max, 150, "ve"), "heun")
        for n in (4, 8):
            schedules = baselines(
                table_for(bed.sigma_min, bed.sigma_max, "ve"), n, bed.sigma_min, bed.sigma_max
            )
            stock = min(
                float((sample(denoise, start, each, "euler") - fine).norm())
                for each in schedules.values()
            )
            for sampler in ("euler", "distilled"):
                error = float((record.sample(denoise, noise, sampler, n) - fine).norm())
                assert (
                    error <= stock
                    if record.recipe(sampler, n).choice == "ours"
                    else math.isfinite(error)
                )


@pytest.mark.parametrize(
    "rows, sets", [(1, 1), (7, 1), (8, 1), (16, 1), (4, 4), (1, 8), (1, 16), (3, 3)]
)
def test_a_fifth_of_all_rows_stays_unseen(rows, sets):
    each = np.stack([fit_rows(rows, sets, k) for k in range(sets)])
    assert (~each).sum() == (rows * sets // 5 if rows * sets >= 8 else 0)
    assert each[:, 0].any() and np.ptp(each.sum(1)) <= 1


def test_batches_keep_the_rows_conditioning():
    marks = torch.arange(4.0)[:, None]
    found = in_batches(lambda x, sigma: x * 0 + marks + sigma[:, None], 4)(
        torch.zeros(12, 3), torch.arange(12.0)
    )
    assert torch.equal(found, (marks.repeat(3, 1) + torch.arange(12.0)[:, None]).expand(12, 3))


def test_noise_is_the_seeds():
    noise = noise_for((2, 3), 4, 5, torch.device("cpu"))
    assert noise.shape == (4, 2, 3) and torch.equal(
        noise, noise_for((2, 3), 4, 5, torch.device("cpu"))
    )
    assert not torch.equal(noise, noise_for((2, 3), 4, 6, torch.device("cpu")))


@pytest.mark.slow
def test_a_record_carries_its_inner_products_and_says_who_did_what():
    record = run(evidence_budget=1500, steps=(3, 5))
    again = Record.from_json(record.to_json())
    assert again == record and again.gram.samples == record.teacher["samples"]
    assert again.gram.steps == record.teacher["nodes"] and again.gram.sigmas[0] == 1.0
    stages, made = record.provenance["stages"], record.provenance
    assert [each["stage"] for each in stages][:3] == ["recording", "recipes", "recipes"]
    assert [each.get("sampler") for each in stages][:3] == [None, "euler", "distilled"]
    assert sum(each["calls"] for each in stages) == made["model_calls"] + made["evidence_calls"]
    (plan,) = made["plans"]
    assert plan["steps"] == [3, 5] and plan["calls"] >= made["model_calls"] and plan["effort"]
    assert plan["rows"] == record.teacher["samples"] == stages[0]["rows"]
