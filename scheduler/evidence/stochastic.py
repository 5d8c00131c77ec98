"""Stochastic samplers measured: each stock schedule's distance from a fine run on the same path.

A stochastic sampler has no trajectory of its own, but for one Brownian path it has: run finely, it
converges to that path's own end, and a run of few steps on the same path is so far from it. All
samplers but er_sde follow one process, and share one fine run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..denoiser import AnyDenoiser, Reporting, start_state
from ..errors import BudgetError, DenoiserError
from ..record import Choice, Recipe
from ..record.choice import OURS
from ..record.verdict import WORSE, outcome
from ..rows import row_errors
from ..samplers.brownian import BrownianPath
from ..samplers.stochastic import check_stochastic, sample_on_path, stochastic_calls
from ..sigmas import MOST_BASELINES, NoiseTable, baselines, log_snr_grid
from ..sigmas.validity import Floats
from . import verdicts
from .held_out import Finished
from .plan import thinned
from .verdicts import paired_ratio

SHARED_PATH = "shared_path"  # the kind of these rows
# Steps of the fine run. Measured on the bundled checkpoints beside 1,600: .01 to .02 of the data's
# spread at 200, .03 to .05 at 100, where the best stock schedule stands at .26 to .32 with 8 steps.
FINE = (200, 100, 60)
_SCHEDULES = MOST_BASELINES + 1  # and ours
_FINE_SAMPLER = "dpmpp_2m_sde"
# er_sde's noise is small at the end: half the steps come as near to its own limit.
_OWN_PROCESS = {"er_sde": 2}


@dataclass(frozen=True)
class PathPlan:
    """What is measured: on so many rows, beside a fine run of `nodes` steps, at these step counts.

    costs: the most model calls, every row counted, by sampler; a fine run that several share is
    the first's.
    """

    rows: int
    nodes: int
    steps: tuple[int, ...]
    costs: dict[str, int]

    @property
    def calls(self) -> int:
        return sum(self.costs.values())


def plan_paths(
    samplers: Sequence[str], steps: Sequence[int], rows: int, budget: int, beside: int = 0
) -> PathPlan:
    """The most that fits the budget, given up in this order: the finer reference, step counts.

    Every stock schedule is always measured. beside: what of the budget is spent on others. Raises
    BudgetError, naming the least that works.
    """
    for count in range(len(steps), 0, -1):
        for nodes in FINE:
            plan = _plan(samplers, thinned(steps, count), rows, nodes)
            if plan.calls + beside <= budget:
                return plan
    least = beside + _plan(samplers, thinned(steps, 1), rows, FINE[-1]).calls
    raise BudgetError(
        f"A budget of {budget} model calls is too small to measure {', '.join(samplers)} on {rows} "
        f"row{'s' if rows != 1 else ''}; the least that works is {least}: raise it, or ask for fewer "
        "samplers or rows."
    )


def _plan(samplers: Sequence[str], steps: Sequence[int], rows: int, nodes: int) -> PathPlan:
    costs: dict[str, int] = {}
    drawn: set[str] = set()
    for sampler in samplers:
        runs = _SCHEDULES * sum(stochastic_calls(sampler, n) for n in steps)
        fine, count = _fine_run(sampler, nodes)
        costs[sampler] = rows * (runs + (0 if fine in drawn else count))
        drawn.add(fine)
    if costs:
        costs[samplers[0]] += rows  # the query that tells the model
    return PathPlan(rows, nodes, tuple(steps), costs)


def _fine_run(sampler: str, nodes: int) -> tuple[str, int]:
    """The sampler that draws the fine run for one, and its steps."""
    if sampler in _OWN_PROCESS:
        return sampler, nodes // _OWN_PROCESS[sampler]
    return _FINE_SAMPLER, nodes


def chosen(errors: Mapping[str, np.ndarray]) -> str:
    """The schedule to take, of errors (R,) by name: the least geometric mean over rows.

    Of those that are not clearly worse than the one with the least RMS. A row that turned into another
    picture decides an RMS over few rows: chosen on 4 and 8 rows of six beds, the geometric mean's
    schedule was 1.18 times the best in hindsight on other rows in RMS and 1.12 in the median, the
    RMS's own 1.20 and 1.25.
    """

    def rms(name: str) -> float:
        return float(np.mean(np.square(errors[name])))

    def typical(name: str) -> float:
        return float(np.mean(np.log(np.maximum(errors[name], 1e-30))))

    best = min(errors, key=rms)
    sound = (n for n in errors if outcome(*paired_ratio(errors[n], errors[best])) != WORSE)
    return min(sound, key=typical)


class OnPaths:
    """Runs of stochastic samplers from held-out noise (R, ...) on one path, beside the fine run.

    seed: of the path. noise_scale: of the path, as the noise has it already. nodes: steps of the
    fine run. Errors are (R,): RMS per element from its end;
    inf for a run that came to nothing. A fine run is drawn when first needed; `finished` (such as
    `FinishedParts.finished`) keeps what was measured for a later start, and one query of the model
    tells whether it still holds. Raises DenoiserError when a fine run itself fails, and whatever
    on_call raises.
    """

    def __init__(
        self,
        denoise: AnyDenoiser,
        noise: torch.Tensor,
        seed: int,
        table: NoiseTable,
        process: str,
        sigma_range: tuple[float, float],
        nodes: int = FINE[0],
        on_call: Callable[[int], None] | None = None,
        finished: Finished | None = None,
        noise_scale: float | torch.Tensor = 1.0,
    ):
        self.model = Reporting(denoise, on_call)
        self.noise_scale = noise_scale
        self.noise, self.seed, self.nodes = noise, seed, nodes
        self.table, self.process = table, process
        self.sigma_min, self.sigma_max = sigma_range
        self.top = table.percent_to_sigma(1e-4)
        self._finished = finished
        self._ends: dict[str, torch.Tensor] = {}
        self._told: str | None = None

    def schedules(self, steps: int) -> dict[str, np.ndarray]:
        """Every baseline of this model at a number of steps."""
        return baselines(self.table, steps, self.sigma_min, self.sigma_max)

    def end(self, sampler: str) -> torch.Tensor:
        """Where the fine run for a sampler ends, (R, ...)."""
        fine, nodes = _fine_run(sampler, self.nodes)
        if fine not in self._ends:
            grid = log_snr_grid(self.sigma_min, self.sigma_max, nodes, self.process)
            self._ends[fine] = self.draw(fine, grid)
        return self._ends[fine]

    def draw(self, sampler: str, sigmas: np.ndarray) -> torch.Tensor:
        """A run of a sampler on the path, (R, ...)."""
        x = start_state(self.noise, float(sigmas[0]), self.process)
        path = BrownianPath(self.noise.shape, self.seed, self.noise.device, self.noise_scale)
        return sample_on_path(self.model, x, sigmas, sampler, path, self.process, self.top)

    def run(self, sampler: str, sigmas: np.ndarray) -> np.ndarray:
        """Errors (R,) of a sampler on a schedule."""
        end = self.end(sampler)
        try:
            errors = row_errors(self.draw(sampler, sigmas), end)
        except DenoiserError:  # the model answered the fine run well: this one left its range
            return np.full(len(self.noise), np.inf)
        return np.where(np.isfinite(errors), errors, np.inf)

    def measured(self, sampler: str, steps: int, ours: Floats | None = None) -> Recipe:
        """The sampler's recipe: the best schedule (`chosen`), with its evidence.

        A stock one, or `ours` (N + 1,): one that was distilled for a sampler like it. Raises
        UnknownNameError for a sampler that cannot be measured.
        """
        check_stochastic(sampler, self.process)
        schedules = self.schedules(steps)
        if ours is not None:
            schedules[OURS] = np.asarray(ours, dtype=np.float64)
        kept = self._kept(sampler, schedules)
        errors = {name: np.array(each) for name, each in kept["errors"].items()}
        best = chosen(errors)
        sigmas = tuple(schedules[best].tolist())
        recipe = Recipe(sampler, steps, sigmas[0], sigmas, choice=Choice(best))
        stock = {name: each for name, each in errors.items() if name != OURS}
        calls = stochastic_calls(sampler, steps)
        found = verdicts.compared(recipe, errors[best], stock, kept["apart"], calls)
        return replace(recipe, evidence=found | {"rows": {SHARED_PATH: len(self.noise)}})

    def _kept(self, sampler: str, schedules: dict[str, np.ndarray]) -> dict:
        """{"errors": {schedule: errors}, "apart"}: measured now, or in an earlier run."""

        def work() -> dict:
            ends = self.end(sampler).float().flatten(1).cpu().double().numpy()
            errors = {name: self.run(sampler, each).tolist() for name, each in schedules.items()}
            return {"errors": errors, "apart": verdicts.picture_distance(ends)}

        if self._finished is None:
            return work()
        listed = {name: each.tolist() for name, each in schedules.items()}
        depends = (sampler, listed, self.seed, self.nodes, tuple(self.noise.shape), self._model())
        name = hashlib.sha256(repr(depends).encode()).hexdigest()[:24]
        return self._finished(f"paths {name}", work)

    def _model(self) -> str:
        """What tells this model, its conditioning and the noise: the size of one answer."""
        if self._told is None:
            middle = float(log_snr_grid(self.sigma_min, self.sigma_max, 8, self.process)[3])
            answer = self.model(start_state(self.noise, middle, self.process), middle)
            self._told = f"{float(answer.double().norm()):.5g}"
        return self._told
