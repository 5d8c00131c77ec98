"""Stochastic samplers in a distillation: measured, beside the others or alone, for the planned calls."""

from __future__ import annotations

import pytest

from scheduler import distill
from scheduler.distilling import on_paths
from scheduler.errors import BudgetError
from scheduler.evidence import default_budget
from scheduler.record import Record
from tests.mixture import small_mixture

plans: list = []


class Counting:
    def __init__(self):
        self.calls, self.denoise = 0, small_mixture("flow")

    def __call__(self, x, sigma):
        self.calls += len(x)
        return self.denoise(x, sigma)


def distilled(samplers, denoise=None, **options) -> Record:
    about = {"sigma_max": 1.0, "sigma_min": 0.003, "steps": (4,), "samples": 2}
    about |= {"budget": 1500, "evidence_budget": 0}
    plans.clear()
    model = denoise or small_mixture("flow")
    return distill(model, (1, 8), samplers=samplers, on_plan=plans.append, **about | options)


def test_fewer_rows_are_taken_where_the_budget_is_short():
    distilled(["dpmpp_2m", "er_sde"], samples=None, budget=2000)
    plan = plans[0]
    assert plan.calls <= 2000 and plan.paths.rows == plan.rows < 16
    with pytest.raises(BudgetError, match="Of 30 model calls 15 are left beside er_sde"):
        distilled(["dpmpp_2m", "er_sde"], samples=None, budget=30)
    with pytest.raises(BudgetError, match="budget of 100 .* the least that works is 121"):
        distilled(["dpmpp_2m", "er_sde"], samples=None, budget=100)


@pytest.mark.slow
def test_alone_nothing_is_recorded_or_fitted():
    model = Counting()
    record = distilled(["dpmpp_2m_sde_gpu"], model, samples=None)
    (recipe,) = record.recipes
    assert (recipe.sampler, recipe.steps) == ("dpmpp_2m_sde", 4) and recipe.choice.stock
    assert record.teacher is None and record.gram is None
    assert model.calls == record.provenance["model_calls"] <= plans[0].calls <= 1500
    stages = record.provenance["stages"]
    assert [(each["stage"], each["sampler"]) for each in stages] == [("recipes", "dpmpp_2m_sde")]
    assert record.provenance["plans"][0]["paths"]["steps"] == [4]
    assert Record.from_json(record.to_json()) == record


@pytest.mark.slow
def test_beside_others_they_meet_the_schedule_of_the_one_like_them():
    model = Counting()
    record = distilled(["dpmpp_2m", "dpmpp_sde"], model)
    samplers = {recipe.sampler for recipe in record.recipes}
    assert samplers == {"dpmpp_2m", "dpmpp_sde"} and record.gram is not None
    assert model.calls <= plans[0].calls <= 1500
    assert set(plans[0].costs) == {"teacher", "dpmpp_2m", "dpmpp_sde"}
    mine = record.recipe("dpmpp_sde", 4)
    assert mine.coefficients is None and mine.offsets is None
    assert mine.evidence["rows"] == {"shared_path": 2} and mine.evidence["model_calls"] == 7


@pytest.mark.slow
def test_ours_is_measured_where_the_sampler_like_it_has_one(monkeypatch):
    given = []

    class Seen(on_paths.OnPaths):
        def measured(self, sampler, steps, ours=None):
            given.append((sampler, ours))
            return super().measured(sampler, steps, ours)

    monkeypatch.setattr(on_paths, "OnPaths", Seen)
    record = distilled(["dpmpp_2m", "dpmpp_2m_sde", "euler_ancestral"], budget=3000)
    plain = record.recipe("dpmpp_2m", 4, offsets=False)
    ours = plain.sigmas if plain.choice.ours else None
    assert given == [("dpmpp_2m_sde", ours), ("euler_ancestral", None)]


def test_it_is_measured_on_the_held_out_conditioning():
    asked = Counting()
    distilled(["er_sde"], evidence_denoise=asked)
    assert asked.calls > 100


def test_a_stop_keeps_what_was_measured(tmp_path):
    first, again = Counting(), Counting()
    one = distilled(["er_sde"], first, resume=tmp_path)
    other = distilled(["er_sde"], again, resume=tmp_path)
    assert one.recipes == other.recipes and again.calls == 2 < first.calls
    assert other.provenance["model_calls"] == one.provenance["model_calls"]


@pytest.mark.slow
def test_the_evidence_of_the_others_does_not_count_them():
    both, alone = (default_budget(names, (4, 6), 2) for names in (["euler", "er_sde"], ["euler"]))
    assert both == alone
    record = distilled(["euler", "er_sde"], evidence_budget=3000)
    found = record.evidence["recommendation"]
    assert found.get("sampler") != "er_sde" and "er_sde" not in record.evidence["curve"]
    assert record.recipe("er_sde", 4).evidence["rms"] > 0
