"""The one answer to "which recipe?": what serves, what stands in, and that nothing goes unsaid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.errors import SigmaRangeError, StepsError, UnknownNameError
from scheduler.lookup import rules, selection, serving, solving
from scheduler.lookup.given import given_match, select_from
from scheduler.lookup.key import patch
from scheduler.lookup.match import EXACT, GIVEN, INPUT, NEAREST, judged
from scheduler.lookup.selection import STOCK, first_match, select
from scheduler.lookup.wanted import COEFFICIENTS, OFFSETS, SIGMAS, Wanted
from scheduler.record import Choice
from scheduler.samplers.names import DISTILLED, SAMPLERS
from tests.examples import examples
from tests.lookup.made import Shelf, facts, fitted, measured, recipe, record
from tests.weights import smooth_gram

GRAM = smooth_gram()


def find(*records, sampler="euler", steps=3, start=None, carries=COEFFICIENTS, key=None, **more):
    """The selection for a run of `record()`'s model from records on one shelf."""
    wanted = Wanted(sampler, steps, start, carries=carries)
    return select(wanted, facts(), key, shelves=(Shelf(*records),), **more)


# --- what is exact ------------------------------------------------------------------------------


def test_what_was_fitted_for_just_this_is_exact():
    made = record(recipe(rms=0.05))
    found = find(made)
    assert (found.source, found.recipe, found.record) == (EXACT, made.recipes[0], made)
    assert (found.measured, found.samples) == (selection.HELD_OUT, 8)
    assert not found.substituted and not found.differences and found.reason is None
    assert find(made, sampler="ddim").source == EXACT  # euler under another name
    assert find(made, sampler="ddim").rule == rules.Rule("ddim", "euler", rules.ALIAS)


@pytest.mark.parametrize(
    ("sampler", "kind", "serves"),
    [
        ("dpm_2", rules.ALIKE, "heun"),
        ("heunpp2", rules.ALIKE, "heun"),
        ("ipndm_v", rules.ALIKE, "ipndm"),
        ("dpmpp_2m_sde_gpu", rules.STOCHASTIC_ONE, "dpmpp_2m"),
        ("euler_ancestral", rules.STOCHASTIC_ONE, "euler"),
    ],
)
def test_what_is_borrowed_is_never_exact(sampler, kind, serves):
    made = record(recipe(serves, rms=0.05), recipe(serves, offsets=[0.0] * 3))
    found = find(made, sampler=sampler)
    assert found.source == NEAREST and found.recipe.offsets is None
    assert found.substituted == (serving.Substitution(kind, serves),)
    assert found.measured == selection.BORROWED and found.recipe.sampler == serves
    assert find(record(recipe(serves)), sampler=sampler).measured == selection.NOT_MEASURED


@pytest.mark.parametrize("sampler", ["dpmpp_2m_sde", "dpmpp_2m_sde_gpu"])
def test_what_was_measured_for_the_very_stochastic_sampler_goes_first(sampler):
    own = recipe("dpmpp_2m_sde", bend=1.7, choice="beta", rms=0.3)
    made = record(recipe("dpmpp_2m", rms=0.05), recipe("dpmpp_2m", steps=4), own)
    found = find(made, sampler=sampler)
    assert found.source == EXACT and found.recipe == own and not found.substituted
    assert found.measured == selection.HELD_OUT and found.stock_won
    borrowed = find(made, sampler=sampler, steps=4)  # not measured there
    assert borrowed.source == NEAREST and borrowed.recipe.sampler == "dpmpp_2m"
    assert borrowed.substituted == (serving.Substitution(rules.STOCHASTIC_ONE, "dpmpp_2m"),)
    assert find(made, sampler="dpmpp_sde").recipe.sampler == "dpmpp_2m"  # another stochastic one


def test_a_record_that_measured_the_stochastic_sampler_goes_before_one_that_did_not():
    plain = record(recipe("dpmpp_2m"))
    made = record(recipe("dpmpp_2m_sde", bend=1.7, choice="beta", rms=0.3))
    assert find(plain, made, sampler="dpmpp_2m_sde").record is made


def test_the_errors_of_stochastic_recipes_are_of_another_kind():
    made = record(recipe("dpmpp_2m", rms=0.2), recipe("er_sde", bend=1.7, choice="beta", rms=0.1))
    assert find(made, sampler=DISTILLED, carries=SIGMAS).recipe.sampler == "dpmpp_2m"


def test_what_is_solved_is_never_exact():
    made = record(recipe(), gram=GRAM)
    for found in (find(made, steps=5), find(made, start=0.5)):
        assert found.source == NEAREST and found.measured == selection.SOLVED
        assert found.samples is None
    assert find(made, start=0.5).recipe.sigmas[0] == 0.5


def test_distilled_without_coefficients_is_never_exact():
    found = find(record(recipe("dpmpp_2m", choice="karras")), sampler=DISTILLED)
    assert found.source == NEAREST and found.runs_as == "dpmpp_2m"
    assert found.substituted == (serving.Substitution(serving.UNFITTED, "dpmpp_2m"),)
    assert found.recipe.sampler == DISTILLED and found.recipe.choice == "karras + dpmpp_2m"
    shifted = record(recipe("dpmpp_2m"), recipe("dpmpp_2m", bend=1.6, offsets=[0.0, -0.1, 0.1]))
    assert find(shifted, sampler=DISTILLED).recipe.offsets == (0.0, -0.1, 0.1)
    bare = find(record(recipe(DISTILLED)), sampler=DISTILLED)
    assert bare.source == NEAREST and bare.substituted[0].code == serving.UNFITTED
    fit = find(record(fitted()), sampler=DISTILLED)
    assert fit.source == EXACT and fit.runs_as == DISTILLED and not fit.substituted


def test_a_stock_schedule_that_won_says_so():
    found = find(record(recipe(choice="karras")))
    assert found.source == EXACT and found.stock_won
    pair = find(record(recipe(DISTILLED, choice="beta + euler")), sampler=DISTILLED)
    assert pair.source == EXACT and pair.stock_won and pair.runs_as == "euler"
    assert not find(record()).stock_won
    assert not find(record(), sampler="nobody").stock_won  # stock, and not measured


def test_other_conditions_are_near_and_unknown_ones_none():
    made = record()
    assert find(made, key=facts().key(7.0)).source == NEAREST
    assert [each.code for each in find(made, key=facts().key(7.0)).differences] == ["cfg"]
    assert find(made, key=facts().key(4.2, (16, 64, 64))).source == EXACT


def test_a_start_that_is_the_top_up_to_rounding_is_put_there():
    made = record(recipe(start=0.99995), sigma_max=0.99995)
    found = find(made)
    assert found.source == EXACT and found.recipe.start_sigma == found.recipe.sigmas[0] == 1.0


# --- what can be carried ------------------------------------------------------------------------


def test_offsets_only_where_they_can_be_carried():
    made = record(recipe(bend=1.1), recipe(bend=1.6, offsets=[0.0, -0.1, 0.1]))
    assert find(made, carries=SIGMAS).recipe == made.recipes[0]
    assert find(made, carries=OFFSETS).recipe == find(made).recipe == made.recipes[1]


def test_sigmas_alone_for_distilled_are_the_best_stock_samplers():
    made = record(
        fitted(rms=0.001),
        recipe("euler", rms=0.2),
        recipe("dpmpp_2m", bend=1.1, rms=0.1),
        recipe("heun", rms=0.01),  # two model calls a step
        recipe("res_multistep"),
    )
    found = find(made, sampler=DISTILLED, carries=SIGMAS)
    assert found.recipe.sampler == "dpmpp_2m" and found.source == NEAREST
    assert found.substituted == (serving.Substitution(serving.PLAIN, "dpmpp_2m"),)
    pair = record(recipe(DISTILLED, choice="beta + lms"))
    assert find(pair, sampler=DISTILLED, carries=SIGMAS).recipe.sampler == "lms"
    again = find(record(recipe(), gram=GRAM), sampler=DISTILLED, steps=5, carries=SIGMAS)
    assert again.recipe.sampler == "euler" and again.measured == selection.SOLVED


def test_a_pair_that_won_for_distilled_serves_its_stock_sampler():
    made = record(recipe(DISTILLED, choice="beta + dpmpp_2m"))
    found = find(made, sampler="dpmpp_2m")
    assert found.source == EXACT and found.recipe.sampler == "dpmpp_2m" and found.stock_won


# --- which record -------------------------------------------------------------------------------


def test_a_record_that_cannot_serve_hides_none_that_can():
    """The nearest has neither the recipe nor inner products."""
    near, far = record(recipe(steps=8)), record(recipe(steps=3), cfg=9.0)
    key = facts().key(4.0)
    found = find(near, far, key=key)
    assert found.record is far and found.source == NEAREST
    assert find(near, replace(far, gram=GRAM), steps=5, key=key).measured == selection.SOLVED


def test_of_the_same_weights_what_is_stated_goes_before_what_is_solved():
    solvable, stating = record(recipe(steps=8), gram=GRAM), record(recipe(), cfg=9.0)
    assert find(solvable, stating).record is stating
    assert find(solvable, record(recipe(steps=9))).measured == selection.SOLVED
    unfitted, fit = record(recipe("dpmpp_2m")), record(fitted(), cfg=9.0)
    assert find(unfitted, fit, sampler=DISTILLED).record is fit
    assert find(unfitted, record(cfg=9.0), sampler=DISTILLED).record is unfitted


def test_other_weights_do_not_go_before_the_same_whatever_they_state(monkeypatch):
    from scheduler.fingerprint.kinship import QUANTISED, SAME, Kinship
    from scheduler.lookup import match

    kinds = {"w1-made-up": Kinship(SAME, 1.0, "same"), "w1-twin": Kinship(QUANTISED, 1.0, "twin")}
    monkeypatch.setattr(match, "kinship", lambda here, there: kinds[there.id])
    solvable, twin = record(recipe(steps=8), gram=GRAM), record(fingerprint="w1-twin")
    assert find(solvable, twin).record is solvable
    assert find(twin, solvable).record is twin and find(twin).source == NEAREST


def test_a_policy_forbids_and_the_refused_one_is_named(monkeypatch):
    lora = patch("detail", 0.8, ["a"])
    made = record(patches=(lora,))
    assert find(made).source == NEAREST
    refused = find(made, policy="exact")
    assert refused.source == STOCK and refused.reason.code == serving.NO_RECORD
    assert refused.reason.match.record is made and not refused.reason.match.allowed
    assert find(made, policy="any").source == NEAREST
    with pytest.raises(UnknownNameError):
        find(made, policy="whatever")
    key = facts().key()
    assert first_match(key, (Shelf(made),))[0].record is made
    assert first_match(key, (Shelf(made),), "exact")[1].record is made
    assert first_match(key, (Shelf(),)) == (None, None)


def test_shelves_are_asked_in_turn():
    store, workflow = Shelf(record(recipe(steps=8))), Shelf(record(recipe(bend=1.7)))
    found = select(Wanted("euler", 3), facts(), shelves=(store, workflow))
    assert found.record is workflow.records[0]


def test_a_shelf_is_asked_for_the_sampler_then_for_any():
    class Asked(Shelf):
        asked = []

        def matches(self, key, policy="near"):
            self.asked.append((key.sampler, policy))
            return super().matches(key, policy)

    shelf = Asked(record(recipe(steps=8)))
    select(Wanted("euler_ancestral", 3), facts(), shelves=(shelf,), policy="any")
    assert shelf.asked == [("euler_ancestral", "any"), ("euler", "any"), (None, "any")]
    shelf.asked.clear()
    select(Wanted("euler", 8), facts(), shelves=(shelf,))
    assert shelf.asked == [("euler", "near")]  # no further than needed


def test_records_without_a_name_are_told_apart():
    """Those that a workflow carries."""

    class Carried(Shelf):
        def matches(self, key, policy="near"):
            return [replace(match, name="") for match in super().matches(key, policy)]

    carried = Carried(record(recipe(steps=8)), record(recipe(bend=1.7)))
    found = select(Wanted("euler", 3), facts(), shelves=(carried,))
    assert found.record is carried.records[1]


def test_a_caller_who_knows_no_sampler_gets_the_records_default():
    both = record(recipe("dpmpp_2m"), recipe("euler"))
    assert find(both, sampler=None).wanted.sampler == "euler"  # a flow model
    assert find(record(recipe("lms")), sampler=None).wanted.sampler == "lms"
    assert rules.default_sampler(both, "ve") == "dpmpp_2m" == rules.default_sampler(None, "ve")
    assert rules.default_sampler(record(recipe("euler"), fitted()), "ve") == "euler"
    assert find(sampler=None).wanted.sampler == "euler" and find(sampler=None).source == STOCK


def test_a_given_record_is_the_only_one_looked_at():
    mine, other = record(recipe(steps=8)), record()
    key = facts().key()
    given_ = given_match(mine, key, "mine.json")
    found = select(Wanted("euler", 8), facts(), key, given_, (Shelf(other),))
    assert (found.source, found.name) == (GIVEN, "mine.json")
    alone = select_from(mine, "euler", 8)
    assert (alone.source, alone.match.place, alone.kin) == (GIVEN, INPUT, None)
    table = record(recipe(choice="published"))
    assert select_from(table, "euler", 3).measured == selection.PUBLISHED
    assert select(Wanted("euler", 3), facts(), key, given_, (Shelf(other),)).source == STOCK


# --- why nothing serves -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "wanted", "code"),
    [
        ((), {}, serving.NO_RECORD),
        ((record(recipe(steps=8)),), {}, serving.NOT_STATED),
        ((record(recipe("lms"), gram=GRAM),), {}, solving.NOTHING_FOR),
        ((record(recipe(steps=8, choice="karras"), gram=GRAM),), {}, solving.STOCK_WON),
        ((record(gram=GRAM),), {"steps": solving.MOST_SOLVED + 1}, serving.TOO_MANY),
        ((record(),), {"sampler": "dpm_adaptive"}, rules.OWN_STEPS),
        ((record(),), {"sampler": "res_2s"}, serving.NO_RULE),
    ],
)
def test_reasons(made, wanted, code):
    found = find(*made, **wanted)
    assert found.source == STOCK and found.reason.code == code
    assert found.reason.wanted == found.wanted
    if made:
        assert found.reason.match.record is made[0]
        assert found.reason.sampler == (found.rule.serves or "")
    else:
        assert found.reason.match is None


def test_what_the_inner_products_do_not_reach_is_refused_in_their_own_words():
    short = replace(GRAM, sigmas=GRAM.sigmas[4:], products=_below(GRAM, 4), spread=GRAM.spread[4:])
    found = find(record(gram=short), steps=5)
    assert found.reason.code == serving.REFUSED and found.reason.wanted == found.wanted
    assert "start_sigma" in found.reason.sentence and found.reason.sampler == "euler"


def _below(gram, nodes):
    """The products of the vectors from a node on."""
    count = len(gram.sigmas)
    kept = [*range(nodes, count), *range(count + nodes, 2 * count - 1)]
    return gram.products[np.ix_(kept, kept)]


def test_as_many_steps_as_stated_are_solved():
    assert find(record(gram=GRAM), steps=solving.MOST_SOLVED).measured == selection.SOLVED


def test_where_stock_won_for_whole_runs_a_lower_start_is_still_solved():
    made = record(recipe(steps=8, choice="karras"), gram=GRAM)
    assert find(made, steps=5).reason.code == solving.STOCK_WON
    assert find(made, steps=5, start=0.5).measured == selection.SOLVED
    assert find(made, steps=5).reason.choice == "karras" and find(made, steps=5).reason.steps == 8


def test_another_range_counts_by_its_inner_products_alone():
    here = facts(sigma_min=0.02, sigma_max=0.9)
    made = record(gram=GRAM)
    found = select(Wanted("euler", 3), here, shelves=(Shelf(made),))
    assert found.measured == selection.SOLVED and found.recipe.sigmas[0] == 0.9
    assert [each.code for each in found.differences] == ["range"]
    assert min(found.recipe.sigmas[:-1]) >= 0.02 * (1 - 1e-9)
    match = judged(made, here.key())
    bare = replace(match, record=replace(made, gram=None))
    assert select(Wanted("euler", 3), here, given=bare).reason.code == serving.OTHER_RANGE


def test_samplers_that_no_rule_solves_for_are_solved_as_dpmpp_2m():
    found = find(record(recipe("heun"), gram=GRAM), sampler="heun", steps=5)
    assert found.substituted == (serving.Substitution(serving.SOLVED_AS, "dpmpp_2m"),)
    both = find(record(recipe("heun"), gram=GRAM), sampler="dpm_2", steps=5)
    assert [each.code for each in both.substituted] == [rules.ALIKE, serving.SOLVED_AS]
    fit = find(record(fitted(), gram=GRAM), sampler=DISTILLED, steps=2)
    assert fit.substituted == (serving.Substitution(serving.UNFITTED, "dpmpp_2m"),)
    assert fit.recipe.sampler == DISTILLED


@pytest.mark.parametrize("equal, most", [(None, 5), (10, 9)])
def test_more_steps_than_were_fitted_are_the_fitted_ones_until_stock_is_as_good(equal, most):
    evidence = {} if equal is None else {"equals_stock_steps": equal}
    made = record(replace(fitted(), evidence=evidence), gram=GRAM)
    for steps in (4, most):
        longer = find(made, sampler=DISTILLED, steps=steps)
        assert longer.substituted == (serving.Substitution(serving.LENGTHENED, DISTILLED, 3),)
        assert longer.recipe.sigmas[-3:] == fitted().sigmas[-3:]
        assert longer.recipe.coefficients[-3:] == fitted().coefficients
    beyond = find(made, sampler=DISTILLED, steps=most + 1)
    assert beyond.substituted == (serving.Substitution(serving.UNFITTED, "dpmpp_2m"),)


# --- runs ---------------------------------------------------------------------------------------


def test_runs_are_checked():
    here = facts()
    assert Wanted.of(here, "euler", 3) == Wanted("euler", 3)
    assert Wanted.of(here, "euler", 3, 0.5) == Wanted("euler", 3, 0.75, 0.5)
    assert Wanted.of(here, "euler", 3, 0.5, 0.6) == Wanted("euler", 3, 0.6)
    assert Wanted.of(here, "euler", 3, 0.999).start is None
    assert Wanted.of(here, "euler", 3, 0.998).start < 1
    assert Wanted.of(here, "euler", 3, start_sigma=1.00001).start is None
    for wrong in ({"denoise": 0.0}, {"denoise": 1.5}, {"start_sigma": 1.1}, {"start_sigma": 0.0}):
        with pytest.raises(SigmaRangeError):
            Wanted.of(here, "euler", 3, **wrong)
    with pytest.raises(StepsError):
        Wanted.of(here, "euler", 0)


# --- properties ---------------------------------------------------------------------------------

NAMES = st.sampled_from([*sorted(rules.KNOWN), "dpmpp_sde_gpu", "res_2s", "", None])
CHOICES = st.sampled_from(["ours", "karras", "beta", "published"])


@st.composite
def recipes(draw):
    sampler = draw(st.sampled_from([*SAMPLERS[:4], "heun", DISTILLED]))
    steps, start = draw(st.integers(1, 6)), draw(st.sampled_from([1.0, 0.75, 0.99999]))
    choice = draw(CHOICES)
    rms = draw(st.one_of(st.none(), st.just(0.1)))
    if sampler == DISTILLED and draw(st.booleans()):
        return fitted(steps, start=start, rms=rms)
    if sampler == DISTILLED and choice in ("karras", "beta"):
        choice = Choice(choice, draw(st.sampled_from(["euler", "dpmpp_2m"])))
    if draw(st.booleans()):
        return measured(sampler, steps, choice, karras=0.2, beta_with_euler=0.1, gits=0.3)
    offsets = draw(st.one_of(st.none(), st.just([0.0] * steps)))
    offsets = offsets if choice == "ours" else None
    return recipe(sampler, steps, start, draw(st.floats(0.7, 2.0)), choice, rms, offsets=offsets)


@st.composite
def records(draw):
    return record(
        *draw(st.lists(recipes(), min_size=1, max_size=5)),
        cfg=draw(st.sampled_from([4.0, 9.0, None])),
        gram=draw(st.sampled_from([None, GRAM])),
    )


RUNS = st.builds(
    Wanted,
    sampler=NAMES,
    steps=st.one_of(st.integers(1, 7), st.sampled_from([20, 100, 101, 400])),
    start=st.sampled_from([None, 0.75, 0.5, 0.004, 0.002]),
    carries=st.sampled_from([SIGMAS, OFFSETS, COEFFICIENTS]),
)


@examples(100)
@given(st.lists(records(), max_size=3), RUNS, st.sampled_from([None, "karras", "unheard of"]))
def test_nothing_is_substituted_unsaid(held, wanted, before):
    found = select(wanted, facts(), facts().key(4.0), shelves=(Shelf(*held),), before=before)
    ran, rule = found.recipe, found.rule
    sigmas = np.array(ran.sigmas)
    assert len(sigmas) == wanted.steps + 1 and sigmas[-1] == 0 and (np.diff(sigmas) < 0).all()
    if found.source == STOCK:
        assert found.stand_in is not None and found.reason is not None and found.match is None
        assert ran.coefficients is None and ran.offsets is None and not ran.choice.ours
        return
    assert found.reason is None and found.stand_in is None
    stated = {(each.sampler, each.steps, each.sigmas[1:]) for each in found.record.recipes}
    codes = {each.code for each in found.substituted}
    if not any(key[1:] == (ran.steps, ran.sigmas[1:]) for key in stated):
        assert found.measured == selection.SOLVED and found.source != EXACT
    if not rule.own:
        assert rule.kind in codes and ran.offsets is None and ran.sampler == rule.serves
    elif ran.sampler != rule.serves:
        assert serving.PLAIN in codes
    if rule.serves == DISTILLED and wanted.carries == COEFFICIENTS and ran.coefficients is None:
        assert serving.UNFITTED in codes or ran.choice.sampler is not None
    if wanted.carries == SIGMAS:
        assert ran.offsets is None and ran.coefficients is None
    if found.source == EXACT:
        assert not codes and not found.differences and found.measured != selection.SOLVED
        assert (ran.steps, ran.sigmas[1:]) in {key[1:] for key in stated}


@pytest.mark.slow
@examples(100)
@given(records(), RUNS)
def test_a_record_by_itself_answers_every_run(made, wanted):
    found = select_from(
        made, wanted.sampler, wanted.steps, start_sigma=wanted.start, carries=wanted.carries
    )
    assert found.source in (GIVEN, STOCK) and len(found.recipe.sigmas) == wanted.steps + 1
