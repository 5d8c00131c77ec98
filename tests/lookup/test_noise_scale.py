"""Models whose runs begin with more noise than others: in the record, the key, the store, the runs."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from scheduler import Conditions, distill
from scheduler.errors import SigmaRangeError
from scheduler.lookup.given import given_match
from scheduler.lookup.key import Key
from scheduler.lookup.match import judged
from scheduler.record import Record
from scheduler.store import Store
from tests.lookup.made import facts, record


def key(scale: float) -> Key:
    return replace(facts(), noise_scale=scale).key(4.0, (16, 64, 64))


def test_the_record_says_it_and_is_read_again():
    made = record(noise_scale=8.0)
    assert Record.from_json(made.to_json()).model.noise_scale == 8.0
    assert '"noise_scale"' not in record(noise_scale=1.0).to_json()
    assert record(noise_scale=1.0) == record()


def test_a_record_serves_no_model_of_another_scale():
    weighed = record(noise_scale=8.0, samples=None)
    same = replace(Key.of(weighed), sampler=None)
    assert judged(weighed, same) is not None
    assert judged(weighed, replace(same, noise_scale=1.0), "any") is None
    with pytest.raises(SigmaRangeError, match="8 times the usual noise"):
        given_match(weighed, key(1.0))
    with pytest.raises(SigmaRangeError, match="7.5 times the usual noise"):
        given_match(record(), key(7.5))


def test_each_has_a_file_of_its_own_and_usual_ones_keep_theirs(tmp_path):
    store = Store(tmp_path)
    names = {store.put(record(noise_scale=scale)) for scale in (1.0, 7.5, 8.0)}
    assert len(names) == 3
    found = [each.record.model.noise_deviation for each in Store(tmp_path).matches(key(8.0))]
    assert found == [8.0]
    assert len(Store(tmp_path).records()) == 3  # from the index that the first left


def test_runs_and_their_teacher_begin_with_it():
    asked: list[float] = []

    def denoise(x, sigma):
        if float(sigma[0]) == 1.0:
            asked.append(float(x.std()))
        return x / 9

    made = distill(
        denoise,
        (4, 8, 8),
        steps=[4],
        conditions=Conditions(noise_scale=8.0, fingerprint="w1"),
        evidence_budget=0,
    )
    assert made.model.noise_scale == 8.0
    assert min(asked) > 6  # the teacher's own runs, and what was tried
    asked.clear()
    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    made.sample(denoise, noise, "distilled", 4)
    assert asked == pytest.approx([8 * float(noise.std())])


def test_stochastic_runs_take_it_for_their_path_too():
    from scheduler.samplers.stochastic import run_on_path
    from tests.lookup.made import recipe

    of = recipe("euler_ancestral", 4)
    noise = torch.randn(2, 4, 4, generator=torch.Generator().manual_seed(0))

    def linear(x, sigma):
        return 0.3 * x

    plain = run_on_path(linear, noise, of, "flow", 7)
    scaled = run_on_path(linear, noise, of, "flow", 7, None, 8.0)
    assert torch.allclose(scaled, 8 * plain, rtol=1e-4, atol=1e-5)
