"""How far rows of latents lie apart."""

from __future__ import annotations

import numpy as np
import torch


def row_errors(end: torch.Tensor, target: torch.Tensor) -> np.ndarray:
    """(B,) float64: the RMS distance per element of each row of `end` (B, ...) from the target's."""
    return (end - target).float().flatten(1).square().mean(1).sqrt().cpu().double().numpy()
