"""True runs beside the teacher: what the samplers themselves would do, and every answer kept."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from scheduler.denoiser import start_state
from scheduler.errors import Stopped
from scheduler.fit.candidate import DISTILLED, EXPLODED, Candidate
from scheduler.fit.coefficients import fit_step
from scheduler.fit.student import Student
from scheduler.samplers import sample
from scheduler.samplers.distilled import PAST, sample_distilled
from scheduler.samplers.multistep import LINEAR, combine
from scheduler.samplers.query_offsets import ask, guessed_offset
from tests.fit.lab import (
    RANGES,
    ROWS,
    SIGMAS,
    a_candidate,
    answers_of,
    parts_of,
    range_of,
    recorded,
    sampled,
)
from tests.mixture import small_mixture

STEPS = 5
# the second costs as much again
OF_EACH = pytest.mark.parametrize("process", ["flow", pytest.param("ve", marks=pytest.mark.slow)])


def calls(answers) -> int:
    return sum(each.model.calls for each in answers.sets)


# --- runs ---


@OF_EACH
@pytest.mark.parametrize("offsets", [False, True])
@pytest.mark.parametrize("sampler", [*LINEAR, DISTILLED])
def test_a_run_is_what_the_sampler_itself_does(process, sampler, offsets):
    candidate = a_candidate(process, sampler, offsets)
    answers = answers_of(process, *parts_of(recorded(process), slice(0, 4), slice(4, 6)))
    ends = [each.errors(sampled(each, candidate, process)) for each in answers.sets]
    found = answers.run(candidate)
    np.testing.assert_allclose(found.errors, np.concatenate(ends), atol=2e-6)
    assert found.finite and np.array_equal(found.sigmas, candidate.sigmas)
    for part in ("offsets", "coefficients"):
        assert getattr(found, part) is getattr(candidate, part)


@OF_EACH
@pytest.mark.parametrize("sampler", ["euler", "lms", DISTILLED])
def test_a_run_from_the_teachers_own_start_asks_one_query_less(process, sampler):
    answers = answers_of(process)
    answers.run(a_candidate(process, sampler))
    assert calls(answers) == ROWS * (STEPS - 1)


def test_a_first_query_at_another_level_is_asked():
    """Another offset, or another first sigma: the teacher has no answer to that."""
    shifted = a_candidate("ve")
    shifted.offsets[0] = -0.1
    answers = answers_of("ve")
    answers.run(shifted)
    assert calls(answers) == ROWS * STEPS
    answers.run(replace(shifted, sigmas=SIGMAS["ve"] * 0.9, offsets=None))
    assert calls(answers) == 2 * ROWS * STEPS


@OF_EACH
def test_the_first_query_of_a_lower_start_is_asked_once(process):
    """Every run and walk from there begins with the same one."""
    answers, sigmas = answers_of(process), SIGMAS[process][2:]
    first = answers.run(Candidate("euler", sigmas))
    assert calls(answers) == 3 * ROWS
    again = answers.run(Candidate("euler", sigmas))
    walked = answers.walk(sigmas)
    assert calls(answers) == (3 + 2 + 2) * ROWS
    np.testing.assert_array_equal(again.errors, first.errors)
    (each,) = answers.sets
    np.testing.assert_allclose(
        walked.errors, each.errors(sampled(each, walked, process)), atol=1e-5
    )
    before = calls(answers)
    answers.run(Candidate("euler", SIGMAS[process][1:]))
    answers.run(Candidate("euler", sigmas, np.array([-0.1, 0.0, 0.0])))
    assert calls(answers) - before == (4 + 3) * ROWS


@OF_EACH
def test_a_lower_start_begins_at_the_teachers_state_there(process):
    sigmas = SIGMAS[process][2:]
    answers = answers_of(process)
    (each,) = answers.sets
    found = answers.run(Candidate("dpmpp_2m", sigmas))
    end = sample(each.model, each.state(float(sigmas[0])), sigmas, "dpmpp_2m")
    np.testing.assert_allclose(found.errors, each.errors(end), atol=2e-6)
    walked = answers.walk(sigmas)
    assert walked.steps == 3 and walked.errors.mean() < found.errors.mean()


@OF_EACH
def test_one_step(process):
    candidate = Candidate("euler", np.array([RANGES[process][1], 0.0]))
    answers = answers_of(process)
    (each,) = answers.sets
    np.testing.assert_allclose(
        answers.run(candidate).errors, each.errors(each.first_answer), atol=2e-6
    )
    assert answers.walk(candidate.sigmas).finite and calls(answers) == 0


@OF_EACH
@pytest.mark.parametrize("sampler", ["dpmpp_2m", DISTILLED])
def test_a_model_that_breaks_down_counts_as_exploded(process, sampler):
    """It answered the teacher well, so it is the candidate that left its range."""
    exact, level = small_mixture(process), SIGMAS[process][3]

    def brittle(x, sigma):
        return exact(x, sigma) * (np.nan if abs(float(sigma[0]) / level - 1) < 1e-6 else 1.0)

    each = recorded(process, denoise=brittle, drawn_by=exact)
    answers = answers_of(process, each)
    candidate = a_candidate(process, sampler, offsets=False)
    assert (answers.run(candidate).errors == EXPLODED).all()
    if sampler == DISTILLED:
        walked = answers.walk(candidate.sigmas)
        assert (walked.errors == EXPLODED).all() and not walked.finite
    higher = candidate.sigmas.copy()
    higher[3] *= 1.1
    assert answers.run(replace(candidate, sigmas=higher)).finite  # and nothing is spoilt


@pytest.mark.parametrize("error", [Stopped, ZeroDivisionError])
def test_any_other_error_goes_through(error):
    def raising(x, sigma):
        raise error("now")

    answers = answers_of("ve", recorded("ve", denoise=raising, drawn_by=small_mixture("ve")))
    with pytest.raises(error):
        answers.run(a_candidate("ve"))
    with pytest.raises(error):
        answers.walk(SIGMAS["ve"])


# --- what is kept of a run ---


@OF_EACH
@pytest.mark.parametrize("offsets", [False, True])
def test_coordinates_are_the_states_own_projections(process, offsets):
    """Step by step: the coordinates that the algebra carries are those of the true tensors."""
    candidate, answers = a_candidate(process, offsets=offsets), answers_of(process)
    student = Student(answers, float(candidate.sigmas[0]))
    for k, sigma in enumerate(candidate.sigmas[:-1].tolist()):
        student.ask(sigma, 0.0 if candidate.offsets is None else float(candidate.offsets[k]))
        student.step([0.5, 0.1][: k + 1], [0.3, 0.1][: k + 1])
        at = answers.span.widened(student.at)
        own = answers.span.widened(answers.span.add(student.x))
        np.testing.assert_allclose(answers.span.widened(at), own, atol=2e-6 * float(sigma + 1))
        misses = np.linalg.norm(at - answers.span.widened(answers.surrogate.end), axis=1)
        np.testing.assert_allclose(student.errors(), misses, atol=2e-6 * float(sigma + 1))


@OF_EACH
def test_every_answer_of_a_run_teaches_the_surrogate(process):
    candidate, answers = a_candidate(process), answers_of(process)
    heard = []
    learn = answers.surrogate.learn
    answers.surrogate.learn = lambda *told: heard.append(told) or learn(*told)
    answers.run(candidate)
    assert len(heard) == STEPS - 1  # the first is the teacher's own, and known
    for x, sigma, denoised in heard:
        said = answers.surrogate.answer(answers.span.widened(x)[None], np.array([sigma]))[0]
        np.testing.assert_allclose(said, answers.span.widened(denoised), atol=1e-6)


def test_a_flows_query_is_learnt_where_the_model_saw_it():
    """The state is rescaled to the asked level before the model sees it."""
    answers, seen = answers_of("flow"), []
    (each,) = answers.sets
    exact = each.model.denoise
    each.model.denoise = lambda x, sigma: (
        seen.append((x.clone(), float(sigma[0]))) or exact(x, sigma)
    )
    heard = []
    answers.surrogate.learn = lambda x, sigma, denoised: heard.append((x, sigma))
    answers.run(a_candidate("flow"))
    assert len(seen) == len(heard) == STEPS - 1
    for (shown, level), (x, sigma) in zip(seen, heard, strict=True):
        assert level == pytest.approx(sigma, rel=1e-6)
        own = answers.span.widened(answers.span.add([shown]))
        np.testing.assert_allclose(answers.span.widened(x), own, atol=2e-6)


# --- walks ---


def products_of(vectors: list[torch.Tensor], rows: np.ndarray) -> np.ndarray:
    flat = torch.stack(vectors).flatten(2)[:, rows].double().numpy().swapaxes(0, 1)
    return flat @ flat.swapaxes(1, 2) / flat.shape[-1]


@OF_EACH
@pytest.mark.parametrize(
    "fitted, elements, order", [(ROWS, 64, 3), (2, 64, 2), (1, 512, 3), (4, 8, 1)]
)
def test_a_walks_coefficients_are_fitted_to_the_true_tensors(process, fitted, elements, order):
    """On the student's own states, against the teacher's next one, from the rows of the fit; of the
    order that these hold numbers for."""
    rows, model = np.arange(ROWS) < fitted, small_mixture(process, elements)
    each = recorded(process, fit=rows, denoise=model, shape=(1, elements))
    offsets = a_candidate(process).offsets
    answers = answers_of(process, each)
    found = answers.walk(SIGMAS[process], offsets)
    assert min(answers.most_order, 3) == order
    x, past = each.state(float(SIGMAS[process][0])), []
    for k, (sigma, s_next) in enumerate(pairwise(SIGMAS[process].tolist())):
        past = [ask(each.model, x, sigma, float(offsets[k]), process), *past][:PAST]
        products = products_of([x, *past, each.state(s_next)], rows)
        step = fit_step(products, sigma, s_next, most_order=order)
        np.testing.assert_allclose(found.coefficients[k], step.coefficients, atol=2e-4)
        x = combine(step.weights, [x, *past])
    assert np.array_equal(found.offsets, offsets)
    np.testing.assert_allclose(found.errors, each.errors(x), atol=2e-4)


@OF_EACH
@pytest.mark.parametrize("tries", [1, 2, 3])
def test_the_plain_sampler_repeats_the_walk(process, tries):
    whole = recorded(process)
    answers = answers_of(process, *parts_of(whole, slice(0, 4), slice(4, 6)))
    found = answers.walk(SIGMAS[process], tries=tries)
    again = [each.errors(sampled(each, found, process)) for each in answers.sets]
    np.testing.assert_allclose(np.concatenate(again), found.errors, atol=1e-5)
    np.testing.assert_allclose(answers.run(found).errors, found.errors, atol=1e-5)


@OF_EACH
def test_walks_improve_on_stock_on_noise_that_no_fit_saw(process):
    answers, unseen = answers_of(process), recorded(process, rows=16, seed=77)
    sigmas = SIGMAS[process]
    x = start_state(unseen.noise, float(sigmas[0]), process)
    euler = unseen.errors(sample(unseen.model, x, sigmas, "euler")).mean()
    one, two = (answers.walk(sigmas, tries=tries) for tries in (1, 2))
    ends = [unseen.errors(sampled(unseen, found, process)).mean() for found in (one, two)]
    assert ends[0] < euler and ends[1] < 0.6 * euler


@OF_EACH
def test_a_second_try_is_at_the_usual_offset_and_kept_where_it_is_nearer(process):
    answers = answers_of(process)
    plain, found = (answers.walk(SIGMAS[process], tries=tries) for tries in (1, 2))
    steps = pairwise(SIGMAS[process].tolist())
    usual = [guessed_offset(sigma, s_next, 1.0, range_of(process)) for sigma, s_next in steps]
    assert not plain.offsets.any() and found.offsets.any()
    for offset, guess in zip(found.offsets, usual, strict=True):
        assert offset in (0.0, pytest.approx(guess))


@OF_EACH
def test_a_third_try_is_where_the_two_answers_point(process):
    """It is kept only where it is nearer, so that each step by itself is at least as near."""
    answers = answers_of(process)
    two, three = (answers.walk(SIGMAS[process], tries=tries) for tries in (2, 3))
    assert calls(answers) <= ROWS * (2 * (STEPS - 1) + 1 + 3 * (STEPS - 1) + 1)
    steps = list(pairwise(SIGMAS[process].tolist()))
    usual = [guessed_offset(sigma, s_next, 1.0, range_of(process)) for sigma, s_next in steps]
    elsewhere = [
        offset not in (0.0, pytest.approx(guess))
        for offset, guess in zip(three.offsets, usual, strict=True)
    ]
    assert any(elsewhere) and not elsewhere[0]
    assert three.mean_error < two.mean_error


@OF_EACH
def test_calls_of_walks_and_the_first_is_free(process):
    answers = answers_of(process)
    answers.walk(SIGMAS[process])
    assert calls(answers) == ROWS * (STEPS - 1)
    answers.walk(SIGMAS[process], a_candidate(process).offsets)
    assert calls(answers) == 2 * ROWS * (STEPS - 1)
    answers.walk(SIGMAS[process], tries=2)
    # at a flow's sigma 1 there is no offset to try
    twice = 2 * (STEPS - 1) + (process == "ve")
    assert calls(answers) == ROWS * (2 * (STEPS - 1) + twice)


@OF_EACH
def test_queries_stay_in_the_models_range(process):
    low, high = RANGES[process]
    sigmas = np.array([high, 0.3 * high, 3 * low, low, 0])
    found = answers_of(process, recorded(process, rows=3)).walk(sigmas, tries=2)
    seen = []
    noting = lambda x, sigma: seen.append(float(sigma[0])) or x * 0  # noqa: E731
    noise = recorded(process, rows=3).noise
    sample_distilled(noting, noise, sigmas, found.coefficients, found.offsets, process)
    assert len(seen) == 4 and min(seen) >= low * (1 - 1e-6) and max(seen) <= high * (1 + 1e-6)


# --- rows and sets ---


@OF_EACH
def test_rows_that_fits_leave_alone_change_nothing_but_ride_along(process):
    fit = np.arange(ROWS) < 4
    each, other = (recorded(process, fit=fit) for _ in range(2))
    for vector in other.vectors[1 : len(other.sigmas)]:  # of other pictures altogether
        vector[4:] += 1.0
    found, changed = (
        answers_of(process, of).walk(SIGMAS[process], tries=2) for of in (each, other)
    )
    np.testing.assert_array_equal(found.offsets, changed.offsets)
    np.testing.assert_allclose(found.coefficients, changed.coefficients, atol=1e-7)
    assert len(changed.errors) == ROWS
    np.testing.assert_allclose(found.errors[:4], changed.errors[:4], atol=1e-6)
    assert (changed.errors[4:] > 0.5).all() and (found.errors[4:] < 0.5).all()


def test_a_set_without_rows_for_the_fit_rides_along():
    first, second = recorded("ve", rows=3), recorded("ve", rows=2, seed=1, fit=np.zeros(2, bool))
    both, alone = answers_of("ve", first, second), answers_of("ve", first)
    found = both.walk(SIGMAS["ve"])
    np.testing.assert_allclose(found.coefficients, alone.walk(SIGMAS["ve"]).coefficients, atol=1e-7)
    assert len(found.errors) == 5


@OF_EACH
def test_two_sets_are_as_good_as_one(process):
    whole = recorded(process)
    together = answers_of(process, whole)
    apart = answers_of(process, *parts_of(whole, slice(0, 1), slice(1, ROWS)))
    candidate = a_candidate(process)
    for ours, theirs in (
        (together.run(candidate), apart.run(candidate)),
        (together.walk(SIGMAS[process], tries=2), apart.walk(SIGMAS[process], tries=2)),
    ):
        np.testing.assert_allclose(ours.errors, theirs.errors, atol=2e-5)
        np.testing.assert_allclose(ours.coefficients, theirs.coefficients, atol=1e-4)
    assert calls(together) == calls(apart)


@OF_EACH
def test_sets_may_be_recorded_on_different_grids(process):
    fine, coarse = recorded(process, rows=2, nodes=30), recorded(process, rows=3, seed=1, nodes=19)
    answers = answers_of(process, coarse, fine)
    found = answers.run(a_candidate(process))
    apart = [answers_of(process, each).run(a_candidate(process)).errors for each in (coarse, fine)]
    np.testing.assert_allclose(found.errors, np.concatenate(apart), atol=1e-6)
    walked = answers.walk(SIGMAS[process])
    assert walked.finite and walked.errors.mean() < found.errors.mean()


def test_the_teachers_first_answer_counts_where_every_set_has_it():
    """One begins lower: the query at the top is asked of both."""
    high, low = recorded("ve"), recorded("ve", seed=1)
    low.sigmas = low.sigmas * 0.9
    answers = answers_of("ve", high, low)
    assert not answers.starts_as_teacher(14.6)
    answers.run(a_candidate("ve"))
    assert high.model.calls == low.model.calls == ROWS * STEPS


def test_the_same_twice():
    """Of one start nothing is left to chance."""
    first, second = (answers_of("flow").walk(SIGMAS["flow"], tries=2) for _ in range(2))
    np.testing.assert_array_equal(first.errors, second.errors)
    np.testing.assert_array_equal(first.coefficients, second.coefficients)


def test_a_walk_changes_nothing_that_it_was_given():
    offsets = a_candidate("ve").offsets
    kept, sigmas = offsets.copy(), SIGMAS["ve"].copy()
    answers_of("ve").walk(sigmas, offsets, tries=2)
    assert np.array_equal(offsets, kept) and np.array_equal(sigmas, SIGMAS["ve"])
