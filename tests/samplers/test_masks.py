"""What a mask keeps of a picture comes out as it was, whatever the coefficients of a recipe."""

from __future__ import annotations

import pytest
import torch

from scheduler.record import Recipe
from scheduler.samplers.k_diffusion import run_in_host

SIGMAS = (1.0, 0.8, 0.5, 0.2, 0.0)
ROWS = (
    (0.0, 0.0, 0.3, 0.04),
    (0.2, 0.0, 0.1, -0.03),
    (0.1, 0.2, -0.2, 0.02),
    (0.3, -0.1, 0.4, 0.05),
)


def masked(mask, original, noise):
    """As ComfyUI's inpainting asks: the state noised anew and the answer replaced where the mask is 0."""

    def denoise(x, sigma):
        s = float(sigma[0])
        x = x * mask + ((1 - s) * original + s * noise) * (1 - mask)
        return torch.tanh(2 * x) * mask + original * (1 - mask)

    return denoise


@pytest.mark.parametrize("coefficients", [ROWS, None])
def test_what_is_kept_is_the_original(coefficients):
    generator = torch.Generator().manual_seed(0)
    original, noise = torch.randn(2, 2, 4, 4, 4, generator=generator)
    mask = torch.zeros(2, 1, 4, 4)
    mask[..., 2:] = 1
    recipe = Recipe("distilled", 4, 1.0, SIGMAS, None, coefficients)
    model = masked(mask, original, noise)
    drawn = run_in_host(recipe, "flow", model, noise, disable=True, mask=mask)
    assert torch.equal(drawn[..., :2], original[..., :2])
    free = run_in_host(recipe, "flow", model, noise, disable=True)
    assert torch.equal(drawn[..., 2:], free[..., 2:])
    if coefficients:
        assert not torch.allclose(free[..., :2], original[..., :2], atol=1e-2)
