"""One true run after another: what is run next, what ends a descent, and which is the best."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from scheduler.fit import refinement as module
from scheduler.fit.candidate import DISTILLED, EXPLODED, Candidate
from scheduler.fit.parameters import stock_coefficients
from scheduler.fit.refinement import LEAST_TRUST, MOST_TRUST, PATIENCE, TRUST, Refinement
from tests.fit.lab import ROWS, SIGMAS, answers_of, parts_of, recorded
from tests.mixture import small_mixture

# the second costs as much again
OF_EACH = pytest.mark.parametrize("process", ["flow", pytest.param("ve", marks=pytest.mark.slow)])


# --- on a true model ---


def starts_of(answers, process):
    """A stock rule, a walk, and a walk on other steps for later."""
    sigmas = SIGMAS[process]
    rows = stock_coefficients(sigmas)
    as_stock = Candidate(DISTILLED, sigmas, np.zeros(len(sigmas) - 1), rows)
    other = sigmas.copy()
    other[1:-1] **= 1.1
    return [
        lambda: answers.run(as_stock),
        lambda: answers.walk(sigmas),
    ], [lambda: answers.walk(other)]


def refined(process, steps, *sets):
    answers = answers_of(process, *sets)
    first, more = starts_of(answers, process)
    found = Refinement(answers, first, more=more)
    found.begin()
    for _ in range(steps):
        found.step()
    return found


@pytest.mark.slow
@OF_EACH
def test_it_is_never_worse_than_any_start_and_soon_far_better(process):
    answers = answers_of(process)
    first, more = starts_of(answers, process)
    found = Refinement(answers, first, more=more)
    found.begin()
    starts = [each.mean_error for each in found.tried]
    assert len(starts) == 2 and found.best.mean_error == min(starts)
    best = [found.best.mean_error]
    for _ in range(5):
        assert found.step()
        best.append(found.best.mean_error)
    assert (np.diff(best) <= 0).all() and best[-1] < 0.3 * best[0]


@OF_EACH
def test_what_it_says_of_the_best_is_what_a_run_gives(process):
    each = recorded(process)
    best = refined(process, 2, each).best
    again = answers_of(process, each).run(best)
    np.testing.assert_allclose(best.errors, again.errors, rtol=1e-4, atol=1e-6)


@OF_EACH
def test_a_step_costs_one_run(process):
    each = recorded(process)
    answers = answers_of(process, each)
    first, more = starts_of(answers, process)
    found = Refinement(answers, first, more=more)
    found.begin()
    a_run = ROWS * (len(SIGMAS[process]) - 2)
    assert each.model.calls == 2 * a_run
    for k in range(2):
        found.step()
        assert each.model.calls == (3 + k) * a_run


def test_the_same_twice_and_two_sets_as_one():
    whole = recorded("ve")
    first, second = (refined("ve", 2, whole) for _ in range(2))
    np.testing.assert_array_equal(first.best.sigmas, second.best.sigmas)
    np.testing.assert_array_equal(first.best.errors, second.best.errors)
    apart = refined("ve", 2, *parts_of(whole, slice(0, 2), slice(2, ROWS)))
    np.testing.assert_allclose(first.best.errors, apart.best.errors, atol=5e-3)


@OF_EACH
def test_a_lower_error_on_unseen_noise_too(process):
    """The fit sees six rows; sixteen others are nearer to the teacher too."""
    found, unseen = refined(process, 4), recorded(process, rows=16, seed=77)
    of_them = answers_of(process, unseen)
    start, best = (of_them.run(each).mean_error for each in (found.tried[0], found.best))
    assert best < 0.6 * start


def test_a_model_that_breaks_on_some_schedules_is_survived():
    exact, start = small_mixture("ve"), SIGMAS["ve"]

    def brittle(x, sigma):
        lost = start[3] * 1.0001 < float(sigma[0]) < start[2] * 0.9999
        return exact(x, sigma) * (np.nan if lost else 1.0)

    found = refined("ve", 12, recorded("ve", denoise=brittle, drawn_by=exact))
    assert any(not each.finite for each in found.tried)  # it did go where the model breaks
    assert found.best.finite and found.best.mean_error <= found.tried[0].mean_error


# --- on made-up runs ---


class Made:
    """Answers whose runs end with the errors that a test chose, in order, and then none better."""

    def __init__(self, errors=(), fit=(True, True)):
        self.fit, self.errors = np.array(fit), list(errors)

    def run(self, candidate: Candidate) -> Candidate:
        error = self.errors.pop(0) if self.errors else 1.0
        return candidate.measured(np.broadcast_to(error, (2,)).astype(float))


def candidate(name: str, error) -> Candidate:
    """One whose `sampler` tells it apart."""
    return Candidate(name, np.array([1.0, 0.0])).measured(
        np.broadcast_to(error, (2,)).astype(float)
    )


@pytest.fixture
def proposals(monkeypatch):
    """(from which candidate, trust) of every proposal, which repeats the candidate."""
    heard = SimpleNamespace(made=[], nothing=False, gain=1e-3)

    def proposed(answers, best, pull, weights):
        heard.made.append((best.sampler, pull.trust))
        heard.weights = weights
        return None if heard.nothing else (best, best.mean_error - heard.gain)

    monkeypatch.setattr(module, "proposed", proposed)
    return heard


def begun(answers, starts, more=(), before=()) -> Refinement:
    kinds = ([partial(lambda one: one, each) for each in kind] for kind in (starts, before, more))
    found = Refinement(answers, *kinds)
    found.begin()
    return found


def test_descents_are_opened_from_the_best_start_down(proposals):
    starts = [candidate("b", 0.5), candidate("a", 0.4), candidate("c", 0.6)]
    found = begun(Made(), starts, [candidate("d", 0.3), candidate("e", 0.2)])
    assert [each.sampler for each in found.tried] == ["b", "a", "c"]
    while found.step():
        pass
    assert [name for name, _ in proposals.made] == [
        name for name in "abcde" for _ in range(PATIENCE)
    ]
    assert found.best.sampler == "e" and not found.step()


def test_a_start_for_later_is_run_alone(proposals):
    """It costs a run: nothing is proposed in the same step."""
    found = begun(Made(), [candidate("a", 0.5)], [candidate("b", 0.4)])
    for _ in range(PATIENCE):
        found.step()
    before, tried = len(proposals.made), len(found.tried)
    assert found.step() and len(proposals.made) == before and len(found.tried) == tried + 1


def test_further_starts_are_run_before_the_first_descent(proposals):
    """Each a step of its own; where nothing is to be proposed they are all that is run."""
    starts = (
        [candidate("a", 0.5)],
        [candidate("d", 0.3)],
        [candidate("b", 0.4), candidate("c", 0.6)],
    )
    found = begun(Made(), *starts)
    assert found.step() and found.step() and not proposals.made
    assert found.step() and [name for name, _ in proposals.made] == ["b"]
    cautious = begun(Made(), *starts)
    assert [cautious.step(descend=False) for _ in range(3)] == [True, True, False]
    assert [each.sampler for each in cautious.tried] == ["a", "b", "c"]


def test_a_descent_goes_on_while_it_gains(proposals):
    falling = 0.5 * 0.99 ** np.arange(1, 30)
    found = begun(Made(falling), [candidate("a", 0.5)], [candidate("b", 0.45)])
    for _ in range(29):
        found.step()
    assert {name for name, _ in proposals.made} == {"a"} and found.best.mean_error == falling[-1]


def test_a_descent_ends_where_its_last_runs_gained_next_to_nothing(proposals):
    creeping = 0.5 * 0.999 ** np.arange(1, 30)
    found = begun(Made(creeping), [candidate("a", 0.5)], [candidate("b", 0.49)])
    for _ in range(PATIENCE + 2):
        found.step()
    assert [name for name, _ in proposals.made] == ["a"] * PATIENCE + ["b"]


def test_a_descent_ends_where_nothing_is_proposed(proposals):
    """And no call is spent."""
    proposals.nothing = True
    found = begun(Made(), [candidate("a", 0.5), candidate("b", 0.6)])
    assert found.step() and found.step() and not found.step()
    assert [name for name, _ in proposals.made] == ["a", "b"] and len(found.tried) == 2


def test_trust_follows_the_runs(proposals):
    """The nearer a run comes to what was expected of it, the less holds the next one back; one that
    is worse makes it four times as much."""
    proposals.gain = 0.1
    found = begun(Made([0.4, 0.36, 0.35, 0.9, 0.2]), [candidate("a", 0.5)])
    for _ in range(5):
        found.step()
    factors = [trust / TRUST for _, trust in proposals.made]
    assert factors == pytest.approx([1, 0.2, 0.12, 0.12, 0.48])


def test_trust_stays_in_its_bounds(proposals):
    found = begun(Made(0.4 * 0.9 ** np.arange(40)), [candidate("a", 0.5)])
    for _ in range(40):
        found.step()
    assert proposals.made[-1][1] == LEAST_TRUST
    line = module._Line(candidate("a", 0.1), [], trust=MOST_TRUST)
    found._descend(line)
    assert line.trust == MOST_TRUST


def test_each_descent_begins_with_the_usual_trust(proposals):
    found = begun(Made(), [candidate("a", 0.5), candidate("b", 0.6)])
    for _ in range(PATIENCE + 1):
        found.step()
    assert proposals.made[-1] == ("b", TRUST)


def test_proposals_see_the_rows_of_the_fit_alone(proposals):
    found = begun(Made(fit=(True, False)), [candidate("a", 0.5)])
    found.step()
    assert proposals.weights.tolist() == [1.0, 0.0]


def test_unseen_rows_count_as_much_as_the_fits():
    """One unseen row beside three of the fit has half of the say."""
    answers = Made(fit=(True, True, True, False))
    errors = {"seen": [0.1, 0.1, 0.1, 0.5], "both": [0.2, 0.2, 0.2, 0.3]}
    starts = [
        Candidate(name, np.array([1.0, 0.0])).measured(np.array(each))
        for name, each in errors.items()
    ]
    found = begun(answers, starts)
    assert found.best.sampler == "both" and found.score(starts[0]) == pytest.approx(0.3)
    answers.fit = np.ones(4, bool)
    assert begun(answers, starts).best.sampler == "seen"


def test_what_did_not_arrive_is_never_the_best(proposals):
    found = begun(Made([EXPLODED] * 3), [candidate("a", EXPLODED), candidate("b", 5.0)])
    for _ in range(3):
        found.step()
    assert found.best.sampler == "b" and found.best.finite
