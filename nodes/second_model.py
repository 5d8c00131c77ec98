"""A second MODEL in a comparison, as it is used: with a step cache, a LoRA for few steps, and the like.
Its runs are timed, so that they can be compared at equal seconds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..scheduler.errors import DenoiserError
from ..scheduler.learning.full_run import SCHEDULES
from ..scheduler.lookup.key import same_scale
from ..scheduler.lookup.step_caches import named_caches
from ..scheduler.record import Recipe
from .host.guider import Guided, parts_of
from .host.step_caches import maker_of, step_caches
from .names import DISTILLED
from .page.compare_report import AS_LONG

LONGER = (1.0, 1.5, 2.0, 3.0)  # times a step count: a step cache makes so many steps as short
UNNAMED = "second model"


@dataclass(frozen=True)
class SecondModel:
    """scene: the second MODEL's guider, what is on it left on. counts: its step counts, ascending.
    sampler, schedule: what draws with it. title: what is on it."""

    scene: Guided
    facts: Any
    counts: tuple[int, ...]
    sampler: str
    schedule: str
    title: str = UNNAMED

    @classmethod
    def of(cls, scene: Guided, first: Any, steps: Sequence[int], sampler: str) -> SecondModel:
        """first: the facts of the MODEL that it is compared with. Raises DenoiserError for a model of
        another kind."""
        from .host.model_facts import facts_of

        facts = facts_of(scene.patcher)
        if facts.process != first.process or not same_scale(facts, first):
            raise DenoiserError(
                "The second model draws from another kind of noise than the first, so that nothing "
                "can be compared; connect the same model with a LoRA or a step cache on it."
            )
        if len(parts_of(scene.samples)) > 1:
            raise DenoiserError(
                "A second model cannot be compared on a video with sound; disconnect it."
            )
        title = _title(scene.patcher, facts, first)
        return cls(scene, facts, _counts(steps), sampler, SCHEDULES[facts.process], title)

    def after(self, ranked: Sequence[str]) -> SecondModel:
        """The same with the stock schedule that was best on the first model, if any ran: in its
        favour."""
        best = next((name for name in ranked if name != DISTILLED), self.schedule)
        return replace(self, schedule=best)

    @property
    def name(self) -> str:
        """What is on it, and its schedule."""
        return f"{self.title}, {self.schedule}"

    def calls(self, seeds: int) -> int:
        """The most model calls: each run, and one more to load the model."""
        from ..scheduler.evidence.plan import calls_of

        whole = sum(calls_of(self.sampler, steps) for steps in self.counts)
        return seeds * whole + self.scene.batch * calls_of(self.sampler, self.counts[0])

    def run(self, results, noise, target, longest: float, schedule, teller) -> None:
        """Draw every count, until one takes longer than the longest run of the first model, and put
        errors, ends and seconds into the results. noise, target: (seeds, ...). schedule: sigmas of a
        name and a step count."""
        parts, name = noise.split(self.scene.batch), self.name
        for steps in self.counts:
            teller.phase = f"{name}, {steps} steps"
            sigmas = schedule(self.facts, self.schedule, steps)
            recipe = Recipe(self.sampler, steps, sigmas[0], sigmas, choice=self.schedule)
            if steps == self.counts[0]:
                self._drawn(recipe, parts[0], teller)  # the first run of a model loads it
            seconds = self._add(results, recipe, parts, target, teller)
            if seconds > longest * AS_LONG and steps >= results.steps[-1]:
                break

    def _add(self, results, recipe: Recipe, parts, target, teller) -> float:
        """Seconds a picture."""
        import torch

        drawn = [self._drawn(recipe, part, teller) for part in parts]
        end = torch.cat([each for each, _ in drawn])
        seconds = sum(took for _, took in drawn) / len(end)
        errors = (end - target).float().flatten(1).square().mean(1).sqrt().double().numpy()
        finite = np.where(np.isfinite(errors), errors, np.inf)
        name, steps = self.name, recipe.steps
        results.errors.setdefault(name, {})[steps] = finite
        results.seconds.setdefault(name, {})[steps] = seconds
        if steps in results.steps:
            shown = end[:1] if np.isfinite(errors[0]) else None
            results.ends.setdefault(name, {})[steps] = shown
        return seconds

    def _drawn(self, recipe: Recipe, noise, teller) -> tuple[Any, float]:
        """(the end (rows, ...) on the CPU, the seconds of its model calls) of a sampling call of its
        own, as the user's would be: step caches begin anew with each."""
        import comfy.model_management
        import comfy.samplers
        import torch

        from ..scheduler.denoiser import start_state
        from ..scheduler.samplers.k_diffusion import run_in_host

        found = []

        def second_model_picture(model, x, sigmas, extra_args=None, callback=None, disable=None):
            def denoise(x, sigma):
                comfy.model_management.throw_exception_if_processing_interrupted()
                drawn = model(x, sigma, **(extra_args or {}))
                teller.heard(len(x), drawn, float(sigma.flatten()[0]))
                return drawn

            begin = start_state(noise, recipe.sigmas[0], self.facts.process).to(x)
            began = time.monotonic()
            end = run_in_host(recipe, self.facts.process, denoise, begin, None, True)
            found.append((end.float().cpu(), time.monotonic() - began))  # cpu waits for the device
            return end

        samples = self.scene.samples[: len(noise)]
        mask = self.scene.latent.get("noise_mask")
        self.scene.guider.sample(
            noise,
            samples,
            comfy.samplers.KSAMPLER(second_model_picture),
            torch.tensor(recipe.sigmas, dtype=torch.float32),
            denoise_mask=mask,
            disable_pbar=True,
            seed=0,
        )
        end, seconds = found[0]
        return end, seconds


def _title(patcher: Any, facts: Any, first: Any) -> str:
    """What the second MODEL has that the first has not: step caches, LoRAs by their files, and what
    other nodes hung in, by their makers."""
    from .host.running_prompt import SECOND, loras_before, running_node

    loras = [name for name, _ in loras_before(running_node(), SECOND)]
    known = {each["name"] for each in first.patches}
    others = [each["name"] for each in facts.patches if each["name"] not in known]
    caches = step_caches(patcher)
    hung = [maker_of(name) for name in others if ": " in name]
    hung = [name for name in hung if name not in caches and not named_caches([name])]
    mine = [name for name in loras if name not in [each for each, _ in first.loras]]
    return ", ".join(dict.fromkeys([*caches, *mine, *hung])) or UNNAMED


def _counts(steps: Sequence[int]) -> tuple[int, ...]:
    """The step counts asked for, and more of them, which a step cache draws as quickly."""
    return tuple(sorted({round(times * each) for each in steps for times in LONGER}))
