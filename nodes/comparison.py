"""The contest behind Compare Schedules: who takes part, the runs on held-out noise, and what they say."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ..scheduler.errors import (
    DenoiserError,
    RecipeError,
    ScheduleError,
    StepsError,
    UnknownNameError,
)
from ..scheduler.record import Recipe
from .names import DISTILLED as OURS
from .page.compare_report import said, where_from

NODES = 50  # of the teacher
MOST_STEPS, MOST_COUNTS = 200, 24
RELATIVE = "dpmpp_2m"  # what stock schedules run with beside the distilled sampler


def step_counts(text: str) -> list[int]:
    """ "4, 6, 8" or "4-8, 12" as ascending step counts; raises StepsError."""
    found: set[int] = set()
    for part in re.split(r"[,;\s]+", re.sub(r"\s*-\s*", "-", text.strip())):
        match = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?", part)
        if match is None:
            raise StepsError(f"{text!r} names no step counts; write them like 4, 6, 8, 12 or 4-8.")
        found.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    if not found or not 1 <= min(found) <= max(found) <= MOST_STEPS or len(found) > MOST_COUNTS:
        raise StepsError(
            f"{text!r} must name 1 to {MOST_COUNTS} step counts, each from 1 to {MOST_STEPS}."
        )
    return sorted(found)


def named(text: str) -> list[str]:
    """The scheduler names in a text, one a line or separated by commas, each once."""
    return list(dict.fromkeys(name.strip() for name in re.split(r"[,\n]", text) if name.strip()))


def mistake(schedulers: str, steps: str) -> str | None:
    """What is wrong with the two texts whatever the model, as a sentence; None where nothing is."""
    import comfy.samplers

    from ..scheduler.sigmas import PUBLISHED, STOCK

    known = dict.fromkeys([*STOCK, *PUBLISHED, *comfy.samplers.SCHEDULER_NAMES, OURS])
    unknown = [name for name in named(schedulers) if name not in known]
    if unknown:
        return f"Scheduler {unknown[0]!r} is unknown; use some of: {', '.join(known)}."
    try:
        step_counts(steps)
    except StepsError as problem:
        return str(problem)
    return None


def most_calls(names: list[str], sampler: str, counts: list[int], seeds: int) -> int:
    """The most model calls of a comparison of these schedules ([]: of all) on whatever model: its plan's,
    where every schedule has every step count."""
    from ..scheduler.evidence.plan import calls_of

    stock = RELATIVE if sampler == OURS else sampler
    names = names or [OURS, *most_schedules()]
    runs = {name: sampler if name == OURS else stock for name in names}
    drawn = sum(calls_of(each, steps) for each in runs.values() for steps in counts)
    return seeds * (2 * NODES + drawn)


def most_schedules() -> list[str]:
    """The stock schedules, with the published tables of the kind of model that has most of them."""
    from ..scheduler.sigmas import STOCK, flow_table, published_for, sd_table

    kinds = (flow_table(3.0), sd_table())
    return [*STOCK, *max((published_for(each) for each in kinds), key=len)]


@dataclass
class Results:
    """errors: {schedule: {steps: (seeds,) RMS distances from the teacher's end}}. ends: {schedule:
    {steps: the first noise's latent, or None where it did not stay finite}}. teacher: its end of
    the first noise. seconds: {schedule: {steps: of one picture}}. second: the name of a second
    model's runs, of which there are more step counts. text: the table and what it says."""

    sampler: str
    steps: list[int]
    seeds: int
    name: str
    teacher: object
    errors: dict[str, dict[int, np.ndarray]] = field(default_factory=dict)
    ends: dict[str, dict[int, object]] = field(default_factory=dict)
    seconds: dict[str, dict[int, float]] = field(default_factory=dict)
    second: str | None = None
    text: str = ""

    def rms(self, name: str, steps: int) -> float | None:
        """The error of a schedule over all noises; None where it has none or did not stay finite."""
        errors = self.errors[name].get(steps)
        value = None if errors is None else float(np.sqrt(np.mean(np.square(errors))))
        return value if value is not None and np.isfinite(value) else None

    def ranked(self) -> list[str]:
        """The schedules, ours first, then the best by their mean log error over the step counts."""
        return sorted(self.errors, key=lambda name: (name != OURS, self._score(name)))

    def _score(self, name: str) -> float:
        found = [self.rms(name, steps) for steps in self.errors[name] if steps in self.steps]
        return float(
            np.mean([np.log(max(each, 1e-12)) if each is not None else 30.0 for each in found])
        )


class Contest:
    """Who takes part, checked before the model is called.

    Raises UnknownNameError, and what `lookup.find` says of a record that is no good for this model.
    """

    def __init__(
        self,
        scene,
        sampler: str,
        steps: list[int],
        schedulers: str,
        seeds: int,
        seed: int,
        record=None,
        second=None,
    ):
        from ..scheduler.distilling.request import checked_samplers
        from ..scheduler.samplers.stock import check_sampler
        from .host.guider_facts import facts_under
        from .host.model_facts import guidance_of
        from .second_model import SecondModel

        if sampler != OURS:
            checked_samplers(sampler)
            check_sampler(sampler)  # no stochastic one: it has no trajectory to be compared by
        self.scene, self.sampler, self.steps, self.seeds, self.seed, self.record = (
            scene,
            sampler,
            steps,
            seeds,
            seed,
            record,
        )
        self.stock_sampler = RELATIVE if sampler == OURS else sampler
        self.facts = replace(facts_under(scene.guider), streams=scene.streams)
        self.guidance = guidance_of(scene.guider.original_conds.get("positive"))
        self.notes: list[str] = []
        self.runs: dict[tuple[str, int], Recipe] = {}
        for name in named(schedulers) or self._all():
            self.runs |= self._runs(name)
        self.second = second and SecondModel.of(second, self.facts, steps, self.stock_sampler)
        if not self.runs:
            raise RecipeError(" ".join(["There is nothing to compare.", *self.notes]))

    @property
    def calls(self) -> int:
        """Model calls: the teacher's with its second look, and every schedule's."""
        from ..scheduler.evidence.plan import calls_of

        runs = sum(calls_of(recipe.sampler, recipe.steps) for recipe in self.runs.values())
        second = self.second.calls(self.seeds) if self.second is not None else 0
        return self.seeds * (2 * NODES + runs) + second

    def _all(self) -> list[str]:
        return [OURS, *_known(self.facts, self.steps[0])]

    def _runs(self, name: str) -> dict[tuple[str, int], Recipe]:
        """The runs of one schedule, by (name, steps)."""
        if name == OURS:
            return self._ours()
        runs = {}
        for steps in self.steps:
            try:
                sigmas = self._schedule(self.facts, name, steps)
                runs[name, steps] = Recipe(
                    self.stock_sampler, steps, sigmas[0], sigmas, choice=name
                )
            except ScheduleError as problem:
                self.notes.append(f"{name} has no usable schedule of {steps} steps: {problem}")
        return runs

    def _ours(self) -> dict[tuple[str, int], Recipe]:
        from .lookup import find

        under = {"cfg": self.scene.cfg, "latent_shape": self.scene.shape, "guidance": self.guidance}
        found = {
            steps: find(self.facts, self.sampler, steps, record=self.record, **under)
            for steps in self.steps
        }
        self.notes += where_from(found)
        return {
            (OURS, steps): each.recipe for steps, each in found.items() if each.match is not None
        }

    def _schedule(self, facts, name: str, steps: int) -> np.ndarray:
        """The library's repaired form of the stock schedules, else the host's own; raises
        UnknownNameError and ScheduleError."""
        known = _known(facts, steps)
        return known[name] if name in known else self._host_schedule(name, steps, known)

    def _host_schedule(self, name: str, steps: int, known: Iterable[str]) -> np.ndarray:
        import comfy.samplers

        from ..scheduler.sigmas import check_schedule

        if name not in comfy.samplers.SCHEDULER_NAMES:
            names = [
                *known,
                *(
                    each
                    for each in comfy.samplers.SCHEDULER_NAMES
                    if each not in known and each != OURS
                ),
                OURS,
            ]
            raise UnknownNameError(
                f"Scheduler {name!r} is not known for this model; use some of: {', '.join(names)}."
            )
        sampling = self.scene.patcher.get_model_object("model_sampling")
        sigmas = np.asarray(
            comfy.samplers.calculate_sigmas(sampling, name, steps).cpu(), dtype=np.float64
        )
        if len(sigmas) != steps + 1:
            raise ScheduleError(f"it gives {len(sigmas) - 1} steps.")
        return check_schedule(sigmas)

    def run(self, teller) -> Results:
        """Draw everything inside one sampling call of the guider; a second model in calls of its own."""
        from .host.guider import run

        results, noise, target = run(
            self.scene,
            lambda denoisers: self._drawn(denoisers[0], teller),
            self.facts.sigma_max,
            self.seed,
            None,
            teller.heard,
        )
        if self.second is not None:
            second = self.second.after(results.ranked())
            results.second = second.name
            longest = max(max(each.values()) for each in results.seconds.values())
            second.run(results, noise, target, longest, self._schedule, teller)
        results.text = said(results, self.notes, NODES)
        return results

    def _drawn(self, denoise, teller) -> tuple:
        """(the results, the noise, what the teacher draws from it). Raises DenoiserError for a model
        that answers from memory: what it draws depends on what it was asked before."""
        import torch

        from ..scheduler.denoiser import checked, start_state
        from ..scheduler.distilling.consistency import Twice
        from ..scheduler.distilling.run import EVIDENCE_SEED
        from ..scheduler.rows import noise_for
        from ..scheduler.samplers import sample
        from ..scheduler.samplers.distilled import run_recipe
        from ..scheduler.sigmas import log_snr_grid

        facts, model = self.facts, checked(denoise)
        noise = noise_for(
            self.scene.shape,
            self.seeds,
            self.seed + EVIDENCE_SEED,
            torch.device("cpu"),
            self.facts.noise_scale,
        )
        teller.phase = "teacher"
        grid = log_snr_grid(facts.sigma_min, facts.sigma_max, NODES, facts.process)
        begin = start_state(noise, facts.sigma_max, facts.process)
        target = sample(Twice(model, 2 * NODES - 1), begin, grid, "heun")
        errors_of = _errors_of(facts.streams, noise[0].numel())
        results = Results(self.sampler, self.steps, self.seeds, facts.name, target[:1])
        for (name, steps), recipe in self.runs.items():
            teller.phase = f"{name}, {steps} steps"
            began = time.monotonic()
            try:
                end = run_recipe(model, noise, recipe, facts.process)
                errors = errors_of(end, target)
            except (
                DenoiserError
            ):  # the teacher was answered well: this schedule led the sampler out of all bounds
                end, errors = None, np.full(self.seeds, np.inf)
            seconds = (time.monotonic() - began) / self.seeds
            results.seconds.setdefault(name, {})[steps] = seconds
            results.errors.setdefault(name, {})[steps] = errors
            results.ends.setdefault(name, {})[steps] = None if end is None else end[:1]
        return results, noise, target


def _known(facts, steps: int) -> Mapping[str, np.ndarray]:
    """The stock schedules and published tables of a model, by name."""
    from ..scheduler.sigmas import baselines

    return baselines(facts.table, steps, facts.sigma_min, facts.sigma_max)


def _errors_of(streams, elements: int):
    """What measures rows by their distance: in a latent of several kinds, each counts as much."""
    from ..scheduler.rows import row_errors
    from ..scheduler.streams import Streams

    kinds = Streams.of([(each["name"], each["elements"]) for each in streams or ()], elements)
    return row_errors if kinds is None else kinds.row_errors
