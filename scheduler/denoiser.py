"""What a model is to StepDistill: `denoise(x, sigma) -> x0`, checked and counted."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike

from .errors import DenoiserError, UnknownNameError

PROCESSES = ("flow", "ve")


class Denoiser(Protocol):
    """What a user hands in: predicts the clean latent from a noisy one.

    x has shape (B, ...); sigma has shape (B,), in the host's noise units (k-diffusion's
    convention); the answer has x's shape. Guidance, conditioning and patches are inside.
    """

    def __call__(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor: ...


class ScalarDenoiser(ABC):
    """What the samplers ask: a denoiser that takes sigma as one number for the whole batch.

    `calls` counts model calls: it grows by the batch size at each evaluation (a model call is one
    evaluation for one sample).
    """

    calls = 0

    @abstractmethod
    def __call__(self, x: torch.Tensor, sigma: float) -> torch.Tensor: ...


AnyDenoiser = Denoiser | ScalarDenoiser  # `checked` makes a ScalarDenoiser of either


class Checked(ScalarDenoiser):
    """Wraps a denoiser and refuses bad answers.

    Raises DenoiserError, naming the sigma, for an answer of another type, shape or kind of dtype,
    or not finite.
    """

    def __init__(self, denoise: Denoiser):
        self.denoise = denoise

    def __call__(self, x: torch.Tensor, sigma: float) -> torch.Tensor:
        sigmas = torch.full((x.shape[0],), float(sigma), dtype=torch.float32, device=x.device)
        with torch.no_grad():
            denoised = self.denoise(x, sigmas)
        self.calls += x.shape[0]
        _check_answer(denoised, x, float(sigma))
        return denoised.to(x.dtype)


class Reporting(ScalarDenoiser):
    """Tells a listener its model calls so far after each evaluation.

    It counts from 0, also where the model inside counts for others.
    """

    def __init__(self, denoise: AnyDenoiser, on_call: Callable[[int], None] | None):
        self.model = checked(denoise)
        self.on_call = on_call

    def __call__(self, x: torch.Tensor, sigma: float) -> torch.Tensor:
        denoised = self.model(x, sigma)
        self.calls += x.shape[0]
        if self.on_call is not None:
            self.on_call(self.calls)
        return denoised


def checked(denoise: AnyDenoiser) -> ScalarDenoiser:
    """The denoiser as a model; one that is a model already is returned, so that counts add up."""
    return denoise if isinstance(denoise, ScalarDenoiser) else Checked(denoise)


def guided(conditional: Denoiser, unconditional: Denoiser, cfg: float) -> Denoiser:
    """Classifier-free guidance: D = D_uncond + cfg (D_cond - D_uncond).

    Source: Ho & Salimans, arXiv 2207.12598.
    """
    if cfg == 1:
        return conditional

    def denoise(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        free = unconditional(x, sigma)
        return free + cfg * (conditional(x, sigma) - free)

    return denoise


def start_state(noise: torch.Tensor, sigma: float, process: str) -> torch.Tensor:
    """The state at the first sigma for unit Gaussian noise over an empty latent.

    It is sigma * noise in both processes.
    """
    check_process(process)
    return noise * sigma


def half_log_snr(sigmas: ArrayLike, process: str) -> np.ndarray:
    """lambda(sigma): log((1 - s) / s) for flow, -log s for VE; of sigmas' shape, float64.

    +inf at sigma 0, -inf at a flow's sigma 1.
    """
    check_process(process)
    s = np.asarray(sigmas, dtype=np.float64)
    with np.errstate(divide="ignore"):
        if process == "flow":
            return np.log1p(-s) - np.log(s)
        return -np.log(s)


def sigma_at(half_log_snr_values: ArrayLike, process: str) -> np.ndarray:
    """The inverse of `half_log_snr`."""
    check_process(process)
    lam = np.asarray(half_log_snr_values, dtype=np.float64)
    if process == "flow":
        return 1 / (1 + np.exp(lam))
    return np.exp(-lam)


def check_process(process: str) -> None:
    """Raise UnknownNameError unless the process is one of PROCESSES."""
    if process not in PROCESSES:
        known = ", ".join(PROCESSES)
        raise UnknownNameError(f"Parametrisation {process!r} is unknown; use one of: {known}.")


def _check_answer(denoised: object, x: torch.Tensor, sigma: float) -> None:
    at = f"at sigma {sigma:.6g}"
    if not isinstance(denoised, torch.Tensor):
        raise DenoiserError(
            f"The denoiser returned a {type(denoised).__name__} {at}; "
            f"it must return a tensor of shape {tuple(x.shape)}."
        )
    if denoised.shape != x.shape:
        raise DenoiserError(
            f"The denoiser returned shape {tuple(denoised.shape)} {at}; "
            f"it must return x's own shape {tuple(x.shape)}."
        )
    if not denoised.is_floating_point():
        raise DenoiserError(
            f"The denoiser returned {denoised.dtype} {at}; "
            f"it must return a floating-point tensor such as {x.dtype}."
        )
    # The largest magnitude is not finite exactly when some value is not.
    if not math.isfinite(float(denoised.float().abs().amax())):
        cure = "check the model's precision (try float32 or bfloat16) and its sigma range"
        raise DenoiserError(f"The denoiser returned NaN or infinite values {at}; {cure}.")
