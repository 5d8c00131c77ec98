"""Measuring as a stage of its own: what a record without evidence gets, and that it goes on."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from scheduler import distill
from scheduler.distilling.measuring import measure, plan_measuring
from scheduler.errors import RecordError, Stopped


def denoise(x, sigma):
    """A model of a flow that is worth no more than a moment."""
    at = sigma.view(-1, *[1] * (x.dim() - 1))
    return torch.tanh(x / (0.3 + at)) * (1 - 0.5 * at)


@pytest.fixture(scope="module")
def record():
    about = {"parametrisation": "flow", "samplers": ("distilled",), "steps": (4, 5)}
    return distill(denoise, (1, 4, 4), 1.0, 0.01, **about)


@pytest.mark.slow
def test_a_record_gets_its_evidence_within_what_was_planned(record):
    calls = []
    found = measure(record, denoise, batch=2, progress=lambda *told: calls.append(told))
    assert "curve" in found.evidence and "curve" not in record.evidence
    measured = [each for each in found.recipes if "held_out" in str(each.evidence.get("rows"))]
    assert measured or any(each.evidence.get("samples") == 4 for each in found.recipes)
    spent = found.provenance["evidence_calls"]
    assert 0 < spent <= plan_measuring(record, batch=2) and calls[-1][0] == spent
    assert found.provenance["stages"][-1]["stage"] == "evidence"
    assert found.provenance["model_calls"] == record.provenance["model_calls"]
    assert [each.sigmas for each in found.recipes] == [each.sigmas for each in record.recipes]


@pytest.mark.slow
def test_stopped_it_goes_on_where_it_was(record, tmp_path):
    whole = measure(record, denoise).provenance["evidence_calls"]
    done = []
    stop = {"should_stop": lambda: bool(done) and done[-1][0] > 0.85 * whole}
    with pytest.raises(Stopped):
        measure(record, denoise, resume=tmp_path, progress=lambda *t: done.append(t), **stop)
    rest = []
    found = measure(record, denoise, resume=tmp_path, progress=lambda *told: rest.append(told))
    assert found.provenance["evidence_calls"] == whole and rest[-1][0] < 0.9 * whole
    assert found.evidence["curve"] == measure(record, denoise).evidence["curve"]


@pytest.mark.slow
def test_what_cannot_be_measured_is_refused(record):
    bare = replace(record, conditions=replace(record.conditions, latent_shape=None))
    with pytest.raises(RecordError, match="nothing to measure"):
        measure(bare, denoise)
