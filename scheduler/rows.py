"""Rows of latents: their noise, the batches they are asked in, and how far they lie apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from .denoiser import Denoiser


def noise_for(
    shape: Sequence[int], rows: int, seed: int, device: torch.device, noise_scale: float = 1.0
) -> torch.Tensor:
    """Gaussian noise (rows, ...), drawn on the CPU: equal on every machine and device.

    noise_scale: its standard deviation, as the model was trained on it (`Described`).
    """
    noise = torch.randn(rows, *shape, generator=torch.Generator().manual_seed(seed))
    return (noise * noise_scale if noise_scale != 1 else noise).to(device)


def in_batches(denoise: Denoiser, rows: int) -> Denoiser:
    """The denoiser for a multiple of its batch.

    Its rows' conditioning is its own, so it is called for `rows` rows at a time.
    """

    def batched(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        if len(x) <= rows:
            return denoise(x, sigma)
        parts = zip(x.split(rows), sigma.split(rows), strict=True)
        return torch.cat([denoise(part, level) for part, level in parts])

    return batched


def row_errors(end: torch.Tensor, target: torch.Tensor) -> np.ndarray:
    """(B,) float64: the RMS distance per element of each row of `end` (B, ...) from the target's."""
    return (end - target).float().flatten(1).square().mean(1).sqrt().cpu().double().numpy()
