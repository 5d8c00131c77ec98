"""Roll-outs from the start and from the middle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from scheduler.denoiser import start_state
from scheduler.errors import DenoiserError
from scheduler.fit.candidate import DISTILLED, EXPLODED, Candidate
from scheduler.fit.rollout import calls_of, rollout
from scheduler.samplers.distilled import sample_distilled
from tests.fit.test_on_policy import RANGES, Lab


@pytest.mark.parametrize("parametrisation", RANGES)
@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "uni_pc", "heun", DISTILLED])
def test_known_answers_are_not_asked_for_again(parametrisation, sampler):
    lab = Lab(parametrisation, rows=3, sets=2)
    steps, offsets = len(lab.sigmas) - 1, np.full(len(lab.sigmas) - 1, -0.05)
    offsets[0] = 0.0
    candidate = Candidate(sampler, lab.sigmas, offsets)
    whole = rollout(lab.sets, candidate, lab.noise_range, keep=True)
    assert [len(answers) for answers in whole.answers] == [calls_of(sampler, steps)] * 2
    for first in range(1, steps):
        known = [answers[: calls_of(sampler, first)] for answers in whole.answers]
        before = lab.meter.done
        again = rollout(lab.sets, candidate, lab.noise_range, known)
        assert lab.meter.done - before == 6 * (calls_of(sampler, steps) - calls_of(sampler, first))
        assert all(np.array_equal(a, b) for a, b in zip(again.ends, whole.ends, strict=True))


def test_the_distilled_sampler_is_fitted_on_the_way():
    lab = Lab("ve", rows=4)
    found = rollout(lab.sets, Candidate(DISTILLED, lab.sigmas), lab.noise_range).candidate
    assert np.array_equal(found.coefficients, lab.walk().coefficients)
    plain = rollout(lab.sets, Candidate("euler", lab.sigmas), lab.noise_range).candidate
    assert plain.coefficients is None


@pytest.mark.parametrize("parametrisation", RANGES)
def test_given_coefficients_are_run_as_the_sampler_runs_them(parametrisation):
    """A change at one step leaves the answers up to it as they are, and the end is the sampler's."""
    lab = Lab(parametrisation, rows=3, sets=2)
    walked = lab.walk(tries=3)
    base = rollout(lab.sets, walked, lab.noise_range, keep=True)
    np.testing.assert_allclose(base.candidate.errors, walked.errors, atol=1e-5)
    moved = walked.coefficients.copy()
    moved[2, 0] += 0.1
    known = [answers[:3] for answers in base.answers]
    again = rollout(lab.sets, replace(walked, coefficients=moved), lab.noise_range, known)
    for each, end in zip(lab.sets, again.ends, strict=True):
        x = start_state(each.noise, lab.high, parametrisation)
        numbers = moved, walked.offsets, parametrisation
        assert torch.equal(end, sample_distilled(each.model, x, walked.sigmas, *numbers))


@pytest.mark.parametrize("sampler", ["euler", "uni_pc", DISTILLED])
def test_a_set_whose_model_breaks_down_counts_as_exploded(sampler):
    lab = Lab("ve", rows=3, sets=2)
    steady = lab.sets[1].model
    lab.sets[1].model = lambda x, sigma: steady(x, sigma) if sigma > 3 else _fail()
    found = rollout(lab.sets, Candidate(sampler, lab.sigmas), lab.noise_range)
    assert not found.candidate.finite and found.ends == []
    assert (found.candidate.errors[3:] == EXPLODED).all()
    if sampler != DISTILLED:  # whose one fit is made on all sets together
        assert (found.candidate.errors[:3] < 10).all()


def _fail():
    raise DenoiserError("no answer")
