"""One record over a range of cfg: between the ends at which it was checked, and no further."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scheduler.kin import HOLDS
from scheduler.kin.planning import calls_of_check
from scheduler.learning import choosing, deciding, fitting, words
from scheduler.learning.full_run import FULL_STEPS
from scheduler.lookup.given import given_match
from scheduler.lookup.match import EXACT, NEAREST
from scheduler.record import Record
from scheduler.record.cfg_range import at_cfg, checks_of, span, whole_span, with_check
from tests.kin.relatives import FINETUNE, STRANGERS, known, of, studio
from tests.learning.studio import SHAPE, picture, record_of

HELD, FAILED = {"verdict": "holds", "rms": 0.1, "stock_rms": 0.3}, {"verdict": "refuse"}


def checked(record: Record, *checks) -> Record:
    for cfg, found in checks:
        record = with_check(record, record.recipe("distilled", 6), cfg, found)
    return record


def asked(cfg: float):
    return replace(known().key(cfg, SHAPE), sampler="distilled")


def test_a_recipe_serves_between_its_checked_ends(learnt):
    record = checked(learnt, (7.0, HELD), (1.0, HELD))
    (recipe,) = record.recipes
    assert span(recipe, 3.0) == whole_span(record) == (1.0, 7.0)
    assert [each["cfg"] for each in checks_of(recipe)] == [1.0, 7.0]
    assert at_cfg(record, 5.0).conditions.cfg == 5.0 and at_cfg(record, 7.5) is None
    assert Record.from_json(record.to_json()) == record


def test_it_stops_where_a_check_failed(learnt):
    record = checked(learnt, (7.0, FAILED), (5.0, HELD))
    assert whole_span(record) == (3.0, 5.0)
    assert whole_span(checked(record, (4.0, FAILED))) is None  # what lies beyond is not trusted
    assert whole_span(checked(record, (7.0, HELD))) == (3.0, 7.0)  # a new check replaces the old


def test_a_record_of_no_cfg_has_no_range(learnt):
    record = replace(learnt, conditions=replace(learnt.conditions, cfg=None))
    assert whole_span(checked(record, (5.0, HELD))) is None


def test_the_store_serves_inside_as_exactly_and_outside_as_before(taught, learnt):
    taught.put(checked(learnt, (6.0, HELD)))
    inside = taught.lookup(asked(5.0))
    assert inside.kind == EXACT and inside.by_check == (3.0, 6.0) and inside.made_at() == 3.0
    assert taught.lookup(asked(5.0), "exact").allowed
    outside = taught.lookup(asked(9.0))
    assert outside.kind == NEAREST and outside.by_check is None
    assert [each.code for each in outside.differences] == ["cfg"]
    assert not taught.lookup(asked(9.0), "exact").allowed


def test_other_steps_of_the_record_do_not_count_as_checked(taught, learnt):
    from scheduler.lookup.selection import select
    from scheduler.lookup.wanted import Wanted

    recipe = learnt.recipe("distilled", 6)
    four = replace(recipe, steps=4, sigmas=(1.0, 0.8, 0.5, 0.2, 0.0))
    four = replace(four, offsets=recipe.offsets[:4], coefficients=recipe.coefficients[:4])
    taught.put(checked(replace(learnt, recipes=(recipe, four)), (6.0, HELD)))
    model = known()
    six, few = (
        select(Wanted.of(model, "distilled", n), model, asked(5.0), shelves=(taught,))
        for n in (6, 4)
    )
    assert six.source == EXACT and not six.differences and six.by_check == (3.0, 6.0)
    assert (
        few.by_check is None
        and few.source == NEAREST
        and [each.code for each in few.differences] == ["cfg"]
    )
    assert few.recipe.sigmas == four.sigmas


def test_a_record_of_its_own_goes_before_one_that_was_checked(taught, learnt):
    taught.put(checked(learnt, (7.0, HELD)))
    own = replace(learnt, conditions=replace(learnt.conditions, cfg=5.0))
    name = taught.put(own)
    assert len(taught.records()) == 2  # the checked one is not its place
    found = taught.lookup(asked(5.0))
    assert found.name == name and found.by_check is None


def test_a_named_record_serves_so_too(learnt):
    record = checked(learnt, (6.0, HELD))
    assert given_match(record, asked(5.0)).by_check == (3.0, 6.0)
    assert given_match(record, asked(9.0)).differences[0].code == "cfg"


def test_another_models_checks_say_nothing_here(taught, learnt):
    from tests.kin.relatives import print_of

    taught.put(checked(learnt, (6.0, HELD)))
    finetune = known("Mine", print_of(0.1))
    found = taught.lookup(replace(finetune.key(5.0, SHAPE), sampler="distilled"), "any")
    assert found.kind == NEAREST and found.by_check is None


@pytest.mark.slow
def test_a_picture_at_another_cfg_widens_the_record(taught):
    here = of(known(), cfg=5.0)
    host, _, outcome = picture(taught, studio(FINETUNE, seed=1, digit=4), of=here)
    assert outcome.learnt.kin.code == HOLDS
    assert host.calls - FULL_STEPS == calls_of_check(6, 1)
    said = words.after(outcome)
    assert said.startswith(
        "Drawn in full, 24 steps, to learn it at cfg 5. Your recipe of cfg 3 holds at"
    )
    assert "Base" not in said and "if your recipe of cfg 3 holds)" in words.before(host.told[0])
    record = record_of(taught)  # the one there is
    assert record.conditions.cfg == 3.0 and whole_span(record) == (3.0, 5.0)
    (check,) = checks_of(record.recipe("distilled", 6))
    assert check["cfg"] == 5.0 and check["rms"] < check["stock_rms"]
    between = of(known(), cfg=4.0)
    again, _, few = picture(taught, studio(FINETUNE, seed=2, digit=5), of=between)
    assert few.decision.action == deciding.FEW and again.calls == 6
    said = words.after(few)
    assert "Made at cfg 3 and 64x64, checked from cfg 3 to 5; you use cfg 4." in said
    assert "differs" not in said and "ade at cfg 4" not in said
    assert "measured at cfg 3: 6 steps = about stock's" in said and "in place of" not in said
    there, _, few = picture(taught, studio(FINETUNE, seed=2, digit=5), of=here)
    share = f"{check['rms'] / check['stock_rms']:.2f}"
    said = words.after(few)
    assert f"; checked at cfg 5: {share} of the error of the best stock choice" in said
    assert "ade at cfg 5" not in said and "stock's" not in said


@pytest.mark.slow
def test_where_it_does_not_hold_the_range_stops_and_another_is_learnt(taught):
    here = of(known(), cfg=8.0)
    _, _, outcome = picture(taught, studio(STRANGERS[0], seed=1, digit=4), of=here)
    assert not outcome.learnt.kin.holds
    by_cfg = {taught.load(each.file).conditions.cfg: each.file for each in taught.records()}
    assert set(by_cfg) == {3.0, 8.0}
    first = taught.load(by_cfg[3.0])
    assert whole_span(first) is None
    assert [(each["cfg"], each["holds"]) for each in checks_of(first.recipes[0])] == [(8.0, False)]


@pytest.mark.parametrize("broken", [{"cfg": "5", "holds": True}, {"holds": True}, {"cfg": 5}, 7])
def test_a_strangers_check_must_be_one(learnt, broken):
    import json

    from scheduler.errors import RecordError

    data = json.loads(learnt.to_json())
    data["recipes"][0]["evidence"]["cfg_checks"] = [broken]
    with pytest.raises(RecordError, match="cfg_checks"):
        Record.from_json(json.dumps(data))


def test_a_check_is_noted_in_the_record_as_it_is_by_then(learnt):
    from scheduler.record.cfg_range import with_checks_from

    recipe = learnt.recipe("distilled", 6)
    noted = checked(learnt, (5.0, HELD))
    told = learnt.provenance | {"note": "newer"}
    better = replace(recipe, sigmas=(1.0, 0.8, 0.6, 0.4, 0.2, 0.1, 0.0))
    same, other = (
        with_checks_from(replace(learnt, recipes=(each,), provenance=told), noted)
        for each in (recipe, better)
    )
    assert whole_span(same) == (3.0, 5.0) and same.provenance["note"] == "newer"
    assert whole_span(other) is None  # that recipe was not checked


def improved_at_its_own_cfg(store, before: Record) -> Record:
    """The store's record with another recipe in the place of its own, as improving puts it."""
    (recipe,) = before.recipes
    coefficients = [[0.01 * each for each in row] for row in recipe.coefficients]
    better = replace(recipe, coefficients=coefficients, evidence={"verdict": "seen", "rms": 0.05})
    work = fitting._Work(store, of(known(), cfg=3.0), None, before)
    return work._put(replace(before, recipes=(better,)))


@pytest.mark.slow
def test_improving_loses_no_cfg_at_which_the_former_recipe_holds(taught, learnt):
    before = checked(learnt, (5.0, HELD))
    taught.put(before)
    after = improved_at_its_own_cfg(taught, before)
    for cfg, says in (
        (3.0, "Made at cfg 3 and 64x64."),
        (4.0, "Made at cfg 3 and 64x64, checked from cfg 3 to 5; you use cfg 4."),
        (4.6, "Made at cfg 3 and 64x64, checked from cfg 3 to 5; you use cfg 4.6."),
        (5.0, "Made at cfg 3 and 64x64, checked from cfg 3 to 5; you use cfg 5."),
    ):
        found = choosing.chosen(of(known(), cfg=cfg), (taught,))
        assert deciding.decide(of(known(), cfg=cfg), found, "from my pictures").action == "few"
        ours = after if cfg == 3.0 else before
        assert found.recipe.coefficients == ours.recipes[0].coefficients
        assert words.lookup_words.info(found).endswith(says)
    improved_at_its_own_cfg(taught, before)
    assert len(taught.records()) == 2


def test_what_another_cfg_has_of_its_own_stays(taught, learnt):
    own = replace(learnt, conditions=replace(learnt.conditions, cfg=5.0))
    taught.put(own)
    before = checked(learnt, (5.0, HELD))
    improved_at_its_own_cfg(taught, before)
    found = choosing.chosen(of(known(), cfg=5.0), (taught,))
    assert found.record.conditions.cfg == found.match.made_at(found.recipe) == 5.0
