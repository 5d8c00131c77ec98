"""The list of sigmas that a model looks its step up in (`transformer_options["sample_sigmas"]`), right
for whatever it is asked at: context windows, scheduled hooks and mean-flow models read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...scheduler.samplers.k_diffusion import SAME_SIGMA
from ...scheduler.samplers.listed_levels import levels_for, listed_levels
from ...scheduler.samplers.names import Recipe

NAME = "sample_sigmas"
RUNGS = 24  # of the ladder that distilling counts its steps on: as many as a picture drawn in full


class Listed:
    """A recipe's steps, by the noise levels that they are asked at."""

    def __init__(self, recipe: Recipe, process: str):
        shifted = recipe.offsets is not None and any(recipe.offsets)
        sigmas, offsets = recipe.sigmas, recipe.offsets
        self._steps = listed_levels(sigmas, offsets, process) if shifted else []

    def options(self, model_options: Mapping, sigma) -> Mapping:
        """Model options for a query at sigma, a tensor of one level a row: as they are where the list
        has that level already."""
        levels = levels_for(self._steps, float(sigma.flatten()[0]), SAME_SIGMA)
        if levels is None:
            return model_options
        return listed_in(model_options, exactly(levels, sigma))

    def arguments(self, extra_args: Mapping, sigma) -> Mapping:
        """The same for the arguments that a sampler hands on."""
        given = extra_args.get("model_options")
        return (
            extra_args
            if given is None
            else {**extra_args, "model_options": self.options(given, sigma)}
        )


def listed_in(model_options: Mapping, levels) -> dict:
    """Model options of their own with this list."""
    inside = {**model_options.get("transformer_options", {}), NAME: levels}
    return {**model_options, "transformer_options": inside}


def exactly(levels: Sequence[float], sigma):
    """Levels as a tensor of sigma's own kind, the one that is asked at equal to it in every digit."""
    import torch

    own = sigma.flatten()[0]
    made = torch.tensor(levels, dtype=own.dtype, device=own.device)
    made[(made - own).abs().argmin()] = own
    return made


class Ladder:
    """The list while distilling, which asks at any level: the model's own clock in RUNGS steps, with
    the asked level in its place.

    The step that is found depends on the level alone, so that a model which goes by its step answers
    as one function of the state and the level. The level after it is another at every second query: a
    model which goes by that too (a flow map, a mean flow) answers the same query in two ways, and is
    refused for it.
    """

    def __init__(self, model_sampling):
        clock = (1 - k / RUNGS for k in range(RUNGS))
        top = float(model_sampling.sigma_max)
        levels = (float(model_sampling.percent_to_sigma(1 - left)) for left in clock)
        self.levels = sorted({min(level, top) for level in levels if level > 0}, reverse=True)

    def around(self, sigma, second: bool = False):
        """The list for a query at sigma, a tensor of one level a row."""
        level = float(sigma.flatten()[0])
        above = [each for each in self.levels if each > level * (1 + SAME_SIGMA)]
        below = [each for each in self.levels if each < level * (1 - SAME_SIGMA)]
        lower = below[len(below) // 2 :] if second else below
        return exactly([*above, level, *lower, 0.0], sigma)
