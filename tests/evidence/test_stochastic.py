"""Stochastic samplers measured on shared paths: what is compared, chosen, kept and paid."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scheduler.errors import BudgetError, UnknownNameError
from scheduler.evidence.stochastic import FINE, OnPaths, chosen, plan_paths
from scheduler.sigmas import MOST_BASELINES, table_for
from tests.mixture import small_mixture, unit_noise

LOW, HIGH = 0.003, 1.0
TABLE = table_for(LOW, HIGH, "flow", 3.0)


class Counting:
    def __init__(self, denoise=None):
        self.denoise, self.calls = denoise or small_mixture("flow"), 0

    def __call__(self, x, sigma):
        self.calls += len(x)
        return self.denoise(x, sigma)


def paths(denoise=None, rows=3, nodes=60, seed=5, **options) -> OnPaths:
    noise = unit_noise(rows, 8, dtype=torch.float32)
    return OnPaths(
        denoise or small_mixture("flow"), noise, seed, TABLE, "flow", (LOW, HIGH), nodes, **options
    )


@pytest.mark.slow
def test_the_best_stock_schedule_is_chosen_and_stands_beside_the_others():
    made = paths()
    found = made.measured("dpmpp_2m_sde", 6)
    errors = {name: made.run("dpmpp_2m_sde", each) for name, each in made.schedules(6).items()}
    best = chosen(errors)
    assert found.choice == best and found.choice.stock
    assert found.sigmas == tuple(made.schedules(6)[best].tolist())
    assert found.evidence["stock"].keys() == errors.keys()
    assert found.evidence["rms"] == pytest.approx(np.sqrt(np.mean(errors[best] ** 2)), rel=1e-4)
    assert found.evidence["rows"] == {"shared_path": 3} and found.evidence["samples"] == 3
    assert found.evidence["verdict"] in ("stock", "equal") and found.evidence["model_calls"] == 6


def test_one_stray_row_does_not_decide_and_what_is_clearly_worse_is_not_chosen():
    even = np.array([0.30, 0.31, 0.29, 0.30])
    stray = np.array([0.10, 0.11, 0.09, 0.80])  # better, but for one row that came out otherwise
    assert chosen({"even": even, "stray": stray}) == "stray"
    assert chosen({"even": even, "worse": 1.5 * even, "nothing": np.full(4, np.inf)}) == "even"
    uneven = np.array([1e-9, 0.60, 0.58, 0.61])  # one lucky row
    steady = np.array([0.29, 0.31, 0.29, 0.30])
    wide = {"steady": np.tile(steady, 8), "lucky": np.tile(uneven, 8)}
    assert chosen(wide) == "steady"


@pytest.mark.parametrize(("error", "wins"), [(0.01, True), (9.0, False)])
def test_a_schedule_of_ours_wins_where_it_is_best(error, wins):
    ours = np.array([1.0, 0.6, 0.2, 0.0])

    class Told(OnPaths):
        def run(self, sampler, sigmas):
            mine = np.array_equal(sigmas, ours)
            return np.full(len(self.noise), error if mine else 0.1 + sigmas[1] / 10)

    made = Told(small_mixture("flow"), unit_noise(3, 8), 5, TABLE, "flow", (LOW, HIGH), 30)
    found = made.measured("er_sde", 3, ours)
    assert found.choice.ours == wins and "ours" not in found.evidence["stock"]
    assert np.array_equal(found.sigmas, ours) == wins
    assert found.evidence["verdict"] == ("better" if wins else "stock")


def test_errors_are_from_the_same_path_s_end():
    made, other = paths(), paths(seed=6)
    grid = made.schedules(40)["beta"]
    same = np.sqrt(np.mean(made.run("dpmpp_2m_sde", grid) ** 2))
    apart = float((made.end("dpmpp_2m_sde") - other.end("dpmpp_2m_sde")).square().mean().sqrt())
    assert same < 0.5 * apart


def test_a_run_that_comes_to_nothing_has_no_error():
    small = small_mixture("flow")

    def narrow(x, sigma):  # answers what the fine run asks, and nothing else
        known = np.abs(np.log(asked) - np.log(float(sigma[0]))).min() < 1e-3 if asked else True
        return small(x, sigma) if known else x * float("nan")

    asked: list[float] = []
    made = paths(narrow)
    made.end("dpmpp_2m_sde")
    asked.append(0.5)
    assert np.isinf(made.run("dpmpp_2m_sde", np.array([1.0, 0.7, 0.3, 0.0]))).all()


def test_what_was_measured_is_kept_while_the_model_is_the_same():
    kept: dict[str, dict] = {}

    def finished(name, work):
        kept.setdefault(name, None)
        if kept[name] is None:
            kept[name] = work()
        return kept[name]

    first, again = Counting(), Counting()
    one = paths(first, finished=finished).measured("er_sde", 4)
    other = paths(again, finished=finished).measured("er_sde", 4)
    assert one == other and again.calls == 3 < first.calls  # one query a row tells the model
    louder = Counting(lambda x, sigma: 1.3 * small_mixture("flow")(x, sigma))
    assert paths(louder, finished=finished).measured("er_sde", 4) != one
    assert louder.calls > 100


@pytest.mark.slow
def test_the_plan_is_kept_to_and_a_fine_run_is_shared():
    samplers = ("dpmpp_2m_sde", "euler_ancestral", "er_sde")
    plan = plan_paths(samplers, (4, 6), 3, 10**6)
    assert plan.nodes == FINE[0] and plan.steps == (4, 6)
    shared = (MOST_BASELINES + 1) * 10
    assert plan.costs["euler_ancestral"] == 3 * shared  # beside dpmpp_2m_sde's fine run
    assert plan.costs["er_sde"] == 3 * (shared + FINE[0] // 2)
    small = plan_paths(samplers, (4, 6), 3, 1400)
    assert small.calls <= 1400 and len(small.steps) == 1
    counting = Counting()
    made = paths(counting, nodes=small.nodes, finished=lambda name, work: work())
    for sampler in samplers:
        made.measured(sampler, small.steps[0])
    assert counting.calls <= small.calls
    with pytest.raises(BudgetError, match="the least that works is") as told:
        plan_paths(samplers, (4, 6), 3, 100)
    least = int(str(told.value).split("works is ")[1].split(":")[0])
    assert plan_paths(samplers, (4, 6), 3, least).calls == least


def test_what_has_no_path_is_refused():
    with pytest.raises(UnknownNameError, match="cannot be measured"):
        paths().measured("lcm", 4)
