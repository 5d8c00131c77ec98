"""The search for each recipe: what is run, what it costs, what each starts from, and what is found."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from scheduler.distilling import expected
from scheduler.distilling import searches as module
from scheduler.distilling.candidates import recipes_of
from scheduler.distilling.experiments import Experiments
from scheduler.distilling.request import request_of
from scheduler.distilling.searches import Search, refined_together
from scheduler.distilling.wishes import (
    AMPLE_NUMBERS,
    GUARDS,
    LEAST_NUMBERS,
    NONLINEAR_GUARDS,
    Wish,
    wishes_of,
)
from scheduler.fit.candidate import DISTILLED, EXPLODED, Candidate
from scheduler.fit.evened import CAP
from scheduler.fit.joint import Pull
from scheduler.record import Choice
from scheduler.search.gram import gram_of
from scheduler.sigmas.noise_range import NoiseRange
from tests.fit.lab import RANGES, mosaic, recorded

ELEMENTS = 312
# the second costs as much again
OF_EACH = pytest.mark.parametrize("process", ["flow", pytest.param("ve", marks=pytest.mark.slow)])
# One of each kind
ALL = ("euler", "dpmpp_2m", "lms", "heun", "uni_pc", DISTILLED)


@pytest.fixture(autouse=True)
def no_stock_curve(monkeypatch):
    """How many stock steps a recipe is worth has tests of its own."""
    monkeypatch.setattr(expected, "equal_steps", lambda *_: {})


# --- on a true model ---


class Bed:
    """Experiments on recorded trajectories, and the calls that they cost."""

    def __init__(self, process, steps=(4, 5), rows=2, elements=ELEMENTS, start_sigma=None):
        model = mosaic(process)
        self.set = recorded(process, rows=rows, denoise=model, nodes=24, shape=(1, elements))
        low, high = RANGES[process]
        about = [model, (1, elements), high, low, process, ALL, steps, None, 0, start_sigma]
        request = request_of(*about)
        vectors = torch.stack([vector.flatten(1) for vector in self.set.vectors])
        gram = gram_of(self.set.sigmas, vectors)
        self.made, self.rows = Experiments(request, [self.set], gram, steps[-1]), rows
        self.steps = steps

    def searches(self, *samplers) -> list[Search]:
        found: list[Search] = []
        for wish in wishes_of(samplers, self.steps):
            found.append(Search(self.made, wish, found))
        return found

    @property
    def calls(self) -> int:
        """A row, so far."""
        return self.set.model.calls // self.rows


@OF_EACH
@pytest.mark.parametrize("elements", [ELEMENTS, 8])
def test_starts_and_runs_cost_no_more_than_was_planned(process, elements):
    """Of every sampler at every step count, a single step too, and of the small latents that nothing
    is refined on."""
    bed = Bed(process, (1, 3), elements=elements)
    for search in bed.searches(*ALL):
        before = bed.calls
        search.begin()
        most = search.wish.calls(0, cautious=search.cautious)
        assert bed.calls - before <= most, search.wish
        before = bed.calls
        search.step()
        assert bed.calls - before <= search.wish.run, search.wish


@OF_EACH
def test_every_recipe_is_found_and_stands_for_its_sampler(process):
    bed = Bed(process, (2, 3))
    searches = bed.searches(*ALL)
    assert recipes_of(searches, ALL) == []  # nothing is finished yet
    for search in searches:
        search.begin()
    refined_together(searches, lambda wish: bed.calls < 60)
    found = recipes_of(searches, ALL)
    for sampler in ALL:
        mine = [each for each in found if each.sampler == sampler]
        assert sorted({each.steps for each in mine}) == [2, 3]
        shifted = [each for each in mine if each.offsets is not None and any(each.offsets)]
        if sampler in ("lms", "heun"):
            assert not shifted
        assert len(mine) == 2 if sampler == DISTILLED else len(mine) - len(shifted) == 2


@OF_EACH
@pytest.mark.parametrize("order", [("uni_pc", "dpmpp_2m"), ("dpmpp_2m", "uni_pc"), ("uni_pc",)])
def test_a_lender_is_there_whichever_sampler_is_named_first(process, order):
    bed = Bed(process, (2,))
    searches = bed.searches(*order)
    for search in sorted(searches, key=lambda each: each.wish.sampler != order[0]):
        search.begin()
    (borrower,) = (each for each in searches if each.wish == Wish("uni_pc", 2, True))
    (lender,) = (each for each in searches if each.wish == Wish("dpmpp_2m", 2, True))
    (lent,) = borrower.others
    assert np.array_equal(lent.sigmas, lender.ours.sigmas) and lent.sampler == "uni_pc"
    assert np.array_equal(lent.offsets, lender.ours.offsets) and any(lent.offsets)


def test_a_search_begins_once():
    bed = Bed("ve", (4,))
    for search in bed.searches("uni_pc", DISTILLED):
        search.begin()
        before = bed.calls
        search.begin()
        assert bed.calls == before


@OF_EACH
def test_a_lower_start_is_searched_from(process):
    start = 0.6 * RANGES[process][1]
    bed = Bed(process, (3,), start_sigma=start)
    searches = bed.searches("dpmpp_2m", "uni_pc", DISTILLED)
    for search in searches:
        search.begin()
        search.step()
        assert all(each.sigmas[0] == start for each in (*search.guards, search.ours))
    assert {each.start_sigma for each in recipes_of(searches, (DISTILLED, "uni_pc"))} == {start}


@OF_EACH
def test_refinement_only_lowers_the_error_and_beats_every_guard(process):
    bed = Bed(process, (5,))
    (search,) = bed.searches(DISTILLED)
    search.begin()
    first, guards = search.ours.mean_error, [each.mean_error for each in search.guards]
    for _ in range(8):
        search.step()
    assert search.ours.mean_error < 0.7 * first and search.ours.mean_error < 0.5 * min(guards)
    assert search.found is search.ours


def test_latents_of_few_numbers_are_walked_and_not_refined(monkeypatch):
    monkeypatch.setattr(module.Refinement, "_descend", lambda *_: pytest.fail("refined"))
    bed = Bed("flow", (5,), elements=8)
    (search,) = bed.searches(DISTILLED)
    assert search.cautious and bed.made.numbers < LEAST_NUMBERS * search.wish.numbers
    search.begin()
    while search.step():
        pass
    assert search.ours.mean_error < search.guards[0].mean_error
    assert not Search(Bed("flow", (5,), elements=1024).made, search.wish, []).cautious


def test_a_stock_samplers_own_steps_are_evened_where_they_are_not_refined():
    bed = Bed("ve", (6,))
    (search, *_) = bed.searches("heun")
    search.begin()
    gaps = -np.diff(np.log(search.ours.sigmas[:-1]))
    assert max(*(gaps[1:] / gaps[:-1]), *(gaps[:-1] / gaps[1:])) <= CAP * (1 + 1e-9)


# --- on made-up runs ---

OURS, STOCK, ROWS = 0.1, 0.2, 16


def even(steps: int) -> np.ndarray:
    return np.append(np.geomspace(1.0, 0.05, steps), 0.0)


class Made:
    """Stock schedules end with the error STOCK, all else with OURS, unless `errors` says otherwise:
    (kind, sampler, steps) -> error."""

    def __init__(self, errors=None, unseen=None, numbers=10**6):
        self.errors, self.numbers = errors or {}, numbers
        self.unseen = np.ones(ROWS, bool) if unseen is None else unseen
        self.request = SimpleNamespace(sigma_min=0.02, noise_range=NoiseRange("flow", 0.02, 1.0))
        self.ran, self.walked = [], []
        self.fit = np.ones(ROWS, bool)  # of `answers`, which this is too
        self.noise_range, self.process = self.request.noise_range, "flow"

    @property
    def answers(self):
        return self

    def schedule(self, sampler, steps, weights="contraction"):
        return even(steps)

    def stock_schedules(self, steps):
        found = {"karras": even(steps), "beta": even(steps), "normal": even(steps)}
        for place, sigmas in enumerate(found.values()):
            sigmas[1:-1] **= 1.1 + 0.1 * place
        return found

    def ranked(self, sampler, steps):
        return ["beta", "karras", "normal"]

    def run(self, each):
        self.ran.append((each.sampler, each.choice))
        name = self.name_of(each.sigmas)
        usual = OURS if name == "ours" else STOCK
        return self.measured(name, each, usual)

    def walk(self, sigmas, offsets=None, tries=1):
        self.walked.append((len(sigmas) - 1, None if offsets is None else tuple(offsets), tries))
        shifts = np.full(len(sigmas) - 1, -0.1) if offsets is None else np.array(offsets)
        shifts[0] = 0.0
        rows = np.full((len(sigmas) - 1, 4), 0.01)
        return self.measured("walk", Candidate(DISTILLED, sigmas, shifts, rows), OURS)

    def measured(self, kind, each, usual):
        error = self.errors.get((kind, each.sampler, each.steps), usual)
        return each.measured(np.full(ROWS, error) * np.linspace(0.99, 1.01, ROWS))

    def name_of(self, sigmas):
        for name, each in self.stock_schedules(len(sigmas) - 1).items():
            if np.array_equal(each, sigmas):
                return name
        return "ours"


def begun(made: Made, samplers, steps=(5,), given=()) -> list[Search]:
    found: list[Search] = []
    for wish in wishes_of(samplers, steps):
        found.append(Search(made, wish, found, given))
    for search in found:
        search.begin()
    return found


def lost(sampler: str) -> dict:
    """Ours ends with more than stock."""
    return {(kind, sampler, 5): 0.3 for kind in ("ours", "walk")}


@pytest.mark.parametrize("sampler", ["euler", "heun", "uni_pc", DISTILLED])
def test_what_wins_is_named_as_what_it_is(sampler):
    """Ours where its errors are lower; else the stock schedule, by its own name and sigmas."""
    won = recipes_of(begun(Made(), (sampler,)), (sampler,))
    assert {each.choice for each in won} == {"ours"}
    made = Made(lost(sampler))
    found = recipes_of(begun(made, (sampler,)), (sampler,))
    assert len(found) == 1 and found[0].choice.schedule == "beta"
    assert found[0].sigmas == tuple(made.stock_schedules(5)["beta"])
    assert found[0].coefficients is None and found[0].offsets is None
    assert found[0].choice.sampler == ("dpmpp_2m" if sampler == DISTILLED else None)


def test_a_lower_ranked_stock_schedule_is_taken_where_it_clearly_wins():
    for share, name in ((0.8, "karras"), (0.98, "beta")):
        made = Made(lost("euler") | {("karras", "euler", 5): share * STOCK})
        (found,) = recipes_of(begun(made, ("euler",)), ("euler",))
        assert found.choice.schedule == name


@pytest.mark.parametrize(
    "sampler, guards", [("euler", GUARDS), ("heun", NONLINEAR_GUARDS), (DISTILLED, 1)]
)
def test_so_many_stock_schedules_are_run_best_ranked_first(sampler, guards):
    (search, *_) = begun(Made(), (sampler,))
    names = [each.choice.schedule for each in search.guards]
    assert names == ["beta", "karras", "normal"][:guards]


def test_where_there_are_fewer_the_last_stands_again():
    made = Made()
    made.ranked = lambda sampler, steps: ["beta"]
    (search, *_) = begun(made, ("heun",))
    assert [each.choice.schedule for each in search.guards] == ["beta"] * NONLINEAR_GUARDS


def test_the_best_stock_pair_is_a_start_so_that_ours_is_never_worse():
    """On the fit's rows: it is refined from under its own name, and is ours only once it changed."""
    (search,) = begun(Made(lost(DISTILLED)), (DISTILLED,))
    assert search.ours.choice.ours and search.found.choice == Choice("beta", "dpmpp_2m")
    best = search._refinement.best
    assert best.choice == Choice("beta", "dpmpp_2m") and best.mean_error <= search.ours.mean_error


def test_offsets_are_kept_where_they_win():
    """Beside the recipe without, never in its place."""
    for error, count in ((0.5 * OURS, 2), (OURS, 1)):
        made = Made()
        real = made.run

        def run(each, real=real, error=error):
            ran = real(each)
            return ran if each.offsets is None else ran.measured(ran.errors * error / OURS)

        made.run = run
        found = recipes_of(begun(made, ("dpmpp_2m",)), ("dpmpp_2m",))
        assert len(found) == count and found[0].offsets is None
        assert count == 1 or any(found[1].offsets)


def test_the_usual_offsets_are_where_stock_samplers_begin_and_the_first_is_none():
    """The first query is the teacher's own, and costs nothing."""
    search = next(each for each in begun(Made(), ("euler",)) if each.wish.shifted)
    assert search.ours.offsets[0] == 0 and (search.ours.offsets[1:] < 0).all()


def test_what_did_not_arrive_is_never_ours_over_stock():
    made = Made({("ours", "heun", 5): EXPLODED})
    (found,) = recipes_of(begun(made, ("heun",)), ("heun",))
    assert found.choice.schedule == "beta"


# --- carried over ---


@pytest.fixture
def carried(monkeypatch):
    """(from, to) of every schedule that is carried to another step count."""
    heard, real = [], module.carried_schedule

    def listening(found, before, fresh, sigma_min):
        assert len(found) == len(before)
        heard.append((len(found) - 1, len(fresh) - 1))
        return real(found, before, fresh, sigma_min)

    monkeypatch.setattr(module, "carried_schedule", listening)
    return heard


def test_a_fit_is_carried_over_from_the_step_count_below(carried):
    """From the neighbour, not from the first, whose moves say less of so many more steps."""
    begun(Made(), (DISTILLED,), (4, 5, 6, 7))
    assert carried == [(4, 5), (5, 6), (6, 7)]


def test_a_walk_carries_the_offsets_too(carried):
    made = Made({("walk", DISTILLED, 4): 0.5 * OURS})
    begun(made, (DISTILLED,), (4, 6))
    (first, alone, _), (second, kept, _) = made.walked
    assert (first, second, alone) == (4, 6, None) and any(kept) and len(kept) == 6


def test_nothing_is_carried_over_to_small_latents(carried):
    made = Made(numbers=10)
    begun(made, (DISTILLED,), (4, 5))
    assert carried == [] and [tries for _, _, tries in made.walked] == [3, 3]


def test_the_fewer_numbers_the_nearer_to_each_steps_own_fit():
    """Between the ample and the least; and the walk that seeks its offsets is run at once."""
    wish = Wish(DISTILLED, 5, True)
    pulls = []
    for share in (1.0, 0.5, LEAST_NUMBERS / AMPLE_NUMBERS):
        made = Made(numbers=round(share * AMPLE_NUMBERS * wish.numbers))
        (search,) = begun(made, (DISTILLED,))
        pulls.append(search._refinement.pull.path / Pull.path)
        assert [tries for _, _, tries in made.walked] == ([1] if share == 1 else [2])
    assert pulls == pytest.approx([1, 2, AMPLE_NUMBERS / LEAST_NUMBERS])


# --- an earlier record's ---


def test_what_an_earlier_record_has_is_a_start(carried):
    earlier = Candidate(DISTILLED, even(5) ** 1.05, np.zeros(5), np.zeros((5, 4)))
    made = Made()
    (search,) = begun(made, (DISTILLED,), given=(earlier,))
    (plain,) = begun(Made(), (DISTILLED,))
    assert len(search._tried) == len(plain._tried) + 1
    assert any(np.array_equal(each.sigmas, earlier.sigmas) for each in search._tried)
    assert np.array_equal(search.errors_of(earlier.recipe(DISTILLED)), search._tried[-1].errors)
    other = Candidate(DISTILLED, even(5) ** 1.2, np.zeros(5), np.zeros((5, 4)))
    assert search.errors_of(other.recipe(DISTILLED)) is None


# --- in turn ---


class Stepping:
    """A search that has so many runs to try."""

    def __init__(self, name, runs, sampler="euler"):
        self.name, self.runs, self.wish = name, runs, Wish(sampler, 5, False)

    def step(self):
        ORDER.append(self.name)
        self.runs -= 1
        return self.runs >= 0


ORDER: list[str] = []


@pytest.fixture(autouse=True)
def nothing_run():
    ORDER.clear()


def test_searches_are_refined_in_turn_until_nothing_is_left_to_try():
    refined_together([Stepping("a", 1), Stepping("b", 3)], lambda wish: True)
    assert ORDER == ["a", "b", "a", "b", "b", "b"]


def test_or_until_no_call_is_left():
    left = [3]

    def affords(wish):
        left[0] -= 1
        return left[0] >= 0

    refined_together([Stepping("a", 9), Stepping("b", 9)], affords)
    assert ORDER == ["a", "b", "a"]


def test_what_is_not_refined_has_no_turn():
    refined_together([Stepping("a", 1), Stepping("b", 1, "uni_pc")], lambda wish: True)
    assert set(ORDER) == {"a"}
