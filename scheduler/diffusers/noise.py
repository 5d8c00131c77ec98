"""The noise of a pipeline's model, as its scheduler's configuration states it, and the translation
between the library's denoised latents and what such a model is fed and answers.

Levels are those of the UIs for the same models, so that keys and records are one: discrete tables
for eps and v, shifted tables for flow models.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..errors import SigmaRangeError
from ..sigmas.noise_table import NoiseTable, edm_table, flow_table, flux_table

PREDICTIONS = {"epsilon": "eps", "v_prediction": "v", "sample": "x0", "flow_prediction": "flow"}
SVD_RANGE = (0.002, 700.0)  # of EulerDiscreteScheduler's continuous clock, where nothing is stated
FLUX_MU = 1.15
ZERO_SNR = 4.8973451890853435e-08  # the UIs' last alpha, in the place of 0


@dataclass(frozen=True, eq=False)
class PipelineNoise:
    """process: "flow" or "ve". prediction: "flow", "eps", "v", "x0". shift: a flow's linear time
    shift (its mu as e^mu), else None. table: the model's levels. timesteps: what the clock counts
    to at a flow's sigma 1. continuous: whether the clock is a quarter of log sigma.
    """

    process: str
    prediction: str
    shift: float | None
    table: NoiseTable
    timesteps: int = 1000
    continuous: bool = False

    def timestep(self, sigma: float) -> float:
        """What the model is told of a noise level: for discrete tables the place between two
        entries, by log sigma; for flow models sigma times the training timesteps."""
        if self.process == "flow":
            return sigma * self.timesteps
        if self.continuous:
            return 0.25 * math.log(sigma)
        levels = np.log(self.table.sigmas)
        return float(np.interp(math.log(sigma), levels, np.arange(len(levels))))

    def sigma(self, timestep: float) -> float:
        """The noise level of a timestep: the inverse of `timestep`."""
        if self.process == "flow":
            return timestep / self.timesteps
        if self.continuous:
            return math.exp(4 * timestep)
        if timestep == int(timestep):  # an entry itself, without the logarithm's rounding
            return float(self.table.sigmas[int(timestep)])
        return float(self.table.sigma(timestep))

    def fed(self, x: torch.Tensor, sigma: float) -> torch.Tensor:
        """The model's input for a state: of eps and v models scaled to unit variance."""
        return x if self.process == "flow" else x / math.sqrt(sigma**2 + 1)

    def denoised(self, answer: torch.Tensor, x: torch.Tensor, sigma: float) -> torch.Tensor:
        """The clean latent that an answer to the state x (B, ...) stands for."""
        if self.prediction == "v":
            return x / (sigma**2 + 1) - answer * (sigma / math.sqrt(sigma**2 + 1))
        if self.prediction == "x0":
            return answer
        return x - sigma * answer  # eps, and a flow's velocity

    def noisy(self, clean: torch.Tensor, noise: torch.Tensor, sigma: float) -> torch.Tensor:
        """A clean latent with so much noise."""
        if self.process == "flow":
            return (1 - sigma) * clean + sigma * noise
        return clean + sigma * noise


def noise_of(
    config: Mapping[str, Any], class_name: str = "", mu: float | None = None
) -> PipelineNoise:
    """The noise that a scheduler's configuration states.

    class_name: the scheduler's. mu: of a dynamic shift, for all sizes (default: the configuration's
    max_shift, which is what the UIs use for FLUX at every size). Raises SigmaRangeError for a kind
    that is not known.
    """
    prediction = str(config.get("prediction_type") or "epsilon")
    flow = class_name.startswith("FlowMatch") or bool(config.get("use_flow_sigmas"))
    if flow or prediction == "flow_prediction":
        return _flow_noise(config, mu)
    if prediction not in PREDICTIONS or class_name.startswith("EDM"):
        kind = class_name or "this scheduler"
        raise SigmaRangeError(
            f"The noise of this pipeline ({kind}, {prediction}) is not known; expected a model of "
            "eps, v, x0 or flow."
        )
    if config.get("timestep_type") == "continuous":
        low = float(config.get("sigma_min") or SVD_RANGE[0])
        high = float(config.get("sigma_max") or SVD_RANGE[1])
        return PipelineNoise(
            "ve", PREDICTIONS[prediction], None, edm_table(low, high), continuous=True
        )
    table = NoiseTable(_levels(config), "ve")
    return PipelineNoise("ve", PREDICTIONS[prediction], None, table)


def _flow_noise(config: Mapping[str, Any], mu: float | None) -> PipelineNoise:
    timesteps = int(config.get("num_train_timesteps") or 1000)
    if config.get("use_dynamic_shifting"):
        mu = float(config.get("max_shift") or FLUX_MU) if mu is None else mu
        exponential = config.get("time_shift_type", "exponential") == "exponential"
        log_shift = mu if exponential else math.log(mu)
        return PipelineNoise("flow", "flow", math.exp(log_shift), flux_table(log_shift), timesteps)
    shift = config.get("flow_shift") if "flow_shift" in config else config.get("shift")
    shift = float(shift or 1.0)
    return PipelineNoise("flow", "flow", shift, flow_table(shift), timesteps)


def _levels(config: Mapping[str, Any]) -> np.ndarray:
    """The discrete table, ascending, of betas as diffusers makes them."""
    kept = np.cumprod(1 - _betas(config))
    if config.get("rescale_betas_zero_snr"):
        root = np.sqrt(kept)
        root = (root - root[-1]) * root[0] / (root[0] - root[-1])
        kept = root**2
        kept[-1] = ZERO_SNR
    return np.sqrt((1 - kept) / kept)


def _betas(config: Mapping[str, Any]) -> np.ndarray:
    if config.get("trained_betas") is not None:
        return np.asarray(config["trained_betas"], dtype=np.float64)
    count = int(config.get("num_train_timesteps") or 1000)
    schedule = config.get("beta_schedule") or "linear"
    first = float(config.get("beta_start") or 0.0001)
    last = float(config.get("beta_end") or 0.02)
    if schedule == "scaled_linear":
        return np.linspace(first**0.5, last**0.5, count) ** 2
    if schedule == "linear":
        return np.linspace(first, last, count)
    if schedule == "squaredcos_cap_v2":
        clock = np.cos((np.arange(count + 1) / count + 0.008) / 1.008 * np.pi / 2) ** 2
        return np.minimum(1 - clock[1:] / clock[:-1], 0.999)
    raise SigmaRangeError(
        f"The betas of this pipeline ({schedule!r}) are not known; "
        "expected linear, scaled_linear or squaredcos_cap_v2."
    )
