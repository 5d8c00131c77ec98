"""How a pipeline lays its latents out, beside the shape that the UIs know the same latents by."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Layout:
    """shape: one sample's latent, (channels, [frames,] height, width), as the UIs have it. patched:
    whether the pipeline keeps it as a list of 2 x 2 patches, (patches, 4 channels). own: one
    sample's shape as the pipeline keeps it."""

    shape: tuple[int, ...]
    own: tuple[int, ...]
    patched: bool = False

    def packed(self, x: torch.Tensor) -> torch.Tensor:
        """(B, *shape) as the pipeline keeps it, (B, *own)."""
        if not self.patched:
            return x.reshape(len(x), *self.own)
        channels, height, width = self._sides
        x = x.reshape(len(x), channels, height // 2, 2, width // 2, 2)
        return x.permute(0, 2, 4, 1, 3, 5).reshape(len(x), *self.own)

    def unpacked(self, x: torch.Tensor) -> torch.Tensor:
        """(B, *own) as the UIs have it, (B, *shape)."""
        if not self.patched:
            return x.reshape(len(x), *self.shape)
        channels, height, width = self._sides
        x = x.reshape(len(x), height // 2, width // 2, channels, 2, 2)
        return x.permute(0, 3, 1, 4, 2, 5).reshape(len(x), *self.shape)

    @property
    def _sides(self) -> tuple[int, int, int]:
        return self.shape[0], self.shape[-2], self.shape[-1]


def layout_of(
    own: tuple[int, ...],
    height: int | None,
    width: int | None,
    factor: int,
    frame_axis: bool = False,
) -> Layout:
    """The layout of latents that a pipeline keeps as `own` (one sample's shape).

    height, width: of the picture, in pixels; factor: pixels a latent's pixel. frame_axis: whether
    the UIs keep a picture of this model as a video of one frame. What is no list of patches of such
    a picture is left as it is.
    """
    if len(own) != 2 or not height or not width:
        return Layout(own, own)
    tall, wide = 2 * (height // (2 * factor)), 2 * (width // (2 * factor))
    if own[0] != tall * wide // 4 or own[1] % 4:
        return Layout(own, own)
    channels = own[1] // 4
    shape = (channels, 1, tall, wide) if frame_axis else (channels, tall, wide)
    assert math.prod(shape) == math.prod(own)
    return Layout(shape, own, patched=True)
