"""The surrogate: exact where the model has answered, a Gaussian's slope where nothing is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scheduler.denoiser import half_log_snr, sigma_at
from scheduler.fit.span import NOTHING, Span
from scheduler.fit.student import Answers
from scheduler.fit.surrogate import WIDTH, Path, Surrogate
from scheduler.samplers.query_offsets import FLOW_TOP
from tests.fit.lab import RANGES, ROWS, answers_of, recorded
from tests.mixture import mixture_denoiser, small_mixture, unit_noise

VARIANCE = 0.3
SIGMA = {"flow": 0.45, "ve": 1.1}


@pytest.fixture(params=sorted(RANGES))
def process(request):
    return request.param


def clean(process: str) -> tuple[Answers, Surrogate]:
    """A surrogate that has learnt nothing beyond the path."""
    answers = answers_of(process)
    return answers, answers.surrogate


def away(answers: Answers, sigma: float, seed: int, size: float = 0.1) -> np.ndarray:
    """(R, d): coordinates of a state off the teacher's path."""
    direction = answers.span.add([unit_noise(ROWS, 1, 8, seed=seed)])
    return answers.surrogate.state(np.array([sigma]))[0] + size * answers.span.widened(direction)


def said(surrogate: Surrogate, x: np.ndarray, sigma: float) -> np.ndarray:
    return surrogate.answer(x[None], np.array([sigma]))[0]


def plain(surrogate: Surrogate, x: np.ndarray, sigma: float) -> np.ndarray:
    """The teacher's prediction and the slope: what is said where nothing more is known."""
    at = np.array([sigma])
    offset = surrogate.span.widened(x) - surrogate.state(at)[0]
    return surrogate.prediction(at)[0] + surrogate.slope(at) * offset


# --- the path ---


def test_on_the_path_it_is_the_teacher(process):
    answers, surrogate = clean(process)
    (each,) = answers.sets
    count = len(each.sigmas)
    for k in (0, 7, count - 2):
        sigma = float(each.sigmas[k])
        x = answers.span.add([each.vectors[k]])
        at = np.array([sigma])
        denoised = answers.span.widened(answers.span.add([each.vectors[count + k]]))
        rounding = 2 * NOTHING * max(1.0, sigma)
        np.testing.assert_allclose(surrogate.state(at)[0], answers.span.widened(x), atol=rounding)
        np.testing.assert_allclose(said(surrogate, x, sigma), denoised, atol=rounding)
    np.testing.assert_allclose(
        surrogate.first,
        answers.span.widened(answers.span.add([each.first_answer])),
        atol=2 * NOTHING,
    )
    np.testing.assert_allclose(
        surrogate.end, answers.span.widened(answers.span.add([each.end])), atol=2 * NOTHING
    )


def test_between_nodes_it_is_the_interpolated_teacher(process):
    answers, surrogate = clean(process)
    (each,) = answers.sets
    sigma = float(np.sqrt(each.sigmas[9] * each.sigmas[10]))
    state = answers.span.widened(answers.span.add([each.state(sigma)]))
    np.testing.assert_allclose(surrogate.state(np.array([sigma]))[0], state, atol=1e-6)
    denoised = each.model(each.state(sigma), sigma)
    truth = answers.span.widened(answers.span.add([denoised]))
    miss = said(surrogate, surrogate.state(np.array([sigma]))[0], sigma) - truth
    assert np.abs(miss).max() < 0.02 * np.abs(truth).max()


def test_above_and_below_the_teachers_nodes_its_ends_stay(process):
    _, surrogate = clean(process)
    low, high = RANGES[process]
    for find, near, far in (
        (surrogate.state, high, 1.5 * high),
        (surrogate.prediction, high, 1.5 * high),
        (surrogate.prediction, low, 0.5 * low),
    ):
        np.testing.assert_array_equal(*(find(np.array([sigma])) for sigma in (near, far)))


def test_several_sets_stand_row_beside_row(process):
    first, second = recorded(process, rows=2), recorded(process, rows=3, seed=5)
    both = answers_of(process, first, second).surrogate
    at = np.array([SIGMA[process]])
    found = both.state(at)[0]
    assert found.shape[0] == 5
    for rows, each in ((slice(0, 2), first), (slice(2, 5), second)):
        alone = answers_of(process, each).surrogate.state(at)[0]
        lengths = (np.linalg.norm(of, axis=1) for of in (found[rows], alone))  # bases differ
        np.testing.assert_allclose(*lengths, rtol=1e-9)


def test_many_sigmas_at_once_are_each_on_its_own(process):
    answers, surrogate = clean(process)
    sigmas = SIGMA[process] * np.array([1.0, 1.01, 0.99])
    x = np.stack([away(answers, float(sigma), seed=1) for sigma in sigmas])
    surrogate.learn(away(answers, SIGMA[process], seed=2), SIGMA[process], x[0])
    together = surrogate.answer(answers.span.widened(x), sigmas)
    assert together.shape[:2] == (3, ROWS)
    np.testing.assert_allclose(together[0], said(surrogate, x[0], float(sigmas[0])), atol=1e-12)


# --- off the path ---


def test_a_gaussian_is_met_exactly_off_the_path(process):
    """Its denoiser is linear, with the slope that the surrogate takes."""
    model = mixture_denoiser(torch.zeros(1, 8), [1.0], VARIANCE, process)
    each = recorded(process, denoise=model)
    span = Span(ROWS, 8)
    vectors = [span.add([vector]) for vector in each.vectors]
    path = Path(each.sigmas, np.stack([span.widened(vector) for vector in vectors], 1))
    surrogate = Surrogate(span, [path], process, VARIANCE)
    for node in (0, 8, 20):
        sigma = float(each.sigmas[node])
        x = each.vectors[node] + 0.5 * unit_noise(ROWS, 1, 8, seed=3, dtype=torch.float32)
        at, denoised = span.add([x]), span.add([each.model(x, sigma)])
        np.testing.assert_allclose(said(surrogate, at, sigma), span.widened(denoised), atol=1e-6)


def test_the_slope_runs_from_nothing_in_noise_to_one_at_the_end(process):
    low, high = RANGES[process]
    _, surrogate = clean(process)
    slopes = surrogate.slope(np.array([high, SIGMA[process], low]))
    assert slopes[0] < 0.01 and slopes[2] > 0.99 and (np.diff(slopes) > 0).all()


def test_the_clock_is_half_the_log_of_noise_over_signal(process):
    _, surrogate = clean(process)
    sigmas = np.geomspace(RANGES[process][0], 0.99 * RANGES[process][1], 20)
    np.testing.assert_allclose(surrogate.clock(sigmas), -half_log_snr(sigmas, process), atol=1e-9)
    assert np.isfinite(surrogate.clock(np.array([1.0]))).all()  # a flow's top has no log-SNR
    assert surrogate.clock(np.array([1.0]))[0] == pytest.approx(
        -np.log(1 - FLOW_TOP) if process == "flow" else 0.0
    )


# --- what was learnt ---


def test_known_answers_are_said_again(process):
    answers, surrogate = clean(process)
    sigma = SIGMA[process]
    queries = [away(answers, sigma, seed) for seed in (1, 2, 3)]
    told = [0.7 * away(answers, sigma, seed) for seed in (11, 12, 13)]
    for x, denoised in zip(queries, told, strict=True):
        surrogate.learn(x, sigma, denoised)
    for x, denoised in zip(queries, told, strict=True):
        found = said(surrogate, answers.span.widened(x), sigma)
        np.testing.assert_allclose(found, answers.span.widened(denoised), atol=1e-9)


def test_secants_learn_a_linear_map(process):
    """A model whose slope differs by direction: after one answer in each of three, it is known in all
    that they span."""
    answers, surrogate = clean(process)
    sigma, at = SIGMA[process], np.array([SIGMA[process]])
    directions = [away(answers, sigma, seed, 0.1) for seed in (1, 2, 3)]
    path = surrogate.state(at)[0]
    rng = np.random.default_rng(0)
    slopes = rng.uniform(-0.5, 1.5, answers.span.dimension)

    def model(x):
        return surrogate.prediction(at)[0] + (x - path) * slopes

    across = [answers.span.widened(each) - path for each in directions]
    for each in across:
        surrogate.learn(path + each, sigma, model(path + each))
    x = path + 0.6 * across[0] - 0.4 * across[1] + 0.3 * across[2]
    left = np.linalg.norm(said(surrogate, x, sigma) - model(x))
    before = np.linalg.norm(plain(surrogate, x, sigma) - model(x))
    assert left < 0.02 * before


def test_directions_that_nothing_is_known_of_keep_the_slope(process):
    answers, surrogate = clean(process)
    sigma, at = SIGMA[process], np.array([SIGMA[process]])
    known = away(answers, sigma, seed=1)
    surrogate.learn(known, sigma, known)
    fresh = np.zeros((ROWS, answers.span.dimension))
    offset = answers.span.widened(known) - surrogate.state(at)[0]
    fresh[:, 0] = 1.0
    along = np.einsum("rd,rd->r", fresh, offset) / np.einsum("rd,rd->r", offset, offset)
    fresh -= along[:, None] * offset
    x = surrogate.state(at)[0] + 0.01 * fresh
    np.testing.assert_allclose(said(surrogate, x, sigma), plain(surrogate, x, sigma), atol=1e-9)


def test_answers_at_another_noise_level_say_nothing(process):
    answers, surrogate = clean(process)
    clock = half_log_snr(SIGMA[process], process)
    near, far = (float(sigma_at(clock + share * WIDTH, process)) for share in (0.5, 1.01))
    x = away(answers, SIGMA[process], seed=1)
    surrogate.learn(x, SIGMA[process], 2 * x)
    for sigma, heard in ((near, True), (far, False)):
        asked = away(answers, sigma, seed=1)
        moved = said(surrogate, answers.span.widened(asked), sigma) - plain(surrogate, asked, sigma)
        assert bool(np.abs(moved).max() > 1e-3) == heard


def test_the_path_itself_stays_the_teachers_whatever_was_learnt(process):
    answers, surrogate = clean(process)
    sigma, at = SIGMA[process], np.array([SIGMA[process]])
    for seed in range(1, 10):  # more than are listened to
        x = away(answers, sigma, seed, size=0.3)
        surrogate.learn(x, sigma, 0.5 * x)
    found = said(surrogate, surrogate.state(at)[0], sigma)
    np.testing.assert_allclose(found, surrogate.prediction(at)[0], atol=1e-9)


def test_an_answer_asked_for_twice_is_no_harm(process):
    answers, surrogate = clean(process)
    sigma, x = SIGMA[process], away(answers, SIGMA[process], seed=1)
    for _ in range(3):
        surrogate.learn(x, sigma, 0.5 * x)
    assert np.isfinite(said(surrogate, 1.1 * answers.span.widened(x), sigma)).all()
    np.testing.assert_allclose(said(surrogate, x, sigma), 0.5 * answers.span.widened(x), atol=1e-9)


def test_directions_found_later_widen_what_was_known(process):
    """What was said before a direction was met is as true after it."""
    answers = answers_of(
        process, recorded(process, shape=(1, 40), denoise=small_mixture(process, 40))
    )
    surrogate, sigma = answers.surrogate, SIGMA[process]
    direction = answers.span.widened(answers.span.add([unit_noise(ROWS, 1, 40, seed=1)]))
    x = surrogate.state(np.array([sigma]))[0] + 0.1 * direction
    surrogate.learn(x, sigma, 0.5 * x)
    before = said(surrogate, answers.span.widened(x), sigma)
    narrow = answers.span.dimension
    for seed in range(20, 30):
        answers.span.add([unit_noise(ROWS, 1, 40, seed=seed)])
    assert answers.span.dimension > narrow
    np.testing.assert_allclose(
        said(surrogate, answers.span.widened(x), sigma), answers.span.widened(before), atol=1e-12
    )
