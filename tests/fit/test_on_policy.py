"""Walks: fits on the student's own states improve on Euler where it counts, on noise never used,
and run as they were fitted."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scheduler.denoiser import start_state
from scheduler.distilling.meter import Meter, Metered
from scheduler.fit.on_policy import SHARES, _Lane, secant, stepper_of, walk
from scheduler.fit.teacher import record_teacher
from scheduler.fit.trajectories import TrajectorySet
from scheduler.samplers import sample
from scheduler.samplers.distilled import sample_distilled
from scheduler.samplers.query_offsets import with_offsets
from scheduler.sigmas import log_snr_grid
from scheduler.sigmas.noise_range import NoiseRange
from tests.mixture import small_mixture, unit_noise

RANGES = {"flow": (0.002, 1.0), "ve": (0.03, 14.6)}
SIGMAS = {"flow": [1.0, 0.9, 0.7, 0.4, 0.15, 0.0], "ve": [14.6, 5.0, 2.0, 0.8, 0.25, 0.0]}
ROWS = 8


class Lab:
    """Trajectory sets of a small mixture, and walks on them."""

    def __init__(self, parametrisation, rows=ROWS, sets=1, fit=None):
        self.parametrisation, self.meter = parametrisation, Meter(10**6)
        self.low, self.high = RANGES[parametrisation]
        self.sigmas = np.array(SIGMAS[parametrisation])
        self.sets = [self.trajectories(rows, seed, fit) for seed in range(sets)]

    def trajectories(self, rows, seed, fit=None):
        grid = log_snr_grid(self.low, self.high, 40, self.parametrisation)
        noise = unit_noise(rows, 1, 8, seed=seed, dtype=torch.float32)
        model = Metered(small_mixture(self.parametrisation), self.meter)
        teacher = record_teacher(
            model, noise, grid, self.parametrisation, "adams3", keep_states=True
        )
        vectors = [*teacher.states, *teacher.predictions]
        model.remember(vectors[0], float(grid[0]), vectors[len(grid)])
        return TrajectorySet(
            model, noise, grid, vectors, np.ones(rows, bool) if fit is None else fit
        )

    @property
    def noise_range(self):
        return NoiseRange(self.parametrisation, self.low, self.high)

    def walk(self, sampler="distilled", tries=1, sigmas=None, offsets=None):
        sigmas = self.sigmas if sigmas is None else sigmas
        return walk(self.sets, sampler, sigmas, self.noise_range, tries, offsets)[0]

    def errors(self, found, held_out):
        """End errors of a fitted walk's numbers on another set."""
        x = start_state(held_out.noise, self.high, self.parametrisation)
        if found.coefficients is None:
            model = with_offsets(held_out.model, found.sigmas, found.offsets, self.parametrisation)
            return held_out.errors(sample(model, x, found.sigmas, "euler"))
        end = sample_distilled(
            held_out.model, x, found.sigmas, found.coefficients, found.offsets, self.parametrisation
        )
        return held_out.errors(end)


@pytest.fixture(scope="module", params=sorted(RANGES))
def lab(request):
    return Lab(request.param)


def test_fits_improve_on_euler_on_held_out_noise(lab):
    held_out = lab.trajectories(16, seed=77)
    x = start_state(held_out.noise, lab.high, lab.parametrisation)
    euler = held_out.errors(sample(held_out.model, x, lab.sigmas, "euler")).mean()
    ours = lab.errors(lab.walk(tries=3), held_out).mean()
    assert ours < 0.6 * euler
    assert lab.errors(lab.walk(tries=1), held_out).mean() < euler
    assert lab.errors(lab.walk("euler", tries=3), held_out).mean() < 0.8 * euler


@pytest.mark.parametrize("tries", [1, 2, 3])
@pytest.mark.parametrize("parametrisation", RANGES)
def test_the_plain_sampler_repeats_the_walk(parametrisation, tries):
    lab = Lab(parametrisation, rows=4, sets=2)
    found = lab.walk(tries=tries)
    again = np.concatenate([lab.errors(found, each) for each in lab.sets])
    np.testing.assert_allclose(again, found.errors, atol=1e-5)


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "res_multistep"])
def test_stock_walks_without_offsets_are_the_stock_sampler(lab, sampler):
    found, (of,) = lab.walk(sampler), lab.sets
    x = start_state(of.noise, lab.high, lab.parametrisation)
    np.testing.assert_allclose(
        found.errors, of.errors(sample(of.model, x, lab.sigmas, sampler)), atol=1e-5
    )
    assert found.coefficients is None and not found.offsets.any()


@pytest.mark.parametrize("tries", [1, 2, 3])
@pytest.mark.parametrize("sampler", ["distilled", "dpmpp_2m"])
def test_calls_are_within_tries_and_the_first_is_free(lab, tries, sampler):
    before, steps = lab.meter.done, len(lab.sigmas) - 1
    lab.walk(sampler, tries=tries)
    assert (lab.meter.done - before) <= ROWS * (tries * steps - 1)


def test_queries_stay_in_the_models_range():
    for parametrisation in RANGES:
        lab = Lab(parametrisation, rows=3)
        low, high = lab.low, lab.high
        sigmas = np.array([high, 0.3 * high, 3 * low, low, 0])
        found = lab.walk(tries=3, sigmas=sigmas)
        seen = []
        noting = lambda x, s, seen=seen: seen.append(float(s[0])) or x * 0  # noqa: E731
        sample_distilled(
            noting, lab.sets[0].noise, sigmas, found.coefficients, found.offsets, parametrisation
        )
        assert len(seen) == 4 and min(seen) >= low * (1 - 1e-6) and max(seen) <= high * (1 + 1e-6)


def test_offsets_may_be_given():
    lab = Lab("ve", rows=4)
    searched = lab.walk(tries=3)
    again = lab.walk(offsets=searched.offsets)
    np.testing.assert_allclose(again.coefficients, searched.coefficients, atol=1e-9)
    np.testing.assert_allclose(again.errors, searched.errors, rtol=1e-6)
    assert np.array_equal(again.offsets, searched.offsets)


def test_a_secant_finds_a_planted_optimum():
    """D moves in a straight line with the share of the guess, and the teacher's next state is
    Euler's from the D at a known share."""
    rng = np.random.default_rng(0)
    for planted in (-0.4, 0.6, 1.0, 2.2):
        x, here, there = rng.standard_normal((3, 4, 50))
        target = 0.5 * x + 0.5 * ((1 - planted) * here + planted * there)
        vectors = np.stack([x, here, there, target], axis=1)
        found = secant(vectors @ vectors.swapaxes(1, 2), stepper_of("euler"), (1.0, 2.0))
        assert found == pytest.approx(planted, abs=(SHARES[1] - SHARES[0]) / 2)


def test_a_walk_finds_a_planted_offset():
    """A model whose answer depends on the level alone, and on its logarithm in a straight line: the
    third try is at the best offset."""
    start = float(np.e)
    grid = np.array([start, 1.0, 0.0])  # a step of one e-fold: the usual offset is -0.2
    x, direction = torch.ones(3, 4), torch.linspace(1, 2, 4).expand(3, 4)
    asked = []

    def model(x, sigma):
        asked.append(float(np.log(sigma / start)))
        return (1 + asked[-1]) * direction

    planted = 0.6 * -0.2
    middle = x / start + (1 - 1 / start) * (1 + planted) * direction
    vectors = [x, middle, direction, direction, direction]
    of = TrajectorySet(model, x / start, grid, vectors, np.ones(3, bool))
    found, _ = walk([of], "euler", grid, NoiseRange("ve", 0.01, 10.0), tries=3)
    assert asked[:3] == pytest.approx([0.0, -0.2, planted])
    assert found.offsets[0] == pytest.approx(planted)


def test_rows_that_fits_leave_alone_change_nothing_but_ride_along():
    fit = np.arange(6) < 4
    lab, other = Lab("flow", rows=6, fit=fit), Lab("flow", rows=6, fit=fit)
    for vector in other.sets[0].vectors[1:]:
        vector[4:] += 5  # the unseen rows' targets
    assert np.array_equal(lab.walk().coefficients, other.walk().coefficients)
    assert len(lab.walk().errors) == 6


def test_a_set_without_rows_for_the_fit_rides_along():
    lab = Lab("ve", rows=2, sets=2)
    alone = Lab("ve", rows=2, sets=1)
    lab.sets[1].fit_rows[:] = False
    np.testing.assert_allclose(lab.walk().coefficients, alone.walk().coefficients)
    assert len(lab.walk().errors) == 4


def test_inner_products_keep_what_float32_would_lose():
    """Vectors a millionth apart: the squared distance, 1e-12 of their squares, is still there to
    choose by."""
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(3, 1, 1000, generator=rng)
    target = x * (1 + 1e-6)
    lane = _Lane(
        TrajectorySet(None, x, np.array([1.0, 0.0]), [x, x, x], np.array([True, False, True])), x
    )
    found = lane.products([x], target)
    apart = (target.double() - x.double()).square().flatten(1).mean(1)[[0, 2]]
    assert found.shape == (2, 3, 3)
    np.testing.assert_allclose(
        np.einsum("p,rpq,q->r", [1, 0, -1], found, [1, 0, -1]), apart, rtol=0.01
    )
