"""What was asked of `distill`, checked: every mistake is found before the first model call."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..denoiser import Denoiser
from ..errors import (
    BudgetError,
    DenoiserError,
    ScheduleError,
    SigmaRangeError,
    StepsError,
    UnknownNameError,
)
from ..record import SAME_START
from ..record.schema import MAX_RECIPES
from ..rows import noise_for
from ..samplers import check_sampler, ode_sampler_for
from ..samplers.names import DISTILLABLE, ON_PATHS, VE_ONLY, without_gpu
from ..sigmas.noise_range import NoiseRange
from ..sigmas.noise_table import NoiseTable, check_range, table_for
from ..streams import Streams

MOST_STEPS = 1000


@dataclass(frozen=True)
class Request:
    """One distillation: the denoisers (a trajectory set each), the model's range, and the recipes wanted."""

    denoisers: tuple[Denoiser, ...]
    latent_shape: tuple[int, ...]
    sigma_max: float
    sigma_min: float
    process: str
    samplers: tuple[str, ...]
    steps: tuple[int, ...]
    table: NoiseTable
    seed: int
    start_sigma: float
    noise_scale: float = 1.0
    streams: Streams | None = None

    def noise(self, rows: int, seed: int, device: torch.device) -> torch.Tensor:
        """(rows, ...): what the model's runs begin with, over their first sigma."""
        noise = noise_for(self.latent_shape, rows, seed, device, self.noise_scale)
        return noise if self.streams is None else self.streams.weigh(noise)

    def weighed(self, denoise: Denoiser) -> Denoiser:
        """A denoiser of the model's latents as one of those that are distilled on."""
        return denoise if self.streams is None else self.streams.denoiser(denoise)

    @property
    def fitted(self) -> tuple[str, ...]:
        """The samplers that have a trajectory to imitate."""
        return tuple(name for name in self.samplers if name not in ON_PATHS)

    @property
    def on_paths(self) -> tuple[str, ...]:
        """The stochastic ones, of which schedules are measured."""
        return tuple(name for name in self.samplers if name in ON_PATHS)

    @property
    def noise_range(self) -> NoiseRange:
        return NoiseRange(self.process, self.sigma_min, self.sigma_max, self.noise_scale)


def request_of(
    denoise: Denoiser | Sequence[Denoiser],
    latent_shape: Sequence[int],
    sigma_max: float,
    sigma_min: float,
    parametrisation: str,
    samplers: Sequence[str] | str,
    steps: Sequence[int] | int,
    shift: float | None,
    seed: int,
    start_sigma: float | None = None,
    noise_scale: float | None = None,
    streams: Sequence[Mapping] | None = None,
) -> Request:
    """The request of `distill`'s arguments; raises SigmaRangeError, UnknownNameError, StepsError,
    DenoiserError or ScheduleError."""
    check_range(sigma_min, sigma_max, parametrisation)
    names, counts = checked_samplers(samplers), checked_steps(steps)
    for name in names if parametrisation == "flow" else ():
        if name in VE_ONLY:
            raise UnknownNameError(
                f"Sampler {name!r} adds the noise of an eps model, which spoils a flow's pictures; "
                "take 'euler_ancestral' or 'dpmpp_2m_sde' for this model."
            )
    if 2 * len(names) * len(counts) > MAX_RECIPES:  # with and without query offsets
        raise StepsError(
            f"A record holds at most {MAX_RECIPES} recipes; "
            f"ask for fewer than {len(counts)} step counts at a time."
        )
    shape, denoisers = checked_shape(latent_shape), checked_denoisers(denoise)
    parts = [(each["name"], each["elements"]) for each in streams or ()]
    kinds = Streams.of(parts, math.prod(shape))
    if kinds is not None:
        denoisers = tuple(kinds.denoiser(each) for each in denoisers)
    return Request(
        denoisers,
        shape,
        float(sigma_max),
        float(sigma_min),
        parametrisation,
        names,
        counts,
        table_for(sigma_min, sigma_max, parametrisation, shift),
        operator.index(seed),
        checked_start(start_sigma, sigma_min, sigma_max),
        1.0 if noise_scale is None else float(noise_scale),
        kinds,
    )


def checked_start(start_sigma: float | None, sigma_min: float, sigma_max: float) -> float:
    """Where recipes begin; raises SigmaRangeError outside the model's range."""
    if start_sigma is None or abs(start_sigma / sigma_max - 1) <= SAME_START:
        return float(sigma_max)
    if not sigma_min < start_sigma < sigma_max:
        raise SigmaRangeError(
            f"Recipes cannot start at sigma {start_sigma:.6g}; this model's noise goes from "
            f"{sigma_min:.6g} to {sigma_max:.6g}."
        )
    return float(start_sigma)


def checked_denoisers(denoise: Denoiser | Sequence[Denoiser]) -> tuple[Denoiser, ...]:
    """One callable or several as a tuple; raises DenoiserError for anything else."""
    denoisers = (
        tuple(denoise) if isinstance(denoise, Sequence) and not callable(denoise) else (denoise,)
    )
    if not denoisers or not all(callable(each) for each in denoisers):
        raise DenoiserError(
            "denoise must be a callable denoise(x, sigma) -> x0, or a list of at least one of them."
        )
    return denoisers


def checked_samplers(samplers: Sequence[str] | str) -> tuple[str, ...]:
    """The sampler names, each once and in the order given, a stochastic one without _gpu; raises
    UnknownNameError for none, an unknown one or one that cannot be measured."""
    try:
        asked = [samplers] if isinstance(samplers, str) else samplers
        names = tuple(dict.fromkeys(map(_settled, asked)))
    except TypeError as error:
        raise UnknownNameError(
            f"samplers must be a list of names; got {samplers!r}. Use some of: {', '.join(DISTILLABLE)}."
        ) from error
    if not names:
        raise UnknownNameError(
            f"No sampler was asked for; name at least one of: {', '.join(DISTILLABLE)}."
        )
    for name in names:
        if name in DISTILLABLE:
            continue
        if ode_sampler_for(name):  # stochastic, and not to be measured
            check_sampler(name)
        else:
            raise UnknownNameError(
                f"Sampler {name!r} is unknown; use one of: {', '.join(DISTILLABLE)}."
            )
    return names


def _settled(name: str) -> str:
    return without_gpu(name) if without_gpu(name) in ON_PATHS else name


def checked_steps(steps: Sequence[int] | int) -> tuple[int, ...]:
    """The step counts, ascending, each once; raises StepsError unless all lie between 1 and MOST_STEPS."""
    try:
        counts = sorted(
            {
                operator.index(n)
                for n in ([steps] if isinstance(steps, (int, np.integer)) else steps)
            }
        )
    except TypeError as error:
        raise StepsError(
            f"steps must be whole numbers such as range(4, 13); got {steps!r}."
        ) from error
    if not counts or counts[0] < 1 or counts[-1] > MOST_STEPS:
        raise StepsError(
            f"steps must be one or more whole numbers from 1 to {MOST_STEPS}; got {counts or 'none'}."
        )
    return tuple(counts)


def checked_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """One sample's latent shape; raises ScheduleError unless all sizes are positive."""
    try:
        sizes = tuple(operator.index(size) for size in shape)
    except TypeError as error:
        raise ScheduleError(
            f"latent_shape must be one sample's sizes such as (16, 64, 64); got {shape!r}."
        ) from error
    if not sizes or min(sizes) < 1:
        raise ScheduleError(
            f"latent_shape must be one sample's positive sizes such as (16, 64, 64); got {sizes}."
        )
    return sizes


def checked_budget(budget: int, what: str = "budget") -> int:
    """A whole number of model calls, 0 or more; raises BudgetError."""
    try:
        calls = operator.index(budget)
    except TypeError as error:
        raise BudgetError(f"The {what} must be a whole number; got {budget!r}.") from error
    if calls < 0:
        raise BudgetError(f"The {what} must not be negative; got {calls}.")
    return calls


def checked_samples(samples: int | None) -> int | None:
    """Rows per trajectory set, or None; raises BudgetError unless it is a whole number above 0."""
    if samples is not None and checked_budget(samples, "number of samples") < 1:
        raise BudgetError(
            "The number of samples must be at least 1, or None for as many as the budget allows."
        )
    return samples
