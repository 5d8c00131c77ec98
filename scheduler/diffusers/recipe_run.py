"""One run of a recipe in the hands of a pipeline, which keeps the loop and the latents."""

from __future__ import annotations

import torch

from ..record import Recipe
from ..samplers.names import RELATIVE
from ..samplers.query_offsets import asked_sigma
from ..samplers.stepping import steps_of
from .noise import PipelineNoise


class RecipeRun:
    """A recipe's steps, from the first to the last.

    asked: the noise level of each query, offsets included; the pipeline's timesteps. begin: the
    step to begin with; a run that begins later than the first has no fitted numbers, and is run by
    the rule of RELATIVE on the sigmas that are left. Raises RecipeError for a sampler that cannot
    be run one call a step.

    A flow model asked at another sigma than the sampler's must see the state rescaled
    (query_offsets.py), and flow pipelines feed it what the scheduler handed over: so that is handed
    over, and the sampler's own state kept here, in float32 at least.
    """

    def __init__(self, recipe: Recipe, noise: PipelineNoise, begin: int = 0):
        self.noise, self.begin = noise, begin
        self.levels = recipe.sigmas
        offsets = recipe.offsets or (0.0,) * recipe.steps
        if begin:
            rest = recipe.sigmas[begin:]
            offsets = (0.0,) * recipe.steps
            recipe = Recipe(RELATIVE, len(rest) - 1, rest[0], rest)
        pairs = zip(self.levels[:-1], offsets, strict=True)
        self.asked = [asked_sigma(sigma, offset, noise.process) for sigma, offset in pairs]
        self.done = begin
        self._steps = steps_of(recipe)
        self._state: torch.Tensor | None = None
        self._handed: torch.Tensor | None = None
        self._version: int | None = None

    @property
    def over(self) -> bool:
        """Whether no step is left."""
        return self.done >= len(self.asked)

    def fed(self, sample: torch.Tensor) -> torch.Tensor:
        """The model's input for a state (B, ...)."""
        return self.noise.fed(sample, self.asked[min(self.done, len(self.asked) - 1)])

    def step(self, answer: torch.Tensor, sample: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(what the model sees next, in sample's dtype; the clean latent that its answer means), from
        its answer to `sample`, all (B, ...)."""
        seen = sample.to(torch.promote_types(sample.dtype, torch.float32))
        denoised = self.noise.denoised(answer.to(seen.dtype), seen, self.asked[self.done])
        x = self._steps.next(self._own_state(sample, seen), denoised)
        self.done += 1
        handed = (x * self._ratio()).to(sample.dtype)
        self._state, self._handed, self._version = x, handed, _version(handed)
        return handed, denoised

    def _own_state(self, sample: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """What was kept, unless somebody changed what was handed over."""
        untouched = sample is self._handed and _version(sample) == self._version
        if untouched and self._state is not None:
            return self._state
        return seen / self._ratio()

    def _ratio(self) -> float:
        """What the model sees over the sampler's own state; 1 at the start, which the pipeline makes."""
        if self.noise.process != "flow" or self.over or self.done == self.begin:
            return 1.0
        return (1 - self.asked[self.done]) / (1 - self.levels[self.done])


def _version(tensor: torch.Tensor) -> int | None:
    """How often a tensor was written to; None where torch does not count."""
    return None if tensor.is_inference() else tensor._version
