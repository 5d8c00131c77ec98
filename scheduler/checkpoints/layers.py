"""The two operations that both networks share, as the SD family defines them."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def timestep_embedding(timesteps: Tensor, width: int) -> Tensor:
    """Cosines, then sines, of `timesteps` (B,) at width/2 frequencies: (B, width) float32.

    The frequencies fall from 1 to nearly 1/10000. Source: Ho et al. 2020 (arXiv 2006.11239), in the
    order of CompVis' latent diffusion.
    """
    half = width // 2
    frequencies = torch.exp(
        -math.log(10000) * torch.arange(half, dtype=torch.float32, device=timesteps.device) / half
    )
    angles = timesteps.float()[:, None] * frequencies[None]
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


def attention(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """Multi-head softmax attention; q (B, L, C), k and v (B, M, C), answer (B, L, C)."""
    q, k, v = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
