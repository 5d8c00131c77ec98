"""A run of our own samplers, recorded as a host's is: for tests and measurements."""

from __future__ import annotations

import torch

from ..denoiser import AnyDenoiser
from ..samplers import sample
from ..sigmas import check_schedule
from ..sigmas.validity import Sigmas
from .recording import Recording


def record_run(
    denoise: AnyDenoiser,
    x: torch.Tensor,
    sigmas: Sigmas,
    sampler: str,
    parametrisation: str,
    **about,
) -> Recording:
    """Draw with one of SAMPLERS from x (B, ...) at sigmas[0] and return the recording.

    about: seed, name and prompt of `Recording`. Raises what `sample` does.
    """
    levels = check_schedule(sigmas)
    recording = Recording(x.shape[1:], parametrisation, sampler, **about)

    def listen(i: int, x: torch.Tensor, denoised: torch.Tensor) -> None:
        recording.step(x, levels[i], denoised)

    recording.finish(sample(denoise, x, levels, sampler, listen))
    return recording
