"""The distilled sampler, and running a recipe: what every host does with the numbers of a record.

One step is x_next = Euler + c1 (D_0 - D_1) + c2 (D_1 - D_2) + c3 (s - s_next)/s (x - D_0) + c4 D_0,
with D_0 the newest prediction and D_1, D_2 those before it (the family of S4S, arXiv 2502.17423; USF,
2312.07243; DC-Solver, 2409.03755).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch

from ..denoiser import AnyDenoiser, checked, start_state
from ..errors import RecipeError
from ..sigmas.validity import Floats, Sigmas, check_schedule
from .first_answer import answered_first
from .multistep import combine
from .names import DISTILLED, Recipe, stock_sampler
from .query_offsets import ask, with_offsets
from .stock import Callback, sample

PAST = 3  # predictions a step may use: the newest and two before it
Number = TypeVar("Number", float, np.ndarray)


def step_weights(
    row: Sequence[Number], sigma: Number | float, s_next: Number | float, predictions: int
) -> list[Number]:
    """[a, b0, b1, b2][: 1 + predictions] with x_next = a x + b0 D_0 + b1 D_1 + b2 D_2.

    row: [c1, c2, c3, c4], numbers or arrays of one shape, as the sigmas may be; those that lack their
    predictions are left out.
    """
    c1, c2, c3, c4 = row
    c1 = c1 * (predictions > 1)
    c2 = c2 * (predictions > 2)
    ratio = s_next / sigma
    move = 1 - ratio
    return [ratio + c3 * move, move + c1 - c3 * move + c4, c2 - c1, -c2][: 1 + predictions]


def run_recipe(
    denoise: AnyDenoiser,
    noise: torch.Tensor,
    recipe: Recipe,
    process: str,
    callback: Callback | None = None,
    first_answer: torch.Tensor | None = None,
) -> torch.Tensor:
    """Sample with a recipe from unit Gaussian noise (B, ...).

    Returns the clean latent, of the noise's shape, dtype and device. first_answer: in place of the
    first model call (first_answer.py), (B, ...) or one for all rows, (1, ...) or (...). Raises
    RecipeError for a recipe whose numbers don't fit its schedule, or that can do without no call,
    and DenoiserError.
    """
    x = start_state(noise, recipe.sigmas[0], process)
    if first_answer is not None:
        denoise = answered_first(denoise, x, recipe, process, first_answer)
    return run_from(denoise, x, recipe, process, callback)


def run_from(
    denoise: AnyDenoiser,
    x: torch.Tensor,
    recipe: Recipe,
    process: str,
    callback: Callback | None = None,
) -> torch.Tensor:
    """The same from a state x (B, ...) at the recipe's first sigma, as hosts hand it over."""
    if recipe.sampler == DISTILLED and recipe.coefficients is not None:
        return sample_distilled(
            denoise,
            x,
            recipe.sigmas,
            recipe.coefficients,
            recipe.offsets,
            process,
            callback,
        )
    if recipe.offsets:
        denoise = with_offsets(denoise, recipe.sigmas, recipe.offsets, process)
    return sample(denoise, x, recipe.sigmas, stock_sampler(recipe), callback)


@torch.no_grad()
def sample_distilled(
    denoise: AnyDenoiser,
    x: torch.Tensor,
    sigmas: Sigmas,
    coefficients: Sequence[Floats] | np.ndarray | torch.Tensor,
    offsets: Floats | torch.Tensor | None = None,
    process: str = "flow",
    callback: Callback | None = None,
) -> torch.Tensor:
    """The distilled sampler: from x (B, ...) at sigmas[0] to the clean latent.

    N model calls a row for N + 1 sigmas. coefficients: N rows [c1, c2, c3, c4]
    (`coefficients.step_weights`); offsets: N numbers or None. The state is kept in float32 (float64
    when x is), the model is called in x's own dtype, and during a call two earlier predictions at
    most are held. callback(k, x, denoised) follows each call. Raises RecipeError, ScheduleError and
    DenoiserError.
    """
    steps = DistilledSteps(sigmas, coefficients)
    levels = steps.levels
    shifts = [0.0] * (len(levels) - 1)
    if offsets is not None:
        shifts = _numbers(offsets, (len(levels) - 1,), "offsets")
    model = checked(denoise)
    dtype = x.dtype
    x = x.to(torch.promote_types(dtype, torch.float32))
    for k, sigma in enumerate(levels[:-1]):
        denoised = ask(model, x.to(dtype), sigma, shifts[k], process)
        if callback is not None:
            callback(k, x, denoised)
        x = steps.next(x, denoised)
    return x.to(dtype)


class DistilledSteps:
    """The sampler one step at a time, for hosts that run the loop themselves.

    sigmas: (N + 1,); coefficients: N rows [c1, c2, c3, c4]. Raises ScheduleError and RecipeError.
    """

    def __init__(
        self, sigmas: Sigmas, coefficients: Sequence[Floats] | np.ndarray | torch.Tensor
    ) -> None:
        self.levels = check_schedule(sigmas).tolist()
        self._rows = _numbers(coefficients, (len(self.levels) - 1, 4), "coefficients")
        self._past: deque[torch.Tensor] = deque(maxlen=PAST - 1)
        self._step = 0

    def next(self, x: torch.Tensor, denoised: torch.Tensor) -> torch.Tensor:
        """The state at the next sigma, of x's dtype, from that at this one and the answer there."""
        k = self._step
        denoised = denoised.to(x.dtype)
        sigma, s_next = self.levels[k : k + 2]
        weights = step_weights(self._rows[k], sigma, s_next, 1 + len(self._past))
        x = combine(weights, [x, denoised, *self._past])
        self._past.appendleft(denoised)
        self._step = k + 1
        return x


def _numbers(values, shape: tuple[int, ...], what: str) -> list:
    """Plain numbers of a recipe, given as lists, an array or a tensor of exactly this shape.

    Raises RecipeError for any other.
    """
    try:
        found = torch.as_tensor(values, dtype=torch.float64, device="cpu")
    except (TypeError, ValueError, RuntimeError):
        found = torch.empty(0)
    if found.shape != shape or not found.isfinite().all():
        raise RecipeError(
            f"A schedule of {shape[0]} steps needs finite {what} of shape {shape}; "
            f"got {len(values)} of another kind or number: "
            "use the numbers of one recipe together."
        )
    return found.tolist()
