"""Which candidate becomes the recipe, and what each fit starts from. The experiments are made up: each
hands back errors that the test chose."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from scheduler.distilling import candidates
from scheduler.distilling.candidates import recipes_of
from scheduler.distilling.effort import EFFORTS
from scheduler.distilling.plan import Plan
from scheduler.fit.candidate import DISTILLED, Candidate
from scheduler.search.gram import Gram
from scheduler.sigmas.noise_range import NoiseRange
from tests.weights import smooth_gram

ROWS, OURS, STOCK = 16, 0.1, 0.2
EFFORT = {effort.name: effort for effort in EFFORTS}


def even(steps: int) -> np.ndarray:
    return np.append(np.geomspace(1.0, 0.05, steps), 0.0)


class Experiments:
    """Stock schedules end with the error STOCK, what is walked or made here with OURS, unless `errors`
    says otherwise: (kind, sampler, steps) -> error."""

    def __init__(self, errors=None, gram: Gram | None = None):
        self.errors, self.gram = errors or {}, gram or smooth_gram()
        self.unseen = np.ones(ROWS, bool)
        self.request = SimpleNamespace(sigma_min=0.02, noise_range=NoiseRange("flow", 0.02, 1.0))
        self.walked, self.refined_from = [], []

    def schedule(self, sampler, steps, weights="contraction"):
        return even(steps)

    def stock_schedules(self, steps):
        high = even(steps)
        high[1:-1] **= 1.1
        low = even(steps)
        low[1:-1] **= 0.9
        return {"karras": high, "beta": low}

    def measured(self, kind, each, usual):
        error = self.errors.get((kind, each.sampler, each.steps), usual)
        return each.measured(np.full(ROWS, error) * np.linspace(0.99, 1.01, ROWS))

    def run(self, each):
        own = each.choice.ours
        return self.measured("ours" if own else each.choice.schedule, each, OURS if own else STOCK)

    def walk(self, sampler, sigmas, tries=1, offsets=None):
        self.walked.append((sampler, len(sigmas) - 1, None if offsets is None else tuple(offsets)))
        found = np.full(len(sigmas) - 1, -0.01 * len(self.walked)) if offsets is None else offsets
        found[0] = 0.0
        return self.measured("walk", Candidate(sampler, sigmas, found), OURS)

    def refined(self, start, iterations):
        self.refined_from.append((start.choice, start.steps))
        return self.measured("refined", start, OURS)

    def polished(self, found):
        return found


def planned(effort: str, steps, anchors=None) -> Plan:
    return Plan(EFFORT[effort], 1, ROWS, tuple(anchors or steps), {}, 0)


@pytest.fixture
def carried(monkeypatch):
    """(from, to) of every schedule that is carried to another step count."""
    heard, real = [], candidates.carried_schedule

    def listening(found, before, fresh, sigma_min):
        assert len(found) == len(before)
        heard.append((len(found) - 1, len(fresh) - 1))
        return real(found, before, fresh, sigma_min)

    monkeypatch.setattr(candidates, "carried_schedule", listening)
    return heard


def test_a_fit_is_carried_over_from_the_step_count_below(carried):
    """From the neighbour, not from the first, whose moves say less of so many more steps."""
    recipes_of(Experiments(), planned("lean", (4, 5, 6, 7)), DISTILLED, (4, 5, 6, 7))
    assert carried == [(4, 5), (5, 6), (6, 7)]


def test_a_walk_between_keeps_the_offsets_that_were_carried(carried):
    made = Experiments()
    recipes_of(made, planned("lean", (4, 6)), DISTILLED, (4, 6))
    (_, first, searched), (_, second, kept) = made.walked
    assert (first, second, searched) == (4, 6, None) and any(kept) and len(kept) == 6


def test_offsets_of_a_stock_sampler_are_carried_from_the_anchor_below(carried):
    plan = planned("good", (4, 5, 6, 7, 8, 9), anchors=(4, 7, 9))
    recipes_of(Experiments(), plan, "dpmpp_2m", (4, 5, 6, 7, 8, 9))
    assert carried == [(4, 5), (4, 6), (7, 8)]


@pytest.mark.parametrize("sampler", ["euler", "uni_pc", DISTILLED])
def test_what_wins_is_named_as_what_it_is(sampler):
    """Ours where its errors are lower; else the stock schedule, by its own name and sigmas."""
    lost = {(kind, sampler, 5): 0.3 for kind in ("ours", "walk", "refined")}
    made = Experiments(lost | {(name, "euler", 5): 0.15 for name in ("beta", "karras")})
    plan = planned("good", (5,))
    assert {each.choice for each in recipes_of(Experiments(), plan, sampler, (5,))} == {"ours"}
    found = recipes_of(made, plan, sampler, (5,))
    assert len(found) == 1 and found[0].choice.stock
    stock = made.stock_schedules(5)[found[0].choice.schedule]
    assert found[0].sigmas == tuple(stock) and found[0].coefficients is None
    assert found[0].choice.sampler == (None if sampler != DISTILLED else "euler")
