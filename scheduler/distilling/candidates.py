"""Makes the recipes of each sampler: candidates, then the guard's verdict; a recipe that does not win
is the stock one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..fit.candidate import DISTILLED, Candidate
from ..fit.carry_over import carried_offsets, carried_schedule
from ..fit.refine import evened
from ..record import Choice, Recipe
from ..samplers.multistep import LINEAR
from .experiments import Experiments
from .guard import ranked, wins
from .plan import Plan
from .tasks import DISTILLED_STOCK, DistilledTask, StockTask

# Node weights of the schedules a fit is tried on, best first.
FIT_WEIGHTS = ("contraction", "none")


def recipes_of(made: Experiments, plan: Plan, sampler: str, steps: Sequence[int]) -> list[Recipe]:
    """The recipes of one sampler: for every step count one without offsets and, where they win, one
    with them."""
    if sampler == DISTILLED:
        found = _distilled(made, plan.distilled_tasks(steps))
    else:
        found = _stock(made, sampler, plan.stock_tasks(sampler, steps))
    return [each.recipe(sampler) for each in found]


def _stock(made: Experiments, sampler: str, tasks: Sequence[StockTask]) -> list[Candidate]:
    plain = {task.steps: _plain_anchor(made, task) for task in tasks if task.anchor}
    found: list[Candidate] = []
    below = None
    for task in tasks:
        mine = plain.get(task.steps) or _plain_between(made, sampler, plain, task.steps)
        shifted = _shifted(made, task, below)
        found.append(mine)
        if shifted is not None and _offsets_win(made, shifted, mine, plain):
            found.append(shifted)
        below = shifted if task.anchor else below
    return found


def _offsets_win(
    made: Experiments, shifted: Candidate, mine: Candidate, plain: dict[int, Candidate]
) -> bool:
    """Against the recipe without offsets, or, where that was not run, that of the next fitted step
    count: more steps, a harder mark."""
    mark = mine if mine.was_run else plain[_neighbours(plain, mine.steps)[1]]
    return bool(np.any(shifted.offsets)) and wins(shifted.errors, mark.errors, made.unseen)


def _plain_anchor(made: Experiments, task: StockTask) -> Candidate:
    """The better of our schedule and the best-ranked stock one, no offsets."""
    stock = _best_stock(made, task.sampler, task.steps, task.guards)
    ours = made.run(_own(made, task.sampler, task.steps))
    if task.refinements:
        start = min(ours, stock, key=_mean_error)
        ours = made.refined(Candidate(task.sampler, start.sigmas), task.refinements)
    return ours if wins(ours.errors, stock.errors, made.unseen) else stock


def _own(made: Experiments, sampler: str, steps: int) -> Candidate:
    """The dynamic programme's schedule; samplers that are no linear rule take dpmpp_2m's, evened,
    as they explode on uneven steps."""
    if sampler in LINEAR:
        return Candidate(sampler, made.schedule(sampler, steps))
    return Candidate(sampler, evened(made.schedule("dpmpp_2m", steps)))


def _best_stock(made: Experiments, sampler: str, steps: int, count: int) -> Candidate:
    """The stock schedule ranked first, unless one of the next clearly beats it when both are run."""
    schedules = made.stock_schedules(steps)
    names = ranked(made.gram, sampler, schedules)[:count]
    runs = (made.run(Candidate(sampler, schedules[n], choice=Choice(n))) for n in names)
    best = next(runs)
    for other in runs:
        if wins(other.errors, best.errors, made.unseen, fitted=False):
            best = other
    return best


def _shifted(made: Experiments, task: StockTask, below: Candidate | None) -> Candidate | None:
    """Query offsets for a stock sampler, on a schedule for them; None for a sampler that takes none."""
    if not task.offsets:
        return None
    if task.offsets == "carry" and below is not None:
        return made.run(Candidate(task.sampler, *_carried(made, below, task.steps)))
    best = min(_walked(made, task), key=_mean_error)
    if not task.offset_refinements:
        return best
    return made.refined(best, task.offset_refinements)


def _walked(made: Experiments, task: StockTask) -> list[Candidate]:
    """The sampler with the offsets that its leader's walks find."""
    found = []
    for weights in FIT_WEIGHTS[: task.schedules]:
        sigmas = made.schedule(DISTILLED, task.steps, weights)
        walked = made.walk(task.leader, sigmas, task.tries)
        if task.leader != task.sampler:
            walked = made.run(Candidate(task.sampler, walked.sigmas, walked.offsets))
        found.append(walked)
    return found


def _carried(made: Experiments, below: Candidate, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """(sigmas, offsets) for more steps than `below` has."""
    assert below.offsets is not None  # what is carried over was walked
    before, here = (made.schedule(DISTILLED, n) for n in (below.steps, steps))
    sigmas = carried_schedule(below.sigmas, before, here, made.request.sigma_min)
    offsets = carried_offsets(made.request.noise_range, below.sigmas, below.offsets, sigmas)
    return sigmas, offsets


def _plain_between(
    made: Experiments, sampler: str, plain: dict[int, Candidate], steps: int
) -> Candidate:
    """Between two fitted step counts: ours where both chose it, else the stock schedule that one of
    them chose."""
    below, above = (plain[n] for n in _neighbours(plain, steps))
    chosen = above if below.choice.ours else below
    if chosen.choice.ours:
        return _own(made, sampler, steps)
    sigmas = made.stock_schedules(steps)[chosen.choice.schedule]
    return Candidate(sampler, sigmas, choice=chosen.choice)


def _distilled(made: Experiments, tasks: Sequence[DistilledTask]) -> list[Candidate]:
    fits: list[Candidate] = []
    for task in tasks:
        fits.append(_fitted(made, task, fits[-1] if fits else None))
    pairs = zip(tasks, fits, strict=True)
    verdicts = {task.steps: _guarded(made, task, fit) for task, fit in pairs if task.anchor}
    guards = {task.steps: task.guards for task in tasks if task.anchor}
    return [verdicts.get(fit.steps) or _between(made, fit, verdicts, guards) for fit in fits]


def _fitted(made: Experiments, task: DistilledTask, below: Candidate | None) -> Candidate:
    """A fit made afresh on the programme's schedules, or one carried over from the step count
    below; refined and polished."""
    if below is None or task.afresh:
        weights = FIT_WEIGHTS[: task.schedules]
        schedules = [made.schedule(DISTILLED, task.steps, each) for each in weights]
        walks = [made.walk(DISTILLED, sigmas, task.tries) for sigmas in schedules]
        best = min(walks, key=_mean_error)
    else:
        sigmas, offsets = _carried(made, below, task.steps)
        best = made.walk(DISTILLED, sigmas, offsets=offsets)
    if task.refined and best.finite:
        best = made.refined(replace(best, coefficients=None), 1)
    return made.polished(best) if task.polished else best


def _between(
    made: Experiments,
    ours: Candidate,
    verdicts: dict[int, Candidate],
    guards: dict[int, dict[str, int]],
) -> Candidate:
    """Ours where the guard kept it at both neighbours and it is no worse than with the lower one's
    fewer steps, or where it beats even the upper one's stock pair; else that pair's schedule."""
    below, above = _neighbours(verdicts, ours.steps)
    stock = _best_pair(made, above, guards[above])  # run already, for the upper one's guard
    schedules, name = made.stock_schedules(ours.steps), stock.choice.schedule
    kept = verdicts[below].choice.ours and verdicts[above].choice.ours
    kept = kept and ours.finite and ours.mean_error <= verdicts[below].mean_error
    if kept or name not in schedules or wins(ours.errors, stock.errors, made.unseen):
        return ours
    return Candidate(stock.sampler, schedules[name], choice=stock.choice)


def _guarded(made: Experiments, task: DistilledTask, ours: Candidate) -> Candidate:
    """Ours, or the best-ranked stock pair where ours doesn't win."""
    stock = _best_pair(made, task.steps, task.guards)
    return ours if wins(ours.errors, stock.errors, made.unseen) else stock


def _best_pair(made: Experiments, steps: int, guards: dict[str, int]) -> Candidate:
    """The best of the stock pairs that the inner products rank first, named as a pair."""
    pairs = [_best_stock(made, sampler, steps, guards[sampler]) for sampler in DISTILLED_STOCK]
    named = [replace(p, choice=Choice(p.choice.schedule, p.sampler)) for p in pairs]
    return min(named, key=_mean_error)


def _neighbours(anchors: dict[int, Candidate], steps: int) -> tuple[int, int]:
    return max(n for n in anchors if n < steps), min(n for n in anchors if n > steps)


def _mean_error(each: Candidate) -> float:
    return each.mean_error
