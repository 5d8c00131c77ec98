"""Step-distilled models (Turbo, Lightning, ...): fewer steps than their maker's, from the maker's own run.

Such a model is right at the few noise levels that it was trained on, and many steps of it are no truth to
imitate. So the teacher is its own run, the sampler `distilled` asks at its levels alone, and what is
sought is which of them N steps visit and how its answers are combined.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch

from ..denoiser import Denoiser
from ..errors import BudgetError, RecordingError, StepsError
from ..fit.candidate import DISTILLED, Candidate
from ..fit.node_moves import NodeMoves
from ..record import SAME_START, Choice, Conditions, Record
from ..record.provenance import OWN, RECORDING
from ..recordings import Recording
from ..samplers.names import RELATIVE
from ..sigmas import check_schedule
from .experiments import Experiments
from .meter import Meter, Progress
from .plan import OWN_RUN, Plan
from .recording import recorded
from .recordings import grouped
from .request import Request, checked_budget, checked_denoisers, checked_samples, request_of
from .resume import FinishedParts
from .run import Run, settled_conditions
from .searches import Search, Starts
from .wishes import Wish

SOLVER = "euler"  # what makers publish their steps for
NUMBERS = (
    1024  # latent elements of all rows: one picture of any real model; more rows gained nothing
)
MOVES = 8  # walks after the first, each with one level in another's place
GUARDS = (("euler", "simple"), ("euler", None), (RELATIVE, None))  # None: the schedule ranked first
FEWEST = 3  # steps of a run that has anything to leave out


def distill_own_run(
    denoise: Denoiser | Sequence[Denoiser],
    latent_shape: Sequence[int],
    sigmas: Sequence[float] | np.ndarray | torch.Tensor,
    steps: Sequence[int] | int,
    sigma_max: float = 1.0,
    sigma_min: float = 0.002,
    parametrisation: str = "flow",
    budget: int | None = None,
    conditions: Conditions | None = None,
    samples: int | None = None,
    seed: int = 0,
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
    on_plan: Callable[[Plan], None] | None = None,
    on_record: Callable[[Record], None] | None = None,
    recordings: Sequence[Recording] = (),
) -> Record:
    """Recipes of `distilled` in fewer steps than a step-distilled model's own run.

    sigmas: (T + 1,), the maker's, from the start to 0; the run is euler's down these. steps: below T.
    budget: most model calls (None: for MOVES further walks of each step count). recordings: such runs
    that were made anyway, the teacher then. The others as for `distill`. What does not beat the stock
    schedules of as many steps on the same noise is the best of these. Raises StepsError for as many
    steps or more, ScheduleError, BudgetError, RecordingError, and what `distill` raises; Stopped
    carries the record as it stood.
    """
    conditions = conditions or Conditions()
    own = check_schedule(sigmas)
    runs, denoisers = (
        grouped(recordings, checked_denoisers(denoise)) if recordings else ((), denoise)
    )
    _check_runs(runs, own)
    request = request_of(
        denoisers,
        latent_shape,
        sigma_max,
        sigma_min,
        parametrisation,
        samplers=DISTILLED,
        steps=steps,
        shift=conditions.shift,
        seed=seed,
        start_sigma=float(own[0]),
        noise_scale=conditions.noise_scale,
        streams=conditions.streams,
    )
    if abs(own[0] / sigma_max - 1) <= SAME_START:
        own[0] = request.sigma_max  # hosts hand sigmas over in float32
    samples = max((each.rows for each in runs), default=samples)
    plan = own_plan(request, len(own) - 1, budget, samples)
    conditions = settled_conditions(request, conditions)
    meter = Meter(plan.calls, progress, should_stop)
    parts = FinishedParts(None, (), lambda: meter.done)
    if on_plan is not None:
        on_plan(plan)
    run = _OwnRun(request, conditions, plan, meter, parts, torch.device(device), on_record, runs)
    run.levels = own
    return run.whole(None, every=False)


def own_plan(
    request: Request, levels: int, budget: int | None = None, samples: int | None = None
) -> Plan:
    """What it costs: the own run of every row, asked for one answer twice; the starts and guards of every
    step count, and its further walks. levels: T. Raises StepsError, and BudgetError naming the least
    that works."""
    _check_steps(request, levels)
    sets = len(request.denoisers)
    rows = checked_samples(samples) or -(-NUMBERS // (math.prod(request.latent_shape) * sets))
    a_run, fixed = _calls(levels, request.steps)
    moves = MOVES
    if budget is not None:
        moves = (checked_budget(budget) // (rows * sets) - fixed) // max(a_run, 1)
        if moves < 0:
            raise BudgetError(
                f"A budget of {budget} model calls is too small for {rows * sets} rows of this run; the "
                f"least that works is {fixed * rows * sets}: raise it, or ask for fewer steps or samples."
            )
    each = rows * sets
    costs = {"teacher": (levels + 1) * each, DISTILLED: (fixed - levels - 1 + moves * a_run) * each}
    return Plan(OWN_RUN, levels, sets, rows, moves, request.steps, costs)


def own_calls(levels: int, steps: int) -> int:
    """The most model calls for one row and one step count, from a run of so many levels."""
    a_run, fixed = _calls(levels, (steps,))
    return fixed + MOVES * a_run


def _calls(levels: int, steps: Sequence[int]) -> tuple[int, int]:
    """Of a row: (a walk of every step count, what is done whatever the budget)."""
    a_run = sum(n - 1 for n in steps)
    return a_run, levels + 1 + a_run * (len(GUARDS) + len(NodeMoves.STARTS)) + len(steps)


def _check_runs(runs: Sequence[Recording], own: np.ndarray) -> None:
    """Raise RecordingError for a run on other sigmas."""
    for each in runs:
        if each.steps != len(own) - 1 or not np.allclose(each.sigmas, own, rtol=SAME_START, atol=0):
            raise RecordingError(
                "This recording is not of the model's own run; give one drawn by euler on its maker's "
                "sigmas."
            )


def _check_steps(request: Request, own: int) -> None:
    if own < FEWEST:
        raise StepsError(
            f"This model's own run has {own} steps, of which none can be left out; it needs {FEWEST}."
        )
    most = request.steps[-1]
    if most >= own:
        raise StepsError(
            f"This model's own run has {own} steps already; ask for fewer than these, not for {most}."
        )


class _OwnRun(Run):
    """A run whose teacher is the model's own. levels: its sigmas (T + 1,)."""

    levels: np.ndarray

    def taught(self) -> Experiments:
        if self.recordings:
            made = super().taught()
            made.ends_error = 0.0  # its end is the truth, however many steps others would take
            return made
        about = (self.meter, self.parts, self.device)
        made = recorded(self.request, self.plan, *about, grid=self.levels, solver=SOLVER)
        self.stages.end(RECORDING, rows=self.rows, seed=self.request.seed)
        return made

    def search(self, made: Experiments, wish: Wish) -> Search:
        return OwnSearch(made, wish, self.searches)

    def made_of(self, *about) -> Record:
        """Without inner products: no other sampler's steps are to be solved from so few levels."""
        return replace(super().made_of(*about), gram=None)

    def teacher(self) -> dict:
        about = {"solver": SOLVER, "nodes": self.plan.nodes, "grid": OWN}
        return about | {"samples": self.rows}


class OwnSearch(Search):
    """Among the levels of the own run: the guards, then walks over some of them."""

    def begin(self) -> None:
        for sampler, name in GUARDS if not self.guards else ():
            self._own_guard(sampler, name)
        super().begin()

    def _starts(self) -> Starts:
        return Starts([])  # `NodeMoves` has its own

    def _refining(self, begun: Starts) -> NodeMoves:
        made, n = self.made, self.wish.steps
        first = [made.schedule(name, n) for name in NodeMoves.STARTS]
        return NodeMoves(made.answers, made.gram.sigmas, first)

    def _own_guard(self, sampler: str, name: str | None) -> None:
        stock = self.made.stock_schedules(self.wish.steps)
        if name not in stock:
            name = self.made.ranked(sampler, self.wish.steps)[0]
        ran = self.made.run(Candidate(sampler, stock[name], choice=Choice(name, sampler)))
        self.guards.append(ran)
