"""Two models distilled together: one teacher, one schedule with the hand-over on a node, two records."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from scheduler import distill_pair
from scheduler.checkpoints.load import BUNDLED
from scheduler.denoiser import checked
from scheduler.errors import SigmaRangeError, Stopped, UnknownNameError
from scheduler.fingerprint import fingerprint_file
from scheduler.lookup.key import Key
from scheduler.lookup.match import EXACT, judged
from scheduler.pairs.descent import Gaps, descend
from scheduler.pairs.halves import PUBLISHED, Halves, Joint, as_stated, hand_over_sigma, split_of
from scheduler.pairs.programme import joint_schedules
from scheduler.pairs.run import planned_calls
from scheduler.pairs.teacher import grid_through, pair_teacher
from scheduler.pairs.words import told
from scheduler.record import Conditions, Record
from scheduler.record.pair_half import FIRST, SECOND, half_of_patches, hand_over_step, pair_half
from scheduler.samplers import sample
from scheduler.sigmas import flow_table, sd_table
from scheduler.store import Store
from tests.mixture import mixture_denoiser, small_mixture, unit_noise

SHAPE = (64, 8)
AT = 0.6


def blocks(denoise):
    """64 independent pictures of a mixture in one latent: real latents hold many numbers."""

    def mosaic(x, sigma):
        return denoise(x.reshape(-1, 8), sigma.repeat_interleave(64)).reshape(x.shape)

    return mosaic


def high_model():
    return blocks(small_mixture())


def low_model():
    """Another mixture: what the second model knows."""
    means = torch.randn(4, 8, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    return blocks(mixture_denoiser(means * 0.9, [0.4, 0.3, 0.2, 0.1], 0.04))


def conditions() -> tuple[Conditions, Conditions]:
    known = [fingerprint_file(BUNDLED[kind]) for kind in ("flow", "eps")]
    return tuple(
        Conditions(name=name, fingerprint=each.id, samples=each.samples, cfg=3.0)
        for name, each in zip(("high", "low"), known, strict=True)
    )


@pytest.fixture(scope="module")
def made():
    plans = []
    seen = []
    found = distill_pair(
        high_model(), low_model(), SHAPE, AT, sigma_min=0.01, samplers=("euler", "dpmpp_2m"),
        steps=(4, 6), conditions=conditions(), on_plan=plans.append,
        progress=lambda done, planned, phase: seen.append(done),
    )  # fmt: skip
    return found, plans[0], seen[-1]


def test_both_halves_have_the_same_schedules_with_the_hand_over_on_a_node(made):
    found, planned, spent = made
    assert [r.sigmas for r in found.first.recipes] == [r.sigmas for r in found.second.recipes]
    ours = 0
    for recipe in found.first.recipes:
        step = hand_over_step(recipe)
        assert recipe.sigmas[0] == 1 and recipe.sigmas[-1] == 0 and 0 < step < recipe.steps
        assert (np.diff(recipe.sigmas) < 0).all()
        assert recipe.sigmas[step] == AT or not recipe.choice.ours
        ours += recipe.choice.ours
    assert ours >= 3 and spent <= planned
    assert spent == found.first.provenance["model_calls"] + found.first.provenance["evidence_calls"]


def test_jointly_distilled_pairs_are_nearer_than_the_best_stock_pair(made):
    ratios = [recipe.evidence["ratio"] for recipe in made[0].first.recipes]
    assert np.exp(np.mean(np.log(ratios))) < 0.9


def test_the_teacher_hands_over_at_the_sigma(made):
    """Above it only the first model is asked, from it on only the second."""
    asked = {"first": [], "second": []}

    def heard(name, model):
        def denoise(x, sigma):
            asked[name].append(float(sigma[0]))
            return model(x, sigma)

        return checked(denoise)

    halves = Halves(heard("first", high_model()), heard("second", low_model()), "flow")
    grid, place = grid_through(0.01, 1.0, AT, "flow")
    assert grid[place] == AT and (np.diff(grid) < 0).all()
    taught = pair_teacher(halves, unit_noise(3, 64, 8, dtype=torch.float32), grid, place)
    assert min(asked["first"]) > AT and max(asked["second"]) == pytest.approx(AT)
    joint = joint_schedules(taught, "euler", 5)
    assert {each.step for each in joint} == {1, 2, 3, 4}
    assert all(each.hand_over == AT and len(each.sigmas) == 6 for each in joint)


def test_a_pair_of_one_model_is_that_model():
    model = small_mixture()  # of 8 numbers
    halves = Halves(checked(model), checked(model), "flow")
    noise = unit_noise(2, 8, dtype=torch.float32)
    sigmas = np.array([1.0, 0.8, 0.5, 0.2, 0.0])
    assert torch.allclose(
        halves.run(noise, Joint(sigmas, 2), "euler"), sample(model, noise, sigmas, "euler")
    )


def test_descent_gets_nearer_and_keeps_the_hand_over():
    halves = Halves(checked(high_model()), checked(low_model()), "flow")
    noise = unit_noise(2, 64, 8, dtype=torch.float32)
    grid, place = grid_through(0.01, 1.0, AT, "flow")
    target = pair_teacher(halves, noise, grid, place).end

    def error(joint):
        return float((halves.run(noise, joint, "euler") - target).square().mean())

    start = Joint(np.array([1.0, 0.8, AT, 0.3, 0.1, 0.0]), 2)
    found = descend(start, lambda joint: halves.run(noise, joint, "euler"), target, AT, AT)
    assert all(each.hand_over == AT for each in found) and len(found) > 1
    assert error(found[-1]) < error(start)
    searched = descend(start, lambda joint: halves.run(noise, joint, "euler"), target, 0.4, 0.8)
    assert error(searched[-1]) < error(start)
    assert all(0.4 <= each.hand_over <= 0.8 for each in searched)


def test_gaps_go_there_and_back():
    joint = Joint(np.array([1.0, 0.8, AT, 0.3, 0.1, 0.0]), 2)
    gaps = Gaps(1.0, 2, AT, AT)
    assert np.allclose(gaps.joint(gaps.numbers(joint)).sigmas, joint.sigmas)


def test_a_search_stays_within_its_range():
    found = distill_pair(
        high_model(), low_model(), SHAPE, AT, sigma_min=0.01, steps=5, within=(0.5, 0.7),
        measure=False,
    )  # fmt: skip
    (recipe,) = found.first.recipes
    assert 0.5 <= recipe.sigmas[hand_over_step(recipe)] <= 0.7 or not recipe.choice.ours
    assert found.first.provenance["pair"]["searched"]


def test_the_records_are_kept_apart_from_the_models_own(made, tmp_path):
    """Under both fingerprints, each with the other's; nobody else's run finds them."""
    first, second = made[0].first, made[0].second
    assert pair_half(first).half == FIRST and pair_half(second).half == SECOND
    assert pair_half(first).other == "low" and pair_half(second).hand_over == AT
    store = Store(tmp_path)
    names = [store.put(each) for each in (first, second)]
    assert len(set(names)) == 2 and store.load(names[0]).is_within(first)
    key = replace(Key.of(first), sampler=None)
    assert judged(first, key).kind == EXACT
    alone = replace(key, patches=())
    assert judged(first, alone) is None and store.lookup(alone) is None
    asked = replace(key, patches=({"name": FIRST, "strength": 1.0},))
    assert judged(first, asked) is not None and judged(second, asked) is None
    assert half_of_patches(asked.patches) == FIRST
    assert Record.from_json(first.to_json()).is_within(first)


def test_words_say_after_how_many_steps_to_hand_over(made):
    text = told(made[0].first, made[0].second)
    step = hand_over_step(made[0].first.recipe("euler", 6))
    assert f"- euler, 6 steps: hands over after {step} (sigma" in text
    assert "high and low" in text and "end_at_step" in text


def test_published_hand_overs_are_each_familys_own_kind():
    assert hand_over_sigma("wan2.2-t2v", flow_table(8.0)) == PUBLISHED["wan2.2-t2v"] == 0.875
    assert 0.5 < hand_over_sigma("sdxl-refiner", sd_table()) < 1.2
    assert as_stated(0.2, flow_table()) == 0.2 and as_stated(3.0, sd_table()) == 3.0


def test_stock_pairs_are_split_where_users_split_them():
    sigmas = np.array([1.0, 0.9, 0.7, 0.5, 0.0])
    assert split_of(sigmas, 0.875).step == 2
    assert split_of(sigmas, 0.99).step == 1 and split_of(sigmas, 0.1).step == 3


@pytest.mark.parametrize(
    ("changed", "error", "says"),
    [
        ({"hand_over": 1.2}, SigmaRangeError, "cannot meet at sigma 1.2"),
        ({"hand_over": "flux"}, UnknownNameError, "wan2.2-t2v"),
        ({"samplers": ("heun",)}, UnknownNameError, "cannot be cut in two"),
        ({"steps": 1}, Exception, "a step for each half"),
        ({"within": (0.5, 3.0)}, SigmaRangeError, "between"),
    ],
)
def test_mistakes_are_found_before_the_first_call(changed, error, says):
    def never(x, sigma):
        raise AssertionError("asked")

    asked = {"hand_over": AT, "sigma_min": 0.01} | changed
    with pytest.raises(error, match=says):
        distill_pair(never, never, SHAPE, **asked)


def test_where_a_stock_pair_is_nearer_on_unseen_rows_it_is_the_recipe():
    """Of latents of 8 numbers two rows tell too little, and the fit's own schedule loses."""
    found = distill_pair(
        small_mixture(), small_mixture(), (8,), AT, sigma_min=0.01, steps=(4, 5, 6),
        samplers=("euler", "dpmpp_2m"),
    )  # fmt: skip
    for recipe in found.first.recipes:
        assert (np.diff(recipe.sigmas) < 0).all()
        assert recipe.evidence["ratio"] <= 1 or not recipe.choice.ours
    assert not all(recipe.choice.ours for recipe in found.first.recipes)


def test_it_stops_when_asked():
    with pytest.raises(Stopped):
        distill_pair(high_model(), low_model(), SHAPE, AT, sigma_min=0.01, should_stop=lambda: True)


def test_the_plan_counts_every_run():
    from scheduler.distilling.request import request_of

    request = request_of(
        high_model(), SHAPE, 1.0, 0.01, "flow", samplers=["euler"], steps=[6], shift=None, seed=0
    )
    without = planned_calls(request, AT, False, False)
    assert planned_calls(request, AT, True, False) == without + 3 * 6
    assert planned_calls(request, AT, False, True) > without
