"""What a selection says: every code has its words, and none goes unsaid."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scheduler.lookup import differences, made_words, rules, selection, serving, solving, words
from scheduler.lookup.differences import Difference
from scheduler.lookup.given import given_match
from scheduler.lookup.match import WORKFLOW, judged
from scheduler.lookup.selection import select
from scheduler.lookup.wanted import Wanted
from tests.lookup.made import Shelf, facts, fitted, measured, recipe, record, sd_facts
from tests.weights import smooth_gram

GRAM = smooth_gram()
DIFFERENCES = {
    differences.CFG: (3.0, 7.0),
    differences.GUIDANCE: (None, 3.5),
    differences.SHIFT: (3.0, 5.0),
    differences.SIZE: ((16, 64, 64), None),
    differences.RANGE: ((0.003, 1.0), (0.02, 0.9)),
}
CODES = [
    value for name, value in vars(differences).items() if name.isupper() and isinstance(value, str)
]


@pytest.mark.parametrize("code", CODES)
def test_every_difference_has_words(code):
    made, here = DIFFERENCES.get(code, (0.8, 0.4))
    said = made_words.difference(Difference(code, made, here, "detail"))
    assert said and "None" not in said and not said.endswith(".")


REASONS = [
    serving.NO_RULE, serving.NOT_STATED, serving.OTHER_RANGE, serving.TOO_MANY, serving.NO_RECORD,
    serving.STOCK_ASKED, serving.REFUSED, rules.OWN_STEPS, solving.NOTHING_FOR, solving.STOCK_WON,
]  # fmt: skip


@pytest.mark.parametrize("code", REASONS)
def test_every_reason_is_a_sentence(code):
    match = judged(record(), facts().key())
    why = serving.Reason(code, Wanted("euler", 7), match, "euler", "karras", 3, "It is refused.")
    said = words.reason(why)
    assert said[0].isupper() and said.endswith(".") and "None" not in said


def find(*records, sampler="euler", steps=3, start=None, **more):
    return select(Wanted(sampler, steps, start), facts(), shelves=(Shelf(*records),), **more)


def test_ranges_and_patches_in_words():
    here = select(
        Wanted("euler", 3),
        facts(sigma_min=0.02, sigma_max=0.9),
        shelves=(Shelf(record(gram=GRAM)),),
    )
    assert "for sigmas 0.003 to 1, your model has 0.02 to 0.9" in words.info(here)
    lora = {"name": "detail", "strength": 0.8}
    made = record(patches=(lora,))
    for mine, says in (
        ((), "with detail, which you do not use"),
        (({**lora, "strength": 0.4},), "with detail at strength 0.8, you use 0.4"),
        ((lora, {"name": "style", "strength": 1.0}), "without style"),
    ):
        found = select(Wanted("euler", 3), facts(patches=mine), shelves=(Shelf(made),))
        assert made_words.differs(found.match) == says


def test_what_a_record_was_made_at():
    bare = record(cfg=None)
    conditions = replace(bare.conditions, latent_shape=None)
    assert made_words.made_at(replace(bare, conditions=conditions)) == ""
    assert made_words.made_at(bare) == "Made at 512x512."
    assert made_words.made_at(record(cfg=2.5)) == "Made at cfg 2.5 and 512x512."


def test_an_exact_hit():
    said = words.info(find(record(recipe(rms=0.05))))
    assert said == (
        "Distilled for Made Up, 3 steps: euler with the distilled schedule; not compared; "
        "8 held-out samples. Made at cfg 4 and 512x512."
    )


def near(made, cfg=None, shape=None, guidance=None):
    asked = facts().key(cfg, shape, guidance)
    return select(Wanted("euler", 3), facts(), asked, shelves=(Shelf(made),))


@pytest.mark.parametrize(
    "made, here, says",
    [
        (4.0, 4.0, "Made at cfg 4 and 512x512."),
        (4.0, 4.4, "Made at cfg 4 and 512x512; you use cfg 4.4, not checked there."),
        (0.0, 1.0, "Made at cfg 0 and 512x512; you use cfg 1, not checked there."),
    ],
)
def test_a_cfg_that_is_near_is_served_with_a_sentence_that_says_so(made, here, says):
    found = near(record(recipe(rms=0.05), cfg=made), here)
    assert found.source == "exact" and words.info(found).endswith(says)
    claims = "; not compared;" if made == here else f"; measured at cfg {made:g}: not compared;"
    assert claims in words.info(found)
    said = words.match_sentence(found.match)
    assert ("you use" in said) == (made != here)


def test_a_near_cfg_that_was_checked_says_where():
    checks = [{"cfg": 1.0, "holds": True, "rms": 0.1, "stock_rms": 0.4, "rows": 1}]
    found = near(record(recipe(evidence={"cfg_checks": checks}), cfg=0.0), 1.0)
    said = words.info(found)
    assert said.endswith("Made at cfg 0 and 512x512, checked from cfg 0 to 1; you use cfg 1.")
    assert "checked at cfg 1: 0.25 of the error" in said


def test_a_near_guidance_and_size_are_said_too():
    made = record()
    made = replace(made, conditions=replace(made.conditions, guidance=3.6))
    said = words.info(near(made, 4.0, (16, 60, 68), 4.2))
    told = "Made at cfg 4 and guidance 3.6 and 512x512; you use guidance 4.2 and 544x480."
    assert said.endswith(told)


def test_a_recipe_that_was_fitted_at_another_cfg_than_its_record_says_that():
    found = near(record(recipe(evidence={"cfg": 4.2, "rms": 0.05}), cfg=4.0), 4.2)
    said = words.info(found)
    assert said.endswith("Made at cfg 4.2 and 512x512.") and "measured at" not in said


def test_what_is_not_exact_does_not_say_distilled_for():
    solved = words.info(find(record(gram=GRAM), start=0.5))
    assert solved.startswith("From the record of Made Up, 3 steps, denoise 0.25:")
    assert "solved again" in solved
    near = select(Wanted("euler", 3), facts(), facts().key(7.0), shelves=(Shelf(record()),))
    assert words.info(near).startswith("Unchecked here, from the record of Made Up, 3 steps")
    assert words.info(near).endswith("It differs from what you run: for cfg 4, you use 7.")


def test_substitutions():
    assert "It is euler's schedule, not measured for euler_ancestral." in words.info(
        find(record(), sampler="euler_ancestral")
    )
    assert "so the sampler runs as dpmpp_2m." in words.info(
        find(record(recipe("dpmpp_2m")), sampler="distilled")
    )
    both = words.info(find(record(recipe("heun"), gram=GRAM), sampler="dpm_2", steps=5))
    assert "It was solved as for dpmpp_2m; it is heun's schedule, not measured for dpm_2." in both


def test_more_steps_than_fitted_claim_no_numbers_of_their_own():
    evidence = {"rms": 0.1, "samples": 1, "ratio": 0.29, "verdict": "seen", "rows": {"fit": 1}}
    evidence |= {"best_stock": "beta + dpmpp_2m", "equals_stock_steps": 16}
    said = words.info(find(record(fitted(6, evidence=evidence)), sampler="distilled", steps=7))
    assert "7 steps: the distilled sampler; 6 steps = about stock's 16" in said
    assert "7 steps =" not in said
    assert "It is the recipe of 6 steps, and more of them make the same picture: take 6" in said


def test_what_the_recipes_own_name_says_is_not_said_twice():
    assert words.substitution(serving.Substitution(serving.PLAIN, "euler"), "distilled") == ""


def test_given_and_carried():
    key = facts().key()
    mine = select(Wanted("euler", 3), facts(), given=given_match(record(), key))
    assert words.info(mine).startswith("From the record of Made Up, 3 steps")
    carried = given_match(record(), key, place=WORKFLOW)
    said = words.info(select(Wanted("euler", 3), facts(), given=carried))
    assert "that this workflow carries" in said
    nameless = given_match(record(fingerprint=None), key)
    said = words.info(select(Wanted("euler", 3), facts(), given=nameless))
    assert "It differs from what you run: it names no checkpoint." in said


def test_stand_ins_are_named_with_where_they_come_from():
    usual = words.info(find())
    assert usual == (
        "Stock schedule 'simple', 3 steps, not distilled: no record of this model is in the store."
    )
    best = words.info(find(record(measured(steps=8, karras=0.1))))
    assert best.startswith("Stock schedule 'karras', 3 steps, not distilled: this record has no ")
    assert best.endswith(". It was the best stock schedule for euler at 8 steps, by the record.")
    before = words.info(find(before="beta"))
    assert "'beta'" in before and "It is what runs there otherwise." in before
    here = sd_facts(published=("ays-sd1",), advice="It is a turbo model.")
    table = words.info(select(Wanted("euler", 4), here))
    assert table.startswith("Published schedule 'ays-sd1', 4 steps, not distilled: ")
    assert "not measured on yours" in table and table.endswith("It is a turbo model.")


def test_a_record_whose_weights_are_not_known():
    match = given_match(record(fingerprint=None), facts().key())
    says = "Nearest is the record of Made Up: it names no checkpoint."
    assert words.match_sentence(match) == says


def test_what_a_record_has_instead_is_said():
    said = words.reason(find(record(recipe("lms"), recipe()), steps=5, start=0.5).reason)
    assert said.startswith(
        "This record has no recipe for euler with 5 steps from sigma 0.5; it has"
    )


def test_stock_that_won_in_words():
    found = find(record(recipe(steps=1, choice="karras"), gram=GRAM))
    assert words.reason(found.reason) == (
        "Stock (karras) won for euler at 1 step, so no schedule of ours is solved for 3."
    )


def test_a_refused_record_is_named():
    made = record(cfg=9.0)
    wanted, key = Wanted("euler", 3), facts().key(4.0)
    found = select(wanted, facts(), key, shelves=(Shelf(made),), policy="exact")
    assert "for cfg 9, you use 4; not used" in words.info(found)


def test_the_hosts_own_names():
    labels = {"dpmpp_2m": "DPM++ 2M", "dpmpp_2m_sde": "DPM++ 2M SDE"}
    found = find(record(recipe("dpmpp_2m")), sampler="dpmpp_2m_sde")
    said = words.info(found, labels)
    assert "DPM++ 2M with the distilled schedule" in said
    assert "DPM++ 2M's schedule, not measured for DPM++ 2M SDE" in said


def test_codes_are_plain_and_tell_selections_apart():
    made = record(recipe(), fitted(), gram=GRAM)
    several = [
        find(made), find(made, steps=5), find(made, sampler="dpm_2"),
        find(made, sampler="euler_ancestral"), find(), find(before="beta"),
    ]  # fmt: skip
    assert len({repr(each.codes) for each in several}) == len(several)
    assert selection.EXACT in several[0].codes


@pytest.mark.parametrize("code", [solving.NOTHING_FOR, solving.STOCK_WON])
def test_the_sampler_of_the_artist_is_named_and_the_one_whose_schedule_it_takes(code):
    asked = serving.Reason(code, Wanted("euler_ancestral", 7), None, "euler", "karras", 3)
    assert "euler_ancestral" in words.reason(asked) and " euler" in words.reason(asked)
    own = replace(asked, wanted=Wanted("euler", 7))
    assert "whose" not in words.reason(own)


def test_of_the_very_model_nothing_is_called_kin():
    near = select(Wanted("euler", 3), facts(), facts().key(7.0), shelves=(Shelf(record()),))
    assert "kin" not in words.info(near)
