"""Handwritten digits as a model sees them.

Pictures, latents both ways, and the class as conditioning tensors. The data are scikit-learn's
`load_digits`: 1,797 pictures of 8x8 from the test set of UCI's Optical Recognition of Handwritten
Digits (Alpaydin & Kaynak 1998, CC BY 4.0). Only `load_digits` here needs scikit-learn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import UnknownNameError

CLASSES = 10
NO_CLASS = -1
TOKENS = 2
WORDS = 32
POOLED = 16
# One-hot vectors of this height have a root mean square near 1, as text encoders' vectors do; 4 is
# exact in every float type.
STRENGTH = 4.0
HELD_OUT_EVERY = 6
CONDITIONING_RULE = (
    "Digit c: context (1, 2, 32) is 4 at [0, 0, c] and [0, 1, 16 + c], "
    "pooled (1, 16) is 4 at [0, c], all else is 0; no class: all zeros. "
    'As ComfyUI CONDITIONING: [[context, {"pooled_output": pooled}]]; '
    "ConditioningZeroOut of any digit is the empty prompt. "
    "The eps model reads the context alone."
)


def load_digits() -> tuple[Tensor, Tensor]:
    """All pictures (1797, 8, 8) in [0, 1] and their classes (1797,)."""
    from sklearn.datasets import load_digits as load

    data = load()
    pictures = torch.tensor(data.images, dtype=torch.float32) / 16
    return pictures, torch.tensor(data.target, dtype=torch.long)


def held_out(count: int) -> Tensor:
    """Which of `count` pictures training never sees: every sixth, (count,) bool."""
    return torch.arange(count) % HELD_OUT_EVERY == HELD_OUT_EVERY - 1


def render(pictures: Tensor, side: int, generator: torch.Generator | None = None) -> Tensor:
    """Pictures (B, 8, 8) enlarged to (B, side, side), bicubic, in [0, 1].

    With a generator each is also turned by up to 6 degrees, scaled by up to 6 % and moved by up to
    0.3 of its own pixels: enough that no picture is seen twice, too little to change what it shows.
    """
    count = pictures.shape[0]
    if generator is None:
        transforms = torch.eye(2, 3).expand(count, 2, 3)
    else:
        transforms = _jitter(count, generator)
    grid = F.affine_grid(transforms, [count, 1, side, side], align_corners=False)
    enlarged = F.grid_sample(
        pictures[:, None], grid, mode="bicubic", padding_mode="zeros", align_corners=False
    )
    return enlarged[:, 0].clamp(0, 1)


def shrink(pictures: Tensor) -> Tensor:
    """Pictures (B, side, side) averaged back to the data's own (B, 8, 8)."""
    return F.adaptive_avg_pool2d(pictures[:, None], 8)[:, 0]


def _jitter(count: int, generator: torch.Generator) -> Tensor:
    """(count, 2, 3): small random turns, scalings and shifts, as `affine_grid` takes them."""
    turn, growth, right, down = (torch.rand(4, count, generator=generator) * 2 - 1).unbind()
    angle = turn * math.radians(6)
    scale = 1 + 0.06 * growth
    cosine = scale * angle.cos()
    sine = scale * angle.sin()
    # A shift of 0.3 of 8 pixels, in a grid that runs from -1 to 1.
    rows = torch.stack([cosine, -sine, right * 0.075]), torch.stack([sine, cosine, down * 0.075])
    return torch.stack(rows).permute(2, 0, 1)


def dct_matrix(size: int) -> Tensor:
    """The orthonormal DCT-II, (size, size), rows by rising frequency."""
    k = torch.arange(size, dtype=torch.float64)[:, None]
    n = torch.arange(size, dtype=torch.float64)[None]
    rows = torch.cos(math.pi * k * (2 * n + 1) / (2 * size)) * math.sqrt(2 / size)
    rows[0] /= math.sqrt(2)
    return rows.float()


@dataclass(frozen=True)
class Latents:
    """Pictures to latents and back.

    An orthonormal DCT of each block x block square, then (value - mean) / std per channel. Channel
    u * block + v holds vertical frequency u and horizontal frequency v, so the latent has block^2
    channels.
    """

    block: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @staticmethod
    def fitted(pictures: Tensor, block: int) -> Latents:
        """The transform under which these pictures (B, S, S) have mean 0 and deviation 1.

        In every channel.
        """
        plain = Latents(block, (0.0,) * block**2, (1.0,) * block**2).encode(pictures).double()
        mean = plain.mean(dim=(0, 2, 3)).tolist()
        std = plain.std(dim=(0, 2, 3)).tolist()
        return Latents(block, tuple(round(m, 6) for m in mean), tuple(round(s, 6) for s in std))

    def encode(self, pictures: Tensor) -> Tensor:
        """Pictures (B, S, S) in [0, 1] to latents (B, block^2, S / block, S / block)."""
        squares = pictures.unflatten(2, (-1, self.block)).unflatten(1, (-1, self.block))
        dct = dct_matrix(self.block).to(pictures)
        frequencies = torch.einsum("up,vq,nhpwq->nuvhw", dct, dct, squares).flatten(1, 2)
        return (frequencies - self._column(self.mean, pictures)) / self._column(self.std, pictures)

    def decode(self, latents: Tensor) -> Tensor:
        """Latents (B, block^2, h, w) to pictures (B, h * block, w * block) in [0, 1]."""
        frequencies = latents * self._column(self.std, latents) + self._column(self.mean, latents)
        dct = dct_matrix(self.block).to(latents)
        squares = torch.einsum(
            "up,vq,nuvhw->nhpwq", dct, dct, frequencies.unflatten(1, (self.block, self.block))
        )
        return squares.flatten(3, 4).flatten(1, 2).clamp(0, 1)

    def _column(self, values: Sequence[float], like: Tensor) -> Tensor:
        return torch.tensor(values).to(like)[:, None, None]


def conditioning(classes: Tensor) -> tuple[Tensor, Tensor]:
    """Context (B, 2, 32) and pooled (B, 16), float32, of classes (B,): 0 to 9, or NO_CLASS.

    CONDITIONING_RULE says what is where. Raises UnknownNameError for other classes.
    """
    if not bool(((classes >= NO_CLASS) & (classes < CLASSES)).all()):
        raise UnknownNameError(
            f"Classes are the digits 0 to 9, or {NO_CLASS} for none; got {classes.tolist()}."
        )
    known = classes >= 0
    one_hot = F.one_hot(classes.clamp(min=0), POOLED).float() * known[:, None] * STRENGTH
    context = torch.zeros(classes.shape[0], TOKENS, WORDS, device=classes.device)
    context[:, 0, :POOLED] = one_hot
    context[:, 1, POOLED:] = one_hot
    return context, one_hot
