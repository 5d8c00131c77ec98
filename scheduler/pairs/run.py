"""`distill_pair`: recipes for two models on one path, found together."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..denoiser import Denoiser
from ..distilling.meter import Meter, Metered, Progress
from ..distilling.request import Request, request_of
from ..errors import StepsError, UnknownNameError
from ..evidence.verdicts import compared
from ..record import Conditions, Model, Recipe, Record
from ..record.choice import OURS, Choice
from ..record.pair_half import FIRST, PAIR, SECOND, STEP, half_patch
from ..record.provenance import EVIDENCE, RECIPES, RECORDING, Stages, provenance_of
from ..rows import noise_for, row_errors
from ..sigmas import baselines
from ..sigmas.noise_table import table_for
from .descent import TRIALS, descend
from .halves import SAMPLERS, Halves, Joint, hand_over_sigma, split_of
from .programme import joint_schedules
from .teacher import PairTeacher, grid_through, pair_teacher

FIT_ROWS, UNSEEN_ROWS = 2, 1
EVIDENCE_SEED = 7919
PROGRAMMES = 2  # splits of the dynamic programme that are run
MEASURED = 3  # stock schedules, the best on the fit's rows, that the evidence compares with
# Those that hosts' users split; the stock schedules of which the best is the guard.
STOCK = ("simple", "normal", "sgm_uniform", "beta", "linear_quadratic", "kl_optimal", "karras")


@dataclass(frozen=True)
class PairRecords:
    """The record of each half. Their recipes are the same schedules, so the halves meet."""

    first: Record
    second: Record


@dataclass(frozen=True)
class _Tried:
    joint: Joint
    choice: Choice
    errors: np.ndarray


def distill_pair(
    first: Denoiser,
    second: Denoiser,
    latent_shape: Sequence[int],
    hand_over: float | str,
    sigma_max: float = 1.0,
    sigma_min: float = 0.002,
    parametrisation: str = "flow",
    samplers: Sequence[str] = ("euler",),
    steps: Sequence[int] | int = 6,
    within: tuple[float, float] | None = None,
    conditions: tuple[Conditions, Conditions] | None = None,
    measure: bool = True,
    seed: int = 0,
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
    on_plan: Callable[[int], None] | None = None,
) -> PairRecords:
    """Distil one schedule over two models, for every sampler and step count.

    first, second: denoise(x (B, ...), sigma (B,)) -> x0; the first answers down to the hand-over,
    the second from there. hand_over: a sigma, or a name of `halves.PUBLISHED`. within: (low, high),
    where the hand-over of the few steps may lie instead; the error against the pair's own many-step
    run, which hands over at `hand_over`, decides. Samplers are linear multistep rules, and each
    half begins with a history of its own, as in a host. conditions: what the records say of either
    half. measure: whether the recipes are measured on held-out noise. on_plan hears the most model
    calls there will be. Rows: FIT_ROWS for the fits, UNSEEN_ROWS to choose by.

    Raises StepDistillError subclasses; all but DenoiserError and Stopped before the first call.
    """
    told = conditions or (Conditions(), Conditions())
    request = request_of(
        first, latent_shape, sigma_max, sigma_min, parametrisation, samplers, steps, told[0].shift,
        seed,
    )  # fmt: skip
    _check(request)
    table = table_for(request.sigma_min, request.sigma_max, request.process, told[0].shift)
    sigma = hand_over_sigma(hand_over, table)
    low, high = (hand_over_sigma(each, table) for each in (within or (sigma, sigma)))
    planned = planned_calls(request, sigma, low < high, measure)
    if on_plan is not None:
        on_plan(planned)
    meter = Meter(planned, progress, should_stop)
    halves = Halves(Metered(first, meter), Metered(second, meter), request.process)
    run = _Run(request, halves, sigma, (min(low, sigma), max(high, sigma)), meter, device)
    return run.whole(told, measure, within is not None)


def planned_calls(request: Request, hand_over: float, searched: bool, measure: bool) -> int:
    """The most model calls that `distill_pair` makes."""
    grid, _ = grid_through(request.sigma_min, request.sigma_max, hand_over, request.process)
    nodes, samplers = len(grid) - 1, len(request.samplers)
    stock = len(_stock(request, request.steps[0]))
    runs = [stock + PROGRAMMES + 2 + (n - 1 + searched) + TRIALS for n in request.steps]
    calls = nodes + samplers * sum(n * k for n, k in zip(request.steps, runs, strict=True))
    if measure:
        calls += nodes + samplers * sum(n * (1 + MEASURED) for n in request.steps)
    return calls * (FIT_ROWS + UNSEEN_ROWS)


def _check(request: Request) -> None:
    for name in request.samplers:
        if name not in SAMPLERS:
            raise UnknownNameError(
                f"Pairs are distilled for one of: {', '.join(SAMPLERS)}; not for {name!r}, whose "
                "steps cannot be cut in two."
            )
    if request.steps[0] < 2:
        raise StepsError("A pair needs a step for each half; ask for at least 2 steps.")


def _stock(request: Request, steps: int) -> dict[str, np.ndarray]:
    table = request.table
    top = min(table.sigma_max, request.sigma_max)
    found = baselines(table, steps, request.sigma_min, top)
    return {name: sigmas for name, sigmas in found.items() if name in STOCK}


class _Run:
    """One distillation of a pair."""

    def __init__(self, request, halves, hand_over, within, meter, device):
        self.request, self.halves, self.hand_over = request, halves, hand_over
        self.within, self.meter, self.device = within, meter, torch.device(device)
        self.stages = Stages(lambda: meter.done)
        self.began = time.monotonic()
        self.grid, self.boundary = grid_through(
            request.sigma_min, request.sigma_max, hand_over, request.process
        )

    def whole(self, told: tuple, measure: bool, searched: bool) -> PairRecords:
        request, rows = self.request, FIT_ROWS + UNSEEN_ROWS
        noise, taught = self._taught(request.seed, RECORDING)
        found = []
        for sampler in request.samplers:
            self.meter.phase = sampler
            for steps in request.steps:
                found.append((sampler, steps, self._found(sampler, steps, noise, taught)))
            about = {"sampler": sampler, "steps": list(request.steps), "rows": rows}
            self.stages.end(RECIPES, **about)
        recipes = [self._recipe(sampler, steps, tried[0]) for sampler, steps, tried in found]
        if measure:
            recipes = self._measured(recipes, found)
        self.meter.phase = EVIDENCE
        return self._records(told, recipes, searched)

    def _taught(self, seed: int, stage: str) -> tuple[torch.Tensor, PairTeacher]:
        rows = FIT_ROWS + UNSEEN_ROWS
        self.meter.phase = "teacher"
        noise = noise_for(self.request.latent_shape, rows, seed, self.device)
        taught = pair_teacher(self.halves, noise, self.grid, self.boundary)
        self.stages.end(stage, rows=rows, seed=seed)
        return noise, taught

    def _found(self, sampler, steps, noise, taught) -> list[_Tried]:
        """What won, and then the stock schedules, the best first."""

        def ends(joint: Joint) -> torch.Tensor:
            return self.halves.run(noise, joint, sampler)

        def tried(joint: Joint, choice: Choice) -> _Tried:
            return _Tried(joint, choice, row_errors(ends(joint), taught.end))

        stock = [
            tried(split_of(sigmas, self.hand_over), Choice(name))
            for name, sigmas in _stock(self.request, steps).items()
        ]
        stock.sort(key=_score)
        programmes = joint_schedules(taught, sampler, steps)[:PROGRAMMES]
        ours = [tried(joint, Choice(OURS)) for joint in programmes]
        if ours:
            start = min(ours, key=_score).joint
            fit = slice(0, FIT_ROWS)
            better = descend(start, lambda joint: ends(joint)[fit], taught.end[fit], *self.within)[
                1:
            ]
            # The best by the fit's rows alone is tried; all rows choose.
            ours += [tried(better[-1], Choice(OURS))] if better else []
        best = min([*stock, *ours], key=_score)
        return [best, *stock]

    def _recipe(self, sampler: str, steps: int, best: _Tried) -> Recipe:
        sigmas = best.joint.sigmas.copy()
        return Recipe(
            sampler, steps, float(sigmas[0]), tuple(sigmas.tolist()), choice=best.choice,
            evidence={STEP: best.joint.step},
        )  # fmt: skip

    def _measured(self, recipes: list[Recipe], found: list) -> list[Recipe]:
        """On noise that nothing was fitted to: each recipe beside the best stock pairs, of which one
        takes its place where it comes nearer."""
        seed = self.request.seed + EVIDENCE_SEED
        noise, taught = self._taught(seed, EVIDENCE)
        self.meter.phase = EVIDENCE
        measured = []
        for recipe, (sampler, steps, tried) in zip(recipes, found, strict=True):

            def errors(joint: Joint, sampler=sampler) -> np.ndarray:
                return row_errors(self.halves.run(noise, joint, sampler), taught.end)

            ours = errors(tried[0].joint)
            stock = {str(each.choice): errors(each.joint) for each in tried[1 : 1 + MEASURED]}
            told = compared(recipe, ours, stock, None, steps)
            ratio = told["ratio"]
            if recipe.choice.ours and ratio is not None and ratio > 1:
                best = next(each for each in tried[1:] if each.choice == told["best_stock"])
                recipe = self._recipe(sampler, steps, best)
                told = compared(recipe, stock[str(best.choice)], stock, None, steps)
            measured.append(replace(recipe, evidence=told | recipe.evidence))
        self.stages.end(EVIDENCE, rows=len(noise), seed=seed)
        return measured

    def _records(self, told: tuple, recipes: list[Recipe], searched: bool) -> PairRecords:
        request = self.request
        plan: dict[str, object] = {"steps": list(request.steps), "samplers": list(request.samplers)}
        plan |= {"calls": self.meter.planned, "rows": FIT_ROWS + UNSEEN_ROWS}
        seconds = time.monotonic() - self.began
        teacher = {"solver": "adams3", "nodes": len(self.grid) - 1, "grid": "log_snr"}
        teacher |= {"samples": FIT_ROWS + UNSEEN_ROWS}
        made = provenance_of(self.stages.done, plan, seconds)
        records = []
        for half, mine, other in ((FIRST, *told), (SECOND, *reversed(told))):
            patch = half_patch(half, _known_by(other))
            conditions = replace(
                mine,
                patches=(*mine.patches, patch),
                latent_shape=mine.latent_shape or request.latent_shape,
                prompts=mine.prompts or 1,
                seed=request.seed if mine.seed is None else mine.seed,
            )
            model = Model.of(conditions, request.process, request.sigma_min, request.sigma_max)
            pair = {"hand_over": self.hand_over, "searched": searched}
            pair["other"] = other.name or "another model"
            records.append(
                Record(model, conditions, teacher, tuple(recipes), {}, made | {PAIR: pair})
            )
        return PairRecords(*records)


def _known_by(other: Conditions) -> str:
    """As `keeping.known_by` tells a model from all others."""
    patches = (f"{each['name']}@{each['strength']:.2f}" for each in other.patches)
    return "|".join([other.fingerprint or other.name or "", *sorted(patches)])


def _score(tried: _Tried) -> float:
    """Unseen rows count as much as the fit's."""
    seen, unseen = tried.errors[:FIT_ROWS].mean(), tried.errors[FIT_ROWS:].mean()
    found = float(seen + unseen) / 2
    return found if np.isfinite(found) else np.inf
