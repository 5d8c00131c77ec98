"""Which runs can be learnt from, and the one sentence that says why another can't."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scheduler.checkpoints import load_checkpoint
from scheduler.denoiser import sigma_at
from scheduler.errors import RecordingError
from scheduler.recordings import Recording, record_run, usable
from scheduler.recordings.checking import LEAST_STEPS, WIDEST_GAP
from scheduler.recordings.residuals import noise_shares
from scheduler.samplers import SAMPLERS
from tests.examples import examples
from tests.mixture import unit_noise
from tests.recordings.made import SHAPE, TABLES, ancestral, drawn, grid, smooth


def refused(recording, **about) -> str:
    with pytest.raises(RecordingError) as caught:
        usable(recording, **about)
    sentence = str(caught.value)
    assert sentence.endswith(".") and len(re.findall(r"\.(\s|$)", sentence)) == 1
    return sentence


# --- what passes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("process", ["flow", "ve"])
@pytest.mark.slow
def test_every_deterministic_sampler_passes(process, sampler):
    for steps in (LEAST_STEPS, 25):
        drawn(process, sampler, steps, rows=1).check()


@pytest.mark.parametrize("name", ["flow", "eps"])
@pytest.mark.slow
def test_heun_on_a_real_network_passes(name):
    checkpoint = load_checkpoint(name)
    process = checkpoint.parametrisation
    denoise = checkpoint.denoiser(torch.tensor([3]), 3.0)
    sigmas = grid(process, 12)
    start = unit_noise(1, *checkpoint.latent_shape, dtype=torch.float32) * float(sigmas[0])
    recording = record_run(denoise, start, sigmas, "heun", process)
    recording.check(checkpoint.sigma_min)
    assert noise_shares(recording.sigmas, recording.products).max() > 1e-3  # it is outside the span


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_states_in_half_precision_pass(dtype):
    kept = drawn("ve", "dpmpp_2m", 25)
    rounded = [vector.to(dtype).float() for vector in kept.vectors]
    Recording.of(kept.sigmas, rounded, **kept.about).check()


@pytest.mark.parametrize("schedule", ["karras", "simple", "normal", "sgm_uniform", "beta"])
@pytest.mark.parametrize("process", ["flow", "ve"])
def test_the_hosts_schedules_pass_from_any_start(process, schedule):
    for skipped in (0, 8):  # denoise < 1: the lower part of more steps
        sigmas = grid(process, 20 + skipped, schedule)[skipped:]
        smooth(sigmas, process).check(TABLES[process].sigma_min)


# --- what doesn't ----------------------------------------------------------------------------------


def test_too_few_or_too_many_steps():
    assert "has 11 steps; fewer than 12" in refused(drawn("ve", "euler", LEAST_STEPS - 1))
    drawn("ve", "euler", LEAST_STEPS).check()
    assert "at most 200" in refused(smooth(np.append(np.geomspace(10, 0.03, 201), 0)))
    smooth(np.append(np.geomspace(10, 0.03, 200), 0)).check()


@examples(60)
@given(
    process=st.sampled_from(["flow", "ve"]),
    top=st.floats(-2.0, 0.0),
    gap=st.floats(0.2, 3.5),
)
def test_a_leap_is_refused_exactly_beyond_the_bound(process, top, gap):
    above = np.linspace(-2.6, top, 8)
    below = np.linspace(top + gap, 6.0, 14)
    sigmas = np.append(sigma_at(np.concatenate([above, below]), process), 0.0)
    recording = smooth(sigmas, process)
    seen = min(top + gap, 2.2) - top
    if seen > WIDEST_GAP + 1e-9:
        sentence = refused(recording)
        assert f"leaps from sigma {sigma_at(top, process):.3g} to" in sentence
    elif seen < WIDEST_GAP - 1e-9:
        recording.check()


def test_a_run_that_stops_asking_far_above_the_end():
    high = np.append(np.geomspace(14.6, 3.0, 15), 0.0)  # half-log-SNR -1.1, then nothing to 2.2
    assert "leaps from sigma 3 to 0" in refused(smooth(high))
    # For a model that answers no lower than that there is nothing between.
    smooth(high).check(sigma_min=2.0)


def test_sigmas_that_rise_or_repeat_far_apart():
    sigmas = grid("ve", 16)
    up = sigmas.copy()
    up[5] = up[1] * 1.01  # a restart
    assert "do not descend to 0" in refused(smooth(up))
    assert "not finite" in refused(_with_sigma(np.nan))
    assert "do not descend" in refused(_with_sigma(0.0))


def _with_sigma(value: float) -> Recording:
    kept = drawn("ve", "euler", 16)
    sigmas = kept.sigmas
    sigmas[9] = value
    return Recording.of(sigmas, kept.vectors, **kept.about)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("place", [0, 16, 20])
def test_a_number_that_is_not_finite(place, value):
    kept = drawn("ve", "euler", 16)
    kept.vectors[place][1, 0, 0, 0] = value
    assert "NaN or infinite" in refused(kept)


def test_a_run_without_an_end():
    recording = Recording(SHAPE, "ve")
    assert "no end yet" in refused(recording)


def test_a_run_that_stopped_above_0():
    recording = Recording(SHAPE, "ve")
    recording.finish(torch.zeros(1, *SHAPE), sigma=torch.tensor([0.7]))
    assert "ended at sigma 0.7" in refused(recording)
    # The same where the host doesn't say so: its end is not the last answer.
    kept = drawn("ve", "euler", 25)
    cut = [*kept.vectors[:21], *kept.vectors[26:46]]
    short = Recording.of(np.append(kept.sigmas[:20], 0.0), cut, **kept.about)
    assert "not what its model answered last" in refused(short)


@pytest.mark.parametrize("process", ["flow", "ve"])
@pytest.mark.parametrize(("eta", "steps"), [(1.0, 12), (1.0, 50), (0.3, 25)])
def test_an_ancestral_step_is_found(process, eta, steps):
    assert "an ancestral or SDE sampler" in refused(ancestral(process, grid(process, steps), eta))


def test_noise_that_only_a_third_of_the_steps_add_is_found():
    kept = drawn("ve", "euler", 24, rows=1)
    states = [vector.clone() for vector in kept.vectors]
    noise = torch.Generator().manual_seed(2)
    for k in range(10, 18):
        states[k] += 0.5 * float(kept.sigmas[k]) * torch.randn(1, *SHAPE, generator=noise)
    churned = Recording.of(kept.sigmas, states, **kept.about)
    assert "ancestral or SDE" in refused(churned)


@pytest.mark.parametrize("place", [1, 9, 16])
def test_a_callback_that_passes_another_state_is_found(place):
    kept = drawn("ve", "dpmpp_2m", 16)
    vectors = list(kept.vectors)
    vectors[place] = vectors[place - 1].clone()
    vectors[place][0] = kept.vectors[place][0]  # in one of the rows
    twice = Recording.of(kept.sigmas, vectors, **kept.about)
    assert f"from sigma {kept.sigmas[place - 1]:.4g}, so it is not what" in refused(twice)


def test_the_same_steps_without_the_noise_pass():
    ancestral("ve", grid("ve", 25), eta=0.0).check()


def test_a_run_of_another_model():
    kept = drawn("ve", "euler", 16)
    usable(kept, latent_shape=SHAPE, parametrisation="ve", sigma_max=kept.start_sigma)
    assert "the model at hand draws (4, 16, 8)" in refused(kept, latent_shape=(4, 16, 8))
    assert "is of a ve model, the one at hand is flow" in refused(kept, parametrisation="flow")
    assert "above the model's highest, 10" in refused(kept, sigma_max=10.0)
    wrong = Recording.of(kept.sigmas, kept.vectors, **{**kept.about, "latent_shape": (16, 8, 8)})
    assert "(16, 8, 8) was expected" in refused(wrong)
