"""What a stop keeps without a folder: the record that it carries holds all that is finished."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scheduler import Record, distill
from scheduler.errors import Stopped
from scheduler.record.verdict import SEEN
from tests.mixture import small_mixture

ABOUT = {
    "latent_shape": (1, 256),  # enough for a refinement on one row
    "sigma_max": 1.0,
    "sigma_min": 0.002,
    "steps": (2, 3),
    "budget": 50,
    "evidence_budget": 500,
}


def blocks(x, sigma):
    """Independent mixtures of eight numbers, side by side."""
    denoise = small_mixture()
    return denoise(x.reshape(-1, 1, 8), sigma.repeat_interleave(32)).reshape(x.shape)


def stopped(when: Callable[[list[Record], list[str]], bool]) -> tuple[Record, list[Record]]:
    """(the record that a stop carries, the records heard before). when(records heard, the phase of
    every call): whether to stop."""
    phases: list[str] = []
    heard: list[Record] = []
    with pytest.raises(Stopped) as stop:
        distill(
            blocks,
            **ABOUT,
            progress=lambda done, planned, phase: phases.append(phase),
            should_stop=lambda: when(heard, phases),
            on_record=heard.append,
        )
    return stop.value.record, heard


def measured_steps(record: Record) -> list[int]:
    """The step counts with evidence of held-out rows."""
    return sorted({each.steps for each in record.recipes if "model_calls" in each.evidence})


@pytest.mark.slow
def test_evidence_of_finished_step_counts_is_in_the_record():
    record, heard = stopped(lambda records, _: bool(records) and bool(measured_steps(records[-1])))
    assert measured_steps(record) == [2] and heard[-1] is record
    assert [each.evidence["verdict"] == SEEN for each in record.recipes] == [False, True]
    assert [tuple(curve) for curve in record.evidence["stock_curve"].values()] == [("2",)]
    assert Record.from_json(record.to_json()) == record
    stages = [each["stage"] for each in record.provenance["stages"]]
    assert stages.count("evidence") == 1 and record.provenance["evidence_calls"] > 0


@pytest.mark.slow
def test_runs_of_an_unfinished_refinement_are_in_the_record():
    record, (started, last) = stopped(lambda _, phases: phases.count("refinement") >= 8)
    assert last is record and record.recipes != started.recipes
    assert record.provenance["stages"][-1]["stage"] == "refinement"
    for now, before in zip(record.recipes, started.recipes, strict=True):
        assert now.evidence["rms"] <= before.evidence["rms"]
