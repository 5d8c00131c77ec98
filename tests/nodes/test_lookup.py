"""From a MODEL to a recipe and a sentence: exact, nearest, given, stock; and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.nodes import host
from tests.nodes.made import EULER, OFFSETS, PROVENANCE, recipe
from tests.nodes.pack import module

lookup, words, sigmas, identity, stores, shown = (
    module("nodes.lookup"),
    module("scheduler.lookup.words"),
    module("scheduler.sigmas"),
    module("nodes.host.model_facts"),
    module("nodes.host.store"),
    module("nodes.page.card_data"),
)
errors = module("scheduler.errors")


EULER_FOUR = [1.0, 0.8, 0.5, 0.2, 0.0]


@pytest.fixture
def store(tmp_path, monkeypatch):
    """An empty store, which the adapters use."""
    monkeypatch.setenv("STEPDISTILL_STORE", str(tmp_path / "store"))
    return stores.store()


@pytest.fixture(scope="module")
def model():
    return host.patcher(file="tiny.safetensors")


def record_of(model, *recipes, cfg=3.0, latent_shape=(16, 8, 8), **changed):
    """A Record of a MODEL."""
    record = module("scheduler.record")
    facts = identity.facts_of(model)
    conditions = replace(facts.conditions(facts.key(cfg, latent_shape)), **changed)
    about = record.Model.of(conditions, facts.process, facts.sigma_min, facts.sigma_max)
    return record.Record(about, conditions, None, recipes or usual(), {}, PROVENANCE)


def usual():
    rows = [[0.0] * 4, [0.3, 0.0, 0.02, -0.01], [0.2, 0.0, 0.0, 0.0]]
    return (
        recipe("euler", rms=0.1),
        recipe("euler", [1.0, 0.7, 0.3, 0.0], rms=0.05, offsets=OFFSETS),
        recipe("dpmpp_2m", [1.0, 0.85, 0.4, 0.0]),
        recipe("distilled", [1.0, 0.75, 0.35, 0.0], offsets=OFFSETS, coefficients=rows),
    )


@pytest.fixture(scope="module")
def gram():
    """Inner products of a made-up teacher in the loaded pack's own class."""
    from tests.nodes.made import solvable

    return solvable().gram


def test_an_exact_hit_says_what_was_measured(store, model):
    name = store.put(record_of(model))
    found = lookup.find(model, "euler", 3, offsets=False)
    assert found.source == "exact" and found.name == name and list(found.recipe.sigmas) == EULER
    assert (
        "Distilled for tiny, 3 steps" in words.info(found)
        and "0.80 of the error" in words.info(found)
        and "cfg 3" in words.info(found)
    )
    assert lookup.find(model, "euler", 3).recipe.offsets == tuple(OFFSETS)
    assert lookup.find(model, "distilled", 3).recipe.coefficients is not None


def test_other_conditions_are_named_and_unknown_ones_are_none(store, model):
    store.put(record_of(model))
    found = lookup.find(model, "euler", 3, cfg=8.0, latent_shape=(16, 64, 64))
    assert (
        found.source == "nearest"
        and "for cfg 3, you use 8" in words.info(found)
        and "512x512" in words.info(found)
    )
    assert "same weights" not in words.info(found)
    assert lookup.find(model, "euler", 3, cfg=3.1, latent_shape=(16, 8, 8)).source == "exact"


def test_the_better_fitting_of_two_records_is_taken(store, model):
    store.put(record_of(model, recipe("euler"), cfg=3.0))
    store.put(record_of(model, recipe("euler", [1.0, 0.6, 0.2, 0.0]), cfg=8.0))
    assert lookup.find(model, "euler", 3, cfg=7.5).recipe.sigmas[1] == 0.6
    assert lookup.find(model, "euler", 3, cfg=3.0).recipe.sigmas[1] == 0.8


def test_without_a_record_stock_is_named_or_refused(store, model):
    found = lookup.find(model, "euler", 4)
    assert (
        found.source == "stock"
        and found.recipe.choice == "simple"
        and "not distilled" in words.info(found)
    )
    assert np.allclose(found.recipe.sigmas, sigmas.stock_schedule("simple", found.table, 4))
    with pytest.raises(errors.RecipeError, match="No record of this model.*if_missing"):
        lookup.find(model, "euler", 4, if_missing="error")
    advised = lookup.find(host.patcher(file="flux1-schnell.safetensors"), "euler", 4)
    assert "distilled to few steps" in words.info(advised)


@pytest.mark.slow
@pytest.mark.parametrize(
    "sampler",
    ["euler", "dpmpp_2m", "distilled", "dpmpp_2m_sde", "gradient_estimation", "ddim", None],
)
@pytest.mark.parametrize("denoise", [1.0, 0.5, 0.05])
@pytest.mark.parametrize(
    "steps", [1, 3, *(pytest.param(n, marks=pytest.mark.slow) for n in (17, 60))]
)
def test_always_exactly_so_many_steps(store, model, gram, sampler, denoise, steps):
    store.put(replace(record_of(model), gram=gram))
    found = lookup.find(model, sampler, steps, denoise)
    sigmas = np.array(found.recipe.sigmas, dtype=np.float32)
    assert len(sigmas) == steps + 1 and (np.diff(sigmas) < 0).all() and sigmas[-1] == 0
    start = 1.0 if denoise == 1 else found.table.percent_to_sigma(1 - denoise)
    assert sigmas[0] == pytest.approx(start, rel=2e-2 if found.source == "stock" else 1e-6)
    payload = shown.shown(found)
    assert (
        len(json.dumps(payload)) < 60_000
        and payload["steps"] == steps
        and payload["source"] == {"given": "record"}.get(found.source, found.source)
    )


def test_what_is_solved_or_borrowed_says_so(store, model, gram):
    store.put(replace(record_of(model), gram=gram))
    assert "solved again" in words.info(lookup.find(model, "euler", 5))
    assert "runs as dpmpp_2m" in words.info(lookup.find(model, "distilled", 2))
    assert "is the recipe of 3 steps" in words.info(lookup.find(model, "distilled", 5))
    assert "dpmpp_2m's schedule, not measured for dpmpp_2m_sde" in words.info(
        lookup.find(model, "dpmpp_2m_sde", 3)
    )
    heun = lookup.find(model, "heun", 5)  # what nothing was run for may lose to stock
    assert heun.source == "stock" and "distil for heun too" in words.info(heun)
    assert lookup.find(model, "gradient_estimation", 3).source == "stock"
    assert (
        lookup.find(model, "ddim", 3).recipe.sigmas == lookup.find(model, "euler", 3).recipe.sigmas
    )


def test_where_stock_won_nothing_of_ours_is_solved(store, model, gram):
    store.put(replace(record_of(model, recipe("euler", choice="karras")), gram=gram))
    found = lookup.find(model, "euler", 5)
    assert found.source == "stock" and "stock (karras) won for euler at 3 steps" in words.info(
        found
    )


def test_a_record_that_states_the_recipe_goes_before_one_that_could_solve_it(store, model, gram):
    stating = record_of(model, *usual(), cfg=3.0)
    store.put(stating)
    solvable = record_of(
        model,
        recipe("distilled", EULER_FOUR, coefficients=[[0.0] * 4] * 4),
        recipe("dpmpp_2m"),
        cfg=8.0,
    )
    store.put(replace(solvable, gram=gram))
    for steps, cfg in ((3, 3.0), (4, 8.0)):
        assert lookup.find(model, "distilled", steps).record.conditions.cfg == cfg


def test_distilled_without_coefficients_takes_the_record_s_dpmpp_2m(store, model):
    store.put(record_of(model, recipe("dpmpp_2m")))
    found = lookup.find(model, "distilled", 3)
    assert (
        found.recipe.sampler == "distilled"
        and list(found.recipe.sigmas) == EULER
        and "runs as dpmpp_2m" in words.info(found)
    )


def test_a_given_record_goes_before_the_store(store, model):
    store.put(record_of(model))
    mine = record_of(model, recipe("euler", [1.0, 0.5, 0.1, 0.0]))
    found = lookup.find(model, "euler", 3, record=mine)
    assert (
        found.source == "given"
        and found.recipe.sigmas[1] == 0.5
        and "From the record of tiny" in words.info(found)
    )
    assert "no recipe" in words.info(lookup.find(model, "euler", 7, record=mine))  # stock, and why


def test_a_given_record_of_another_model_is_refused(store, model):
    eps = host.patcher("eps")
    with pytest.raises(errors.SigmaRangeError, match="another kind of noise"):
        lookup.find(
            model, "euler", 3, record=record_of(eps, recipe("euler", [14.0, 3.0, 0.5, 0.0]))
        )
    samples = {
        name: {**each, "values": [-value + 1 for value in each["values"]]}
        for name, each in _samples(model).items()
    }
    with pytest.raises(errors.RecipeError, match="This record is for other, and yours is"):
        lookup.find(
            model,
            "euler",
            3,
            record=record_of(model, name="other", fingerprint="w1-x", samples=samples),
        )
    with pytest.raises(errors.RecipeError, match="got a str"):
        lookup.find(model, "euler", 3, record="hello")


def _samples(model):
    return identity.facts_of(model).fingerprint.samples


def test_a_record_without_a_fingerprint_is_used_and_named_so(store, model):
    found = lookup.find(model, "euler", 3, record=record_of(model, fingerprint=None, samples=None))
    assert found.source == "given" and "names no checkpoint" in words.info(found)


def test_another_shift_is_another_range(store, model, gram):
    shifted = model.clone()
    shifted.add_object_patch("model_sampling", host.sampling(shift=9.0))
    with pytest.raises(errors.SigmaRangeError, match="never stretched"):
        lookup.find(shifted, "euler", 3, record=record_of(model))
    store.put(replace(record_of(model), gram=gram))
    found = lookup.find(shifted, "euler", 3)
    assert found.source in ("nearest", "stock") and found.recipe.sigmas[0] == 1.0


@pytest.mark.parametrize("steps", [0, -3, 2.5])
def test_steps_that_are_none(store, model, steps):
    with pytest.raises(errors.StepsError, match="number of steps"):
        lookup.find(model, "euler", steps)


@pytest.mark.parametrize("denoise", [0.0, -1.0, 1.5])
def test_denoise_out_of_range(store, model, denoise):
    with pytest.raises(errors.SigmaRangeError, match="denoise is"):
        lookup.find(model, "euler", 3, denoise)


def test_the_start_is_exactly_the_models_own(store, model):
    """A record from another host states sigma_max with other digits; this host scales its noise by
    an exact comparison."""
    eps = host.patcher("eps")
    store.put(record_of(eps, recipe("euler", [14.6146, 3.0, 0.5, 0.0]), latent_shape=(4, 8, 8)))
    found = lookup.find(eps, "euler", 3)
    assert found.source == "exact" and found.recipe.sigmas[0] == float(
        eps.model.model_sampling.sigma_max
    )


def test_payload_of_a_record(store, model):
    payload = shown.shown(record=record_of(model), info="hello")
    assert (
        payload["sampler"] == "distilled"
        and payload["record"] == "tiny"
        and payload["info"] == "hello"
    )
    curve = shown.curve(record_of(model), "euler")
    assert curve == {"steps": [3], "ours": [0.05], "stock": [None], "stock_name": ["beta"]}
    assert shown.shown()["sigmas"] == [] and json.dumps(shown.shown())


def test_settings_and_resume_folder(store, model, monkeypatch, tmp_path):
    settings = module("nodes.host.settings")
    assert settings.setting("Dropdowns", True) is True
    monkeypatch.setattr(settings, "user_folder", lambda: tmp_path)
    (tmp_path / "comfy.settings.json").write_text(
        '{"StepDistill.Dropdowns": false, "StepDistill.Word": "x"}'
    )
    assert settings.setting("Dropdowns", True) is False and settings.setting("Word") == "x"
    monkeypatch.setenv("STEPDISTILL_DROPDOWNS", "on")
    assert settings.setting("Dropdowns", True) is True
    (tmp_path / "comfy.settings.json").write_text("{broken")
    assert settings.setting("Word", "y") == "y"
    before, key = (
        stores.revision(),
        identity.facts_of(model).key(3.0, (16, 8, 8), sampler="euler"),
    )
    assert (
        stores.unfinished(key).parent.parent == store.folder
        and stores.unfinished(key).name == key.digest()
    )
    store.put(record_of(model))
    assert stores.revision() != before and not store.problems()


def test_a_record_shows_the_recipe_that_it_recommends(model):
    """Its card's curve is that of its first sentence."""
    told = {"verdict": "seen", "rms": 0.1, "ratio": 0.3, "samples": 1, "rows": {"fit": 1}}
    told |= {"best_stock": "beta + dpmpp_2m", "equals_stock_steps": 9}
    best = recipe("distilled", offsets=OFFSETS, coefficients=[[0.0] * 4] * 3)
    best.evidence.update(told)
    levels = [1.0, 0.8, 0.6, 0.3, 0.1, 0.0]
    others = [recipe("distilled", [1.0, *levels[2:]]), recipe("distilled", levels)]
    others.append(recipe("euler", EULER))
    found = shown.shown(record=record_of(model, *others, best))
    assert (found["sampler"], found["steps"]) == ("distilled", 3)
    advised = record_of(model, *others, best)
    advised.evidence["recommendation"] = {"sampler": "euler", "steps": 3, "offsets": False}
    assert shown.shown(record=advised)["sampler"] == "euler"
    advised.evidence["recommendation"] = {"stock": {"schedule": "beta"}, "steps": 5}
    assert shown.shown(record=advised)["steps"] == 5
