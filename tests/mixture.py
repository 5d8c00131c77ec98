"""The ideal denoiser of an isotropic Gaussian mixture: E[x0 | x] is exact for both parametrisations."""

from __future__ import annotations

import torch


def mixture_denoiser(means, weights, variance: float, parametrisation: str = "flow"):
    """denoise(x, sigma) for x (B, ...) whose elements flatten to the means' dimension; in x's dtype."""
    means, logs = (
        torch.as_tensor(means, dtype=torch.float64),
        torch.as_tensor(weights, dtype=torch.float64).log(),
    )

    def denoise(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        s = sigma.double()[:, None]
        alpha = 1 - s if parametrisation == "flow" else torch.ones_like(s)
        noisy = alpha**2 * variance + s**2
        gap = x.double().flatten(1)[:, None] - alpha[:, None] * means
        share = (logs - gap.square().sum(-1) / (2 * noisy)).softmax(-1)
        each = means + (alpha * variance / noisy)[..., None] * gap
        return (share[..., None] * each).sum(1).reshape(x.shape).to(x.dtype)

    return denoise


def small_mixture(parametrisation: str = "flow", size: int = 8):
    """Five components in `size` dimensions, always the same."""
    rng = torch.Generator().manual_seed(5)
    means = torch.randn(5, size, generator=rng, dtype=torch.float64)
    return mixture_denoiser(means, [0.3, 0.25, 0.2, 0.15, 0.1], 0.05, parametrisation)


def unit_noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(
        *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    ).to(dtype)
