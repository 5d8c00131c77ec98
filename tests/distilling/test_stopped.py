"""What a stop keeps without a folder: the record that it carries holds all that is finished."""

from __future__ import annotations

import pytest

from scheduler import Record, distill
from scheduler.errors import Stopped
from tests.mixture import small_mixture

ABOUT = {
    "latent_shape": (1, 256),  # enough for a refinement on one row
    "sigma_max": 1.0,
    "sigma_min": 0.002,
    "samplers": ("distilled",),
    "steps": (2, 3),
    "budget": 50,
    "evidence_budget": 500,
}


def blocks(x, sigma):
    """Independent mixtures of eight numbers, side by side."""
    denoise = small_mixture()
    return denoise(x.reshape(-1, 1, 8), sigma.repeat_interleave(32)).reshape(x.shape)


def stopped_after(last: str, reached: int) -> tuple[Record, list[Record]]:
    """(the record that a stop carries after so many calls of a phase, the records heard before)."""
    calls, heard = [], []

    def progress(done: int, planned: int, phase: str) -> None:
        calls.append(phase)

    def stop() -> bool:
        return calls.count(last) >= reached

    with pytest.raises(Stopped) as stopped:
        distill(
            blocks,
            **ABOUT,
            progress=progress,
            should_stop=stop,
            on_record=heard.append,
        )
    return stopped.value.record, heard


def measured_steps(record: Record) -> list[int]:
    """The step counts with evidence of held-out rows."""
    return sorted({each.steps for each in record.recipes if "model_calls" in each.evidence})


def test_evidence_of_finished_step_counts_is_in_the_record():
    whole = distill(blocks, **ABOUT)
    record, heard = stopped_after("evidence", 52)
    found = measured_steps(record)
    assert found == [2]
    for recipe in record.recipes:
        was = whole.recipe(recipe.sampler, recipe.steps, offsets=recipe.offsets is not None)
        same = ("rms", "best_stock", "ratio", "margin", "verdict")
        equal = [recipe.evidence.get(k) for k in same] == [was.evidence.get(k) for k in same]
        assert equal == (recipe.steps in found)
    assert {tuple(curve) for curve in record.evidence["stock_curve"].values()} == {("2",)}
    assert heard[-1] is record and Record.from_json(record.to_json()) == record
    stages = [each["stage"] for each in record.provenance["stages"]]
    assert stages.count("evidence") == 1 and record.provenance["evidence_calls"] > 0


def test_runs_of_an_unfinished_refinement_are_in_the_record():
    record, heard = stopped_after("refinement", 15)
    (started,) = heard[:1]
    assert record.recipes != started.recipes
    assert record.provenance["stages"][-1]["stage"] == "refinement"
    for now, before in zip(record.recipes, started.recipes, strict=True):
        assert now.evidence["rms"] <= before.evidence["rms"]
