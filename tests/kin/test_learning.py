"""The first recipe of a model from a related one's: cheaper, said beforehand and afterwards, and kept with
where it is from."""

from __future__ import annotations

import pytest

from scheduler.kin import HOLDS, REFINE, REFUSE
from scheduler.kin.planning import calls_of_check
from scheduler.kin.strangers import WAY
from scheduler.learning import deciding, words
from scheduler.learning.fitting import calls_from
from scheduler.learning.full_run import FULL_STEPS
from scheduler.record import Record
from tests.kin.relatives import (
    BASE,
    DISTANT,
    FINETUNE,
    STRANGERS,
    known,
    of,
    print_of,
    studio,
)
from tests.learning.studio import picture

CHECK = calls_of_check(6, 1)


def mine(**changes):
    return known("Mine", print_of(0.1), **changes)


def record_named(store, name) -> Record:
    (brief,) = [each for each in store.records() if each.title == name]
    return store.load(brief.file)


@pytest.mark.slow
def test_a_finetune_takes_its_bases_recipe_after_a_check(taught, learnt):
    host, _, outcome = picture(taught, studio(FINETUNE, seed=1, digit=4), of=of(mine()))
    assert outcome.learnt.kin.code == HOLDS
    assert host.calls - FULL_STEPS == outcome.data["calls"] == CHECK < calls_from(1, 6)
    (told,) = host.told
    assert (told.kin, told.kin_calls, told.calls) == ("Base", CHECK, calls_from(1, 6))
    assert f"at most 39 model calls ({CHECK} if the recipe of Base holds)" in words.before(told)
    assert "The recipe of Base holds here: 0." in words.after(outcome)
    record = record_named(taught, "Mine")
    recipe, before = record.recipe("distilled", 6), learnt.recipe("distilled", 6)
    assert recipe.coefficients == before.coefficients and recipe.offsets == before.offsets
    assert recipe.evidence["rows"] == {"checked": 1}
    (kin,) = record.provenance["kin"]
    assert (kin["name"], kin["kinship"], kin["verdict"]) == ("Base", "related", HOLDS)
    assert kin["calls"] == CHECK == record.provenance["model_calls"]


@pytest.mark.slow
def test_the_next_picture_takes_it(taught):
    picture(taught, studio(FINETUNE, seed=1, digit=4), of=of(mine()))
    host, _, outcome = picture(taught, studio(FINETUNE, seed=2, digit=5), of=of(mine()))
    assert outcome.decision.action == deciding.FEW and host.calls == 6
    assert "checked on one picture, on which it was not fitted" in words.after(outcome)


@pytest.mark.slow
def test_where_it_is_only_a_start_it_is_refined(taught, learnt):
    host, _, outcome = picture(taught, studio(DISTANT, seed=5, digit=4), of=of(mine()))
    assert outcome.learnt.kin.code == REFINE and outcome.learnt.ours
    assert CHECK < host.calls - FULL_STEPS <= calls_from(1, 6)
    recipe = record_named(taught, "Mine").recipe("distilled", 6)
    assert recipe.coefficients != learnt.recipe("distilled", 6).coefficients
    assert recipe.evidence["ratio"] < outcome.learnt.kin.ratio
    assert "The recipe of Base was its start" in words.after(outcome)


@pytest.mark.parametrize("how", STRANGERS)
@pytest.mark.slow
def test_false_kin_is_refused_and_the_model_is_learnt_as_any(taught, learnt, how):
    host, _, outcome = picture(taught, studio(how, seed=1, digit=4), of=of(mine()))
    assert (outcome.learnt.kin.code, outcome.learnt.kin.stranger) == (REFUSE, WAY)
    assert host.calls - FULL_STEPS <= calls_from(1, 6)
    assert (
        "The recipe of Base was left and not tried: its model comes to its pictures another way"
        in (words.after(outcome))
    )
    recipe = record_named(taught, "Mine").recipe("distilled", 6)
    assert recipe.sigmas != learnt.recipe("distilled", 6).sigmas


@pytest.mark.slow
def test_now_a_kins_recipe_serves_the_first_picture(taught):
    host = studio(FINETUNE, seed=1, digit=4)
    _, _, outcome = picture(taught, host, mode="now", of=of(mine()))
    assert outcome.steps == 6 and host.calls - 6 == calls_of_check(6) <= 40
    (told,) = host.told
    assert told.kin_calls == calls_of_check(6)


@pytest.mark.slow
def test_kin_without_such_a_recipe_is_none(taught):
    host, _, outcome = picture(taught, studio(FINETUNE, seed=1), of=of(mine(), steps=5))
    assert outcome.learnt.kin is None and host.told[0].kin == ""


@pytest.mark.slow
def test_another_lora_or_size_is_checked_too(taught):
    lora = known(patches=({"name": "lora", "strength": 1.0},))
    _, _, outcome = picture(taught, studio(FINETUNE, seed=1, digit=4), of=of(lora))
    assert outcome.learnt.kin.code == HOLDS
    assert outcome.learnt.record.model.patches[0]["name"] == "lora"


def test_its_own_record_is_not_checked_again(taught):
    host, _, outcome = picture(taught, studio(BASE, seed=1, digit=4), of=of(known()))
    assert outcome.learnt is None and host.calls == 6


@pytest.mark.slow
def test_a_kins_recipe_is_a_start_of_a_distillation(learnt):
    from scheduler import distill
    from scheduler.samplers.query_offsets import asked_sigma
    from tests.kin.relatives import mosaic
    from tests.learning.studio import SHAPE

    recipe, denoise = learnt.recipe("distilled", 6), mosaic(4, **FINETUNE)
    levels = {
        round(asked_sigma(sigma, offset, "flow"), 6)
        for sigma, offset in zip(recipe.sigmas[1:-1], recipe.offsets[1:], strict=True)
    }
    asked: list = []

    def heard(x, sigma):
        asked.append(round(float(sigma[0]), 6))
        return denoise(x, sigma)

    how = {"sigma_min": known().sigma_min, "budget": 80, "evidence_budget": 0}
    distill(heard, SHAPE, **how)
    plain = set(asked)
    asked.clear()
    record = distill(heard, SHAPE, starts=(recipe,), **how)
    assert levels <= set(asked) and not levels <= plain
    assert len(asked) == record.provenance["model_calls"] <= 80


@pytest.mark.slow
def test_a_start_of_other_steps_or_another_noise_level_is_left(learnt):
    from dataclasses import replace

    from scheduler import distill
    from tests.kin.relatives import mosaic
    from tests.learning.studio import SHAPE

    recipe = learnt.recipe("distilled", 6)
    below = replace(recipe, start_sigma=0.9, sigmas=(0.9, *recipe.sigmas[1:]))
    how = {"sigma_min": known().sigma_min, "budget": 70, "evidence_budget": 0}
    one, other = (
        distill(mosaic(4), SHAPE, starts=starts, steps=steps, **how)
        for starts, steps in (((), 5), ((recipe, below), 5))
    )
    assert one.recipes == other.recipes
