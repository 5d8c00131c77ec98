"""Roll-outs of samplers whose steps the surrogate cannot follow: with the samplers themselves."""

from __future__ import annotations

import numpy as np
import pytest

from scheduler.denoiser import start_state
from scheduler.errors import DenoiserError
from scheduler.fit.candidate import EXPLODED, Candidate
from scheduler.fit.rollout import rollout
from scheduler.samplers import model_calls, sample
from scheduler.samplers.query_offsets import with_offsets
from tests.fit.lab import RANGES, SIGMAS, a_candidate, answers_of, parts_of, range_of, recorded

SAMPLERS = ["uni_pc", "uni_pc_bh2", "heun", "euler", "dpmpp_2m"]
OF_EACH = pytest.mark.parametrize("process", sorted(RANGES))


@OF_EACH
@pytest.mark.parametrize("offsets", [False, True])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_it_is_the_sampler_itself_and_the_first_query_costs_nothing(process, sampler, offsets):
    sets = parts_of(recorded(process), slice(0, 2), slice(2, 6))
    candidate = a_candidate(process, sampler, offsets)
    found = rollout(sets, candidate, range_of(process))
    each_row = model_calls(sampler, candidate.steps) - 1
    assert [each.model.calls for each in sets] == [2 * each_row, 4 * each_row]
    ends = []
    for each in sets:
        model = each.model
        if offsets:
            model = with_offsets(model, candidate.sigmas, candidate.offsets, process)
        x = start_state(each.noise, RANGES[process][1], process)
        ends.append(each.errors(sample(model, x, candidate.sigmas, sampler)))
    np.testing.assert_allclose(found.errors, np.concatenate(ends), atol=1e-6)
    assert found.sampler == sampler and np.array_equal(found.sigmas, candidate.sigmas)


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m"])
def test_a_linear_sampler_ends_where_the_algebra_says(sampler):
    each, candidate = recorded("ve"), a_candidate("ve", sampler)
    by_sampler = rollout([each], candidate, range_of("ve")).errors
    np.testing.assert_allclose(by_sampler, answers_of("ve", each).run(candidate).errors, atol=2e-6)


def test_a_first_query_that_the_teacher_never_made_is_asked():
    each, candidate = recorded("ve", rows=3), a_candidate("ve", "uni_pc")
    candidate.offsets[0] = -0.1
    rollout([each], candidate, range_of("ve"))
    assert each.model.calls == 3 * candidate.steps
    rollout([each], Candidate("uni_pc", 0.9 * candidate.sigmas), range_of("ve"))
    assert each.model.calls == 2 * 3 * candidate.steps


@OF_EACH
def test_a_lower_start_begins_at_the_teachers_state_there(process):
    each, sigmas = recorded(process), SIGMAS[process][2:]
    found = rollout([each], Candidate("uni_pc", sigmas), range_of(process))
    end = sample(each.model, each.state(float(sigmas[0])), sigmas, "uni_pc")
    np.testing.assert_allclose(found.errors, each.errors(end), atol=1e-6)


def test_the_teachers_answer_is_not_written_to():
    each = recorded("ve")
    kept = each.first_answer.clone()
    for sampler in SAMPLERS:
        rollout([each], a_candidate("ve", sampler), range_of("ve"))
    assert (each.first_answer == kept).all()


@pytest.mark.parametrize("sampler", ["euler", "uni_pc"])
def test_a_set_whose_model_breaks_down_counts_as_exploded(sampler):
    """That set alone."""
    sets = parts_of(recorded("ve"), slice(0, 3), slice(3, 6))
    steady = sets[1].model
    sets[1].model = lambda x, sigma: steady(x, sigma) if sigma > 3 else _fail()
    found = rollout(sets, Candidate(sampler, SIGMAS["ve"]), range_of("ve"))
    assert not found.finite
    assert (found.errors[3:] == EXPLODED).all() and (found.errors[:3] < 10).all()


def _fail():
    raise DenoiserError("no answer")
