"""Query offsets: where the model is asked, within which bounds, and what a stock sampler's wrapped
model does with them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scheduler.denoiser import checked
from scheduler.samplers import sample
from scheduler.samplers.query_offsets import (
    GUESS,
    MOST_OFFSET,
    ask,
    asked_sigma,
    bounded_offset,
    guessed_offset,
    usual_offset,
    with_offsets,
)
from scheduler.sigmas.noise_range import NoiseRange
from tests.mixture import small_mixture, unit_noise

RANGES = {"flow": (0.002, 1.0), "ve": (0.03, 14.6)}
VE = NoiseRange("ve", *RANGES["ve"])
places = st.tuples(st.sampled_from(sorted(RANGES)), st.floats(0, 1), st.floats(-4, 4))


class Asked:
    """A denoiser that notes what it was asked."""

    def __init__(self):
        self.seen = []

    def __call__(self, x, sigma):
        self.seen.append((x.clone(), float(sigma[0])))
        return x * 0.5


@given(places)
def test_bounded_queries_stay_in_the_models_range(place):
    parametrisation, share, offset = place
    low, high = RANGES[parametrisation]
    sigma = min(max(low * (high / low) ** share, low), high)
    bounded = bounded_offset(sigma, offset, NoiseRange(parametrisation, low, high))
    asked = asked_sigma(sigma, bounded, parametrisation)
    assert low * (1 - 1e-9) <= asked <= high * (1 + 1e-9)
    assert abs(bounded) <= MOST_OFFSET
    assert bounded * offset >= 0  # never turned round
    if sigma == high:
        assert bounded <= 0


def test_what_an_offset_means():
    assert asked_sigma(2.0, 0.5, "ve") == pytest.approx(2 * math.exp(0.5))
    asked = asked_sigma(0.3, 0.5, "flow")
    assert math.log(asked / (1 - asked)) == pytest.approx(math.log(0.3 / 0.7) + 0.5)
    assert asked_sigma(1.0, -0.4, "flow") == 1.0 and asked_sigma(0.3, 0.0, "flow") == 0.3
    assert bounded_offset(1.0, -0.4, NoiseRange("flow", 0.002, 1.0)) == 0


def test_flow_queries_are_rescaled_and_ve_ones_are_not():
    x, asked = unit_noise(2, 1, 4), Asked()
    ask(checked(asked), x, 0.6, -0.3, "flow")
    ask(checked(asked), x, 0.6, -0.3, "ve")
    (flow, level), (ve, _) = asked.seen
    np.testing.assert_allclose(flow, x * (1 - asked_sigma(0.6, -0.3, "flow")) / 0.4, rtol=1e-6)
    assert level == pytest.approx(asked_sigma(0.6, -0.3, "flow"), rel=1e-6)
    assert torch.equal(ve, x)


def test_a_gaussian_is_denoised_alike_at_the_level_its_noise_says():
    """Asked at s', x holds its clean part at weight 1 - s', as the model expects there."""
    clean, noise = unit_noise(1, 4, seed=1), unit_noise(1, 4, seed=2)
    x, asked = 0.4 * clean + 0.6 * noise, Asked()
    ask(checked(asked), x, 0.6, 0.2, "flow")
    seen, level = asked.seen[0]
    np.testing.assert_allclose(
        seen - (1 - level) * clean, 0.6 * (1 - level) / 0.4 * noise, atol=1e-6, rtol=1e-5
    )


def test_guesses_follow_the_steps_length():
    assert usual_offset(2.0, 1.0, 0.03) == pytest.approx(GUESS * math.log(2))
    assert usual_offset(0.06, 0.0, 0.03) == pytest.approx(GUESS * (math.log(2) + 0.5))
    assert guessed_offset(2.0, 1.0, 0.5, VE) == pytest.approx(GUESS * math.log(2) / 2)
    assert guessed_offset(0.03, 0.0, 1.0, VE) == 0  # nothing lies below sigma_min


def test_a_stock_sampler_sees_its_own_sigmas_shifted_and_no_others():
    sigmas, asked = [1.0, 0.6, 0.2, 0.0], Asked()
    model = with_offsets(asked, sigmas, [0.0, -0.3, 0.1], "flow")
    x = unit_noise(1, 3)
    for sigma in (1.0, 0.6, 0.4, 0.2, 0.0):
        model(x, torch.full((1,), sigma))
    levels = [level for _, level in asked.seen]
    assert levels == pytest.approx(
        [1.0, asked_sigma(0.6, -0.3, "flow"), 0.4, asked_sigma(0.2, 0.1, "flow"), 0.0], rel=1e-6
    )


@pytest.mark.parametrize("parametrisation", RANGES)
@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "uni_pc", "heun"])
def test_offsets_of_zero_change_nothing(parametrisation, sampler):
    low, high = RANGES[parametrisation]
    sigmas = [high, high * 0.5, high * 0.1, low, 0.0]
    denoise, x = small_mixture(parametrisation), unit_noise(2, 1, 8) * high
    plain = sample(denoise, x, sigmas, sampler)
    np.testing.assert_allclose(
        sample(with_offsets(denoise, sigmas, [0.0] * 4, parametrisation), x, sigmas, sampler), plain
    )
