"""Records the trajectory that recipes imitate: many steps of a high-order solver, kept as inner products."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from ..denoiser import AnyDenoiser, Reporting, start_state
from ..errors import UnknownNameError
from ..samplers import sample, sample_linear
from ..samplers.adams3 import adams3_rule
from ..search.gram import Gram, gram_of
from ..sigmas import check_schedule

SOLVERS = ("adams3", "heun", "dpmpp_2m", "euler")
KEEP_BYTES = 512 << 20  # most memory for one set's vectors unless states are asked for
SUBSET_SEED = 0


@dataclass(frozen=True)
class Teacher:
    """One recorded trajectory set.

    sigmas: (T + 1,) float64. gram: its inner products. states: x_0..x_T and predictions:
    D_0..D_{T-1}, each of the noise's shape, on the CPU (float32, or float64 when the noise was), or
    None. end: x_T on the noise's device. model_calls: what it cost.
    """

    sigmas: np.ndarray
    gram: Gram
    states: list[torch.Tensor] | None
    predictions: list[torch.Tensor] | None
    end: torch.Tensor
    model_calls: int

    @property
    def vectors(self) -> list[torch.Tensor]:
        """x_0..x_T and D_0..D_{T-1}, where they were kept."""
        return [*(self.states or ()), *(self.predictions or ())]


def record_teacher(
    denoise: AnyDenoiser,
    noise: torch.Tensor,
    grid,
    process: str,
    solver: str = "heun",
    keep_states: bool = False,
    elements: int | None = None,
    on_call: Callable[[int], None] | None = None,
) -> Teacher:
    """Walk unit Gaussian `noise` (B, ...) down `grid` (T + 1 descending sigmas ending in 0), the
    whole batch at a time.

    The step to 0 is Euler's, so that x_T = D_{T-1}. Heun spends 2T - 1 model calls a row, adams3
    (`adams.py`, as exact with half the calls), dpmpp_2m and euler T. `elements`: how many latent elements
    of each row enter the inner products (the same seeded choice in every row; the Gram of a choice
    of pixels is still a Gram matrix, positive semidefinite and unbiased). None takes all, or,
    unless states are kept, as many as KEEP_BYTES holds: memory then grows with neither rows, nodes
    nor latent size. `on_call` hears the number of model calls made so far after each evaluation,
    and may raise to stop.

    Raises ScheduleError, UnknownNameError (solver, process) and DenoiserError.
    """
    if solver not in SOLVERS:
        raise UnknownNameError(
            f"Teacher solver {solver!r} is unknown; use one of: {', '.join(SOLVERS)}."
        )
    sigmas = check_schedule(grid)
    model = Reporting(denoise, on_call)
    recorder = _Recorder(noise, len(sigmas) - 1, keep_states, elements)
    start = start_state(noise, float(sigmas[0]), process)
    if solver == "adams3":
        end = sample_linear(model, start, sigmas, recorder.step, adams3_rule(process))
    else:
        end = sample(model, start, sigmas, solver, callback=recorder.step)
    recorder.finish(end)
    return Teacher(sigmas, gram_of(sigmas, recorder.vectors), *recorder.kept(), end, model.calls)


class _Recorder:
    """Copies states and predictions to the CPU as the solver passes them: what enters the Gram, and
    all of them if asked."""

    def __init__(self, noise: torch.Tensor, steps: int, keep_states: bool, elements: int | None):
        self.shape, self.steps = noise.shape, steps
        self.dtype = torch.float64 if noise.dtype == torch.float64 else torch.float32
        size, count = noise[0].numel(), 2 * steps + 1
        if elements is None:
            room = KEEP_BYTES // (count * noise.shape[0] * self.dtype.itemsize)
            elements = size if keep_states else room
        elements = max(1, min(elements, size))
        self.keep_states = keep_states
        self.chosen = _subset(size, elements).to(noise.device) if elements < size else None
        self.vectors = torch.empty(count, noise.shape[0], elements, dtype=self.dtype)
        self.whole = self.vectors if self.chosen is None else None
        if keep_states and self.whole is None:
            self.whole = torch.empty(count, noise.shape[0], size, dtype=self.dtype)

    def step(self, i: int, x: torch.Tensor, denoised: torch.Tensor) -> None:
        self._keep(i, x)
        self._keep(self.steps + 1 + i, denoised)

    def finish(self, end: torch.Tensor) -> None:
        self._keep(self.steps, end)

    def kept(self) -> tuple[list[torch.Tensor] | None, list[torch.Tensor] | None]:
        """(states, predictions) in the noise's shape, or (None, None)."""
        if not self.keep_states or self.whole is None:
            return None, None
        vectors = [vector.reshape(self.shape) for vector in self.whole]
        return vectors[: self.steps + 1], vectors[self.steps + 1 :]

    def _keep(self, place: int, x: torch.Tensor) -> None:
        flat = x.flatten(1)
        if self.whole is not None:
            self.whole[place] = flat
        if self.chosen is not None:
            self.vectors[place] = flat[:, self.chosen]


def _subset(size: int, elements: int) -> torch.Tensor:
    """The indices, ascending, of a seeded choice of `elements` out of `size`; the same in every process."""
    rng = np.random.Generator(np.random.PCG64(SUBSET_SEED))
    return torch.from_numpy(np.sort(rng.choice(size, elements, replace=False)))
