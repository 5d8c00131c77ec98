"""Stock ODE samplers in sigma-space, dx/dsigma = (x - D) / sigma.

As ComfyUI defines them for eps, v, EDM and flow models alike.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np
import torch

from ..denoiser import AnyDenoiser, ScalarDenoiser, checked
from ..errors import UnknownNameError
from ..sigmas.validity import Sigmas, check_schedule, check_steps
from .multistep import LINEAR, LinearRule, combine
from .names import SAMPLERS, ode_sampler_for
from .uni_pc import sample_uni_pc

Callback = Callable[[int, torch.Tensor, torch.Tensor], None]


@torch.no_grad()
def sample(
    denoise: AnyDenoiser,
    x: torch.Tensor,
    sigmas: Sigmas,
    sampler: str,
    callback: Callback | None = None,
) -> torch.Tensor:
    """Run a sampler down a schedule and return the clean latent, of x's shape, dtype and device.

    x: (B, ...) at sigmas[0], so already scaled (`start_state`). sigmas: (N+1,), a valid schedule;
    never written to. callback(i, x, denoised) follows each step's first model call, with what the
    model saw and answered. Raises UnknownNameError, ScheduleError and DenoiserError.
    """
    check_sampler(sampler)
    return _LOOPS[sampler](checked(denoise), x, check_schedule(sigmas), callback)


def model_calls(sampler: str, steps: int) -> int:
    """ScalarDenoiser calls of `steps` steps for one sample.

    As many as steps; heun makes two a step, but one in the last.
    """
    check_sampler(sampler)
    steps = check_steps(steps)
    return 2 * steps - 1 if sampler == "heun" else steps


def check_sampler(name: str) -> None:
    """Raise UnknownNameError unless the name is one of SAMPLERS.

    For a stochastic sampler the error names the one to distil with.
    """
    if name in SAMPLERS:
        return
    ode = ode_sampler_for(name)
    if ode is not None:
        raise UnknownNameError(
            f"Sampler {name!r} is stochastic and has no trajectory; "
            f"distil with the ODE sampler {ode!r} in its place."
        )
    raise UnknownNameError(f"Sampler {name!r} is unknown; use one of: {', '.join(SAMPLERS)}.")


@torch.no_grad()
def sample_linear(
    model: ScalarDenoiser,
    x: torch.Tensor,
    sigmas: np.ndarray,
    callback: Callback | None,
    rule: LinearRule,
) -> torch.Tensor:
    """The loop of every linear multistep rule; sigmas are taken as checked."""
    steps = LinearSteps(rule, sigmas)
    for i, sigma in enumerate(steps.levels[:-1]):
        denoised = model(x, sigma)
        if callback is not None:
            callback(i, x, denoised)
        x = steps.next(x, denoised)
    return x


class LinearSteps:
    """A linear multistep rule one step at a time; sigmas (N + 1,) are taken as checked."""

    def __init__(self, rule: LinearRule, sigmas: np.ndarray):
        self.rule, self.levels = rule, sigmas.tolist()
        self._states: deque[torch.Tensor] = deque(maxlen=rule.states)
        self._predictions: deque[torch.Tensor] = deque(maxlen=rule.order)
        self._step = 0

    def next(self, x: torch.Tensor, denoised: torch.Tensor) -> torch.Tensor:
        """The state at the next sigma, from that at this one and the answer there."""
        self._states.appendleft(x)
        self._predictions.appendleft(denoised)
        self._step += 1
        seen = self.levels[max(self._step - self.rule.order, 0) : self._step]
        a, b = self.rule.weights((self.levels[self._step], *reversed(seen)))
        return combine([*a[: len(self._states)], *b], [*self._states, *self._predictions])


def _sample_heun(
    model: ScalarDenoiser, x: torch.Tensor, sigmas: np.ndarray, callback: Callback | None
) -> torch.Tensor:
    """Heun's method with a plain last step (Karras et al., arXiv 2206.00364, algorithm 1)."""
    for i, (sigma, s_next) in enumerate(pairwise(sigmas.tolist())):
        denoised = model(x, sigma)
        if callback is not None:
            callback(i, x, denoised)
        euler = combine([s_next / sigma, 1 - s_next / sigma], [x, denoised])
        if s_next == 0:
            return euler
        corrected = model(euler, s_next)
        # The mean of the slopes (x - D) / s at both ends of the step, written out.
        first = (s_next - sigma) / 2 / sigma
        second = (s_next - sigma) / 2 / s_next
        x = combine([1 + first, -first, second, -second], [x, denoised, euler, corrected])
    return x


_LOOPS: dict[str, Callable[..., torch.Tensor]] = {
    **{name: partial(sample_linear, rule=rule) for name, rule in LINEAR.items()},
    "heun": _sample_heun,
    "uni_pc": partial(sample_uni_pc, variant="bh1"),
    "uni_pc_bh2": partial(sample_uni_pc, variant="bh2"),
}
