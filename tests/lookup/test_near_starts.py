"""A recipe that was fitted from a start near the one that runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scheduler.lookup import selection, serving
from scheduler.lookup.match import EXACT, NEAREST
from scheduler.lookup.selection import select
from scheduler.lookup.starts import denoise_of
from scheduler.lookup.wanted import SIGMAS, Wanted
from scheduler.lookup.words import info
from scheduler.record import Record
from scheduler.samplers.names import DISTILLED
from scheduler.samplers.stretched import stretched
from tests.lookup.made import Shelf, facts, fitted, record
from tests.weights import smooth_gram


def start(denoise: float) -> float:
    return facts().table.percent_to_sigma(1 - denoise)


def learnt_at(*denoises, **more):
    made = [fitted(start=start(each), rms=0.05) for each in denoises]
    return record(*made, **more)


def find(*records, denoise=0.55, steps=3, **more):
    wanted = Wanted.of(facts(), DISTILLED, steps, denoise, **more)
    return select(wanted, facts(), shelves=(Shelf(*records),))


def test_its_levels_are_stretched_and_said():
    made = learnt_at(0.5, gram=smooth_gram())
    found = find(made)
    own = made.recipes[0]
    assert found.source == NEAREST and found.stretched
    assert found.measured == selection.NOT_MEASURED and "rms" not in found.recipe.evidence
    assert found.recipe.sigmas == stretched(own.sigmas, start(0.55), "flow")
    assert found.recipe.coefficients == own.coefficients
    (one,) = found.substituted
    assert (one.code, found.recipe.evidence["from_start"]) == (serving.STRETCHED, own.start_sigma)
    said = info(found)
    assert "denoise 0.55" in said and "learnt at denoise 0.5, which is near; not measured" in said


@pytest.mark.parametrize("denoise, near", [(0.6, True), (0.46, True), (0.7, False), (0.4, False)])
def test_how_near_a_start_must_be(denoise, near):
    assert find(learnt_at(0.5), denoise=denoise).stretched is near


def test_the_nearest_serves():
    found = find(learnt_at(0.5, 0.58))
    assert denoise_of(found.record, found.recipe.evidence["from_start"]) == 0.58


def test_what_was_fitted_for_the_very_start_goes_first():
    made = learnt_at(0.5)
    both = replace(made, recipes=(*made.recipes, fitted(start=start(0.55), rms=0.2)))
    assert find(both).source == EXACT and not find(both).stretched
    assert find(learnt_at(0.5, name="one"), both).record is not both or not find(both).stretched


def test_another_cfgs_record_does_not_go_before_it():
    near, other = learnt_at(0.5), learnt_at(0.55, cfg=9.0)
    found = select(
        Wanted.of(facts(), DISTILLED, 3, 0.55),
        facts(),
        facts().key(4.0),
        shelves=(Shelf(near, other),),
    )
    assert found.record is near and found.stretched


def test_only_our_own_below_the_top_with_as_many_steps():
    (own,) = learnt_at(0.5).recipes
    stock = replace(own, choice="beta")
    for served in (record(stock), record(fitted(start=1.0)), record(own)):
        steps = 4 if served.recipes[0] is own else 3
        assert not find(
            served, denoise=0.97 if served.recipes[0].start_sigma == 1 else 0.55, steps=steps
        ).stretched
    assert not find(record(own), carries=SIGMAS).stretched


def test_a_stretched_one_is_not_stretched_again():
    found = find(learnt_at(0.5), denoise=0.58)
    kept = found.to_carry
    assert find(kept, denoise=0.58).recipe == found.recipe
    assert find(kept, denoise=0.58).source == EXACT
    further = find(kept, denoise=0.66)
    assert not further.stretched


def test_a_picture_carries_it_through_a_file():
    found = find(learnt_at(0.5))
    again = Record.from_json(found.to_carry.to_json())
    assert find(again).recipe == found.recipe
    assert "learnt at denoise 0.5, which is near; not measured" in info(find(again))
    plain = find(learnt_at(0.55))
    assert plain.to_carry is plain.record


def test_offsets_stay_where_the_model_may_be_asked():
    (own,) = learnt_at(0.5).recipes
    made = record(replace(own, offsets=[-5.0, 0.0, 0.5]))
    assert find(made).recipe.offsets[0] >= -1.5
