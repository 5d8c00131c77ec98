"""A small UNet of the Stable Diffusion 1.x type (Rombach et al. 2021, arXiv 2112.10752).

With the key names of the LDM code. Two levels, one residual block each; transformers with
cross-attention at the inner level only, where their cost on a CPU is small; eight heads, as in
SD1.x, so that a host needs no more than another `model_channels` and `context_dim` to run it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .layers import attention, timestep_embedding

GROUPS = 32
HEADS = 8


class ResBlock(nn.Module):
    """Two 3x3 convolutions with the noise level's embedding added between them."""

    def __init__(self, channels: int, embedding: int, out: int):
        super().__init__()
        self.in_layers = nn.Sequential(
            nn.GroupNorm(GROUPS, channels), nn.SiLU(), nn.Conv2d(channels, out, 3, padding=1)
        )
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding, out))
        # The identity keeps the convolution's index, 3, that dropout gives it in the published key
        # names.
        self.out_layers = nn.Sequential(
            nn.GroupNorm(GROUPS, out), nn.SiLU(), nn.Identity(), nn.Conv2d(out, out, 3, padding=1)
        )
        self.skip_connection = nn.Identity() if channels == out else nn.Conv2d(channels, out, 1)

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        h = self.in_layers(x) + self.emb_layers(emb)[:, :, None, None]
        return self.skip_connection(x) + self.out_layers(h)


class CrossAttention(nn.Module):
    """Attention of x over `context`, or over itself."""

    def __init__(self, width: int, context: int):
        super().__init__()
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k = nn.Linear(context, width, bias=False)
        self.to_v = nn.Linear(context, width, bias=False)
        self.to_out = nn.Sequential(nn.Linear(width, width))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        return self.to_out(attention(self.to_q(x), self.to_k(context), self.to_v(context), HEADS))


class GatedLinear(nn.Module):
    """GEGLU (Shazeer 2020, arXiv 2002.05202)."""

    def __init__(self, width: int, inside: int):
        super().__init__()
        self.proj = nn.Linear(width, 2 * inside)

    def forward(self, x: Tensor) -> Tensor:
        values, gate = self.proj(x).chunk(2, dim=-1)
        return values * F.gelu(gate)


class FeedForward(nn.Module):
    """Four times as wide inside, gated.

    The identity stands where the published key names have dropout.
    """

    def __init__(self, width: int):
        super().__init__()
        self.net = nn.Sequential(
            GatedLinear(width, 4 * width), nn.Identity(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class TransformerBlock(nn.Module):
    """Self-attention, cross-attention over the context, feed-forward.

    Each on the normalised input and added to it.
    """

    def __init__(self, width: int, context: int):
        super().__init__()
        self.attn1 = CrossAttention(width, width)
        self.attn2 = CrossAttention(width, context)
        self.ff = FeedForward(width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.norm3 = nn.LayerNorm(width)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        n = self.norm1(x)
        x = x + self.attn1(n, n)
        x = x + self.attn2(self.norm2(x), context)
        return x + self.ff(self.norm3(x))


class SpatialTransformer(nn.Module):
    """A transformer block over the pixels of a feature map (B, C, H, W)."""

    def __init__(self, channels: int, context: int):
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, channels, eps=1e-6)
        self.proj_in = nn.Conv2d(channels, channels, 1)
        self.transformer_blocks = nn.ModuleList([TransformerBlock(channels, context)])
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        tokens = self.proj_in(self.norm(x)).flatten(2).transpose(1, 2)
        for block in self.transformer_blocks:
            tokens = block(tokens, context)
        return x + self.proj_out(tokens.transpose(1, 2).unflatten(2, x.shape[-2:]))


class Downsample(nn.Module):
    """Half the size, by a strided convolution."""

    def __init__(self, channels: int):
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.op(x)


class Upsample(nn.Module):
    """Twice the size, by repeating pixels, then a convolution."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Block(nn.ModuleList):
    """Layers in a row, each given what its kind takes."""

    def forward(self, x: Tensor, emb: Tensor, context: Tensor) -> Tensor:
        for layer in self:
            if isinstance(layer, ResBlock):
                x = layer(x, emb)
            elif isinstance(layer, SpatialTransformer):
                x = layer(x, context)
            else:
                x = layer(x)
        return x


class UNet(nn.Module):
    """The network: from x (B, C, H, W), scaled to unit variance, to the noise (B, C, H, W).

    timesteps (B,); context (B, L, words); H and W are even.
    """

    def __init__(self, channels: int = 4, width: int = 64, inner: int = 64, words: int = 32):
        super().__init__()
        self.channels = channels
        self.width = width
        emb = 4 * width
        self.time_embed = nn.Sequential(nn.Linear(width, emb), nn.SiLU(), nn.Linear(emb, emb))
        self.input_blocks = nn.ModuleList(
            [
                Block([nn.Conv2d(channels, width, 3, padding=1)]),
                Block([ResBlock(width, emb, width)]),
                Block([Downsample(width)]),
                Block([ResBlock(width, emb, inner), SpatialTransformer(inner, words)]),
            ]
        )
        self.middle_block = Block(
            [
                ResBlock(inner, emb, inner),
                SpatialTransformer(inner, words),
                ResBlock(inner, emb, inner),
            ]
        )
        self.output_blocks = nn.ModuleList(
            [
                Block([ResBlock(2 * inner, emb, inner), SpatialTransformer(inner, words)]),
                Block(
                    [
                        ResBlock(inner + width, emb, inner),
                        SpatialTransformer(inner, words),
                        Upsample(inner),
                    ]
                ),
                Block([ResBlock(inner + width, emb, width)]),
                Block([ResBlock(width + width, emb, width)]),
            ]
        )
        self.out = nn.Sequential(
            nn.GroupNorm(GROUPS, width), nn.SiLU(), nn.Conv2d(width, channels, 3, padding=1)
        )

    def forward(self, x: Tensor, timesteps: Tensor, context: Tensor) -> Tensor:
        emb = self.time_embed(timestep_embedding(timesteps, self.width).to(x.dtype))
        kept = []
        for block in self.input_blocks:
            x = block(x, emb, context)
            kept.append(x)
        x = self.middle_block(x, emb, context)
        for block in self.output_blocks:
            x = block(torch.cat([x, kept.pop()], dim=1), emb, context)
        return self.out(x)
