"""A shared first call: at the highest noise the answer hardly depends on the seed.

For one model, prompt, guidance and size the mean over some seeds' first answers stands for another
seed's, so that N + 1 steps cost N calls. It is never done unasked. Measured (benchmarks/first_call.py):
on the bundled flow checkpoint, whose answers spread by .12 of their size, the error falls by a sixth
to a third at 3 to 5 calls a picture and rises from about 6 on, and seeds stay as far apart as they were
to 1 %; on the eps checkpoint, where they spread by .5 at its sigma_max of 14.6, it rises at any number.
"""

from __future__ import annotations

import math

import torch

from ..denoiser import AnyDenoiser, ScalarDenoiser, checked
from ..errors import RecipeError
from .names import DISTILLED, Recipe

LEAST_COUNT = 2  # answers whose spread can be told
MOST_SPREAD = 0.2  # of answers that are worth sharing
MOST_CALLS = 5  # a picture: above, a mean is further off than a step more brings


class SharedFirstAnswer:
    """The mean of first answers D(x, sigma_max) over seeds, of one prompt.

    Whoever keeps it answers for what must not change between them: model, conditioning, guidance
    and size. `count`: how many answers went in. `mean`: one latent (...), float32.
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean: torch.Tensor | None = None
        self._squares = 0.0  # sum over answers of the mean squared distance from their mean

    def add(self, answers: torch.Tensor) -> None:
        """Take in the answers (B, ...) of some rows, one seed each.

        Raises RecipeError for latents of another shape than those before, or not finite.
        """
        self._check(answers)
        for answer in answers.detach().float().cpu():
            self.count += 1
            if self.mean is None:
                self.mean = answer.clone()
                continue
            # Welford's update, so that nothing but the mean is kept
            apart = answer - self.mean
            self.mean += apart / self.count
            self._squares += float((apart * (answer - self.mean)).mean())

    @property
    def spread(self) -> float | None:
        """Standard deviation over seeds, per element, as a share of the mean answer's own size.

        None below LEAST_COUNT answers.
        """
        if self.mean is None or self.count < LEAST_COUNT:
            return None
        size = max(float(self.mean.square().mean()), 1e-30)
        return math.sqrt(max(self._squares, 0.0) / (self.count - 1) / size)

    def pays_at(self, calls: int) -> bool:
        """Whether sharing gains at so many calls a picture, by what was measured.

        False also while too few answers are in to tell.
        """
        return self.spread is not None and self.spread <= MOST_SPREAD and calls <= MOST_CALLS

    def answer_for(self, noise: torch.Tensor) -> torch.Tensor:
        """The mean for every row of noise (B, ...), in its dtype and on its device.

        Raises RecipeError where there is none yet, or for another shape.
        """
        if self.mean is None:
            raise RecipeError("No first answer has been added yet; run one seed without it first.")
        self._check(noise)
        return self.mean.to(noise).expand_as(noise)

    def _check(self, latents: torch.Tensor) -> None:
        shape = tuple(latents.shape[1:])
        if self.mean is not None and shape != tuple(self.mean.shape):
            raise RecipeError(
                f"The first answers so far are of shape {tuple(self.mean.shape)}, this is {shape}; "
                "keep one mean for each size, prompt, guidance and model."
            )
        if not latents.isfinite().all():
            raise RecipeError("A first answer is not finite; leave that run out.")


def takes_first_answer(recipe: Recipe, process: str) -> bool:
    """Whether a recipe may have its first call answered: `distilled`, asked first at its own start."""
    first = recipe.offsets[0] if recipe.offsets else 0.0
    at_one = process == "flow" and recipe.sigmas[0] >= 1
    return (
        recipe.sampler == DISTILLED and recipe.coefficients is not None and (at_one or first == 0)
    )


def answered_first(
    denoise: AnyDenoiser,
    x: torch.Tensor,
    recipe: Recipe,
    process: str,
    answer: torch.Tensor,
) -> ScalarDenoiser:
    """The model with its first call answered from memory; raises RecipeError where that can't be."""
    if not takes_first_answer(recipe, process):
        raise RecipeError(
            f"A shared first answer is for recipes of 'distilled' whose first offset is 0; this is "
            f"one of {recipe.sampler!r}: run it without."
        )
    try:
        given = answer.to(x).expand_as(x)
    except RuntimeError:
        raise RecipeError(
            f"The first answer is of shape {tuple(answer.shape)}, the latents are of "
            f"{tuple(x.shape)}; it must be theirs, or one for every row."
        ) from None
    return _AnsweredFirst(checked(denoise), given)


class _AnsweredFirst(ScalarDenoiser):
    def __init__(self, model: ScalarDenoiser, first: torch.Tensor):
        self.model = model
        self._first: torch.Tensor | None = first

    def __call__(self, x: torch.Tensor, sigma: float) -> torch.Tensor:
        if self._first is not None:
            answer, self._first = self._first, None
            return answer.clone()
        self.calls += len(x)
        return self.model(x, sigma)
