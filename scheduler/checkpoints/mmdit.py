"""A small MMDiT: the network of Stable Diffusion 3 (Esser et al. 2024, arXiv 2403.03206).

With the key names that ComfyUI reads. Width is 64 per block and one head of 64 per block, because
ComfyUI infers depth, width and heads from the width alone. The patch is 2, the smallest that its
cropping of the position table takes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .layers import attention, timestep_embedding

PATCH = 2
HEAD = 64
FREQUENCIES = 256


def position_table(width: int, side: int) -> Tensor:
    """The fixed 2-D sin-cos table (1, side * side, width).

    Columns' code, then rows' code, a unit per patch.
    """
    omega = 1 / 10000 ** (torch.arange(width // 4, dtype=torch.float64) / (width / 4))
    angles = torch.arange(side, dtype=torch.float64)[:, None] * omega
    code = torch.cat([angles.sin(), angles.cos()], dim=1)
    columns = code.repeat(side, 1)
    rows = code.repeat_interleave(side, dim=0)
    return torch.cat([columns, rows], dim=1)[None].float()


def _modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    return torch.addcmul(shift[:, None], x, 1 + scale[:, None])


def _norm(width: int) -> nn.LayerNorm:
    return nn.LayerNorm(width, eps=1e-6, elementwise_affine=False)


class Embedder(nn.Module):
    """Two linear layers with SiLU between: (B, features) -> (B, width)."""

    def __init__(self, features: int, width: int):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(features, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, x: Tensor) -> Tensor:
        return self.mlp(x)


class Attention(nn.Module):
    """The weights of one stream's share in the joint attention."""

    def __init__(self, width: int, last: bool):
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width)
        if not last:
            self.proj = nn.Linear(width, width)


class Mlp(nn.Module):
    """Four times as wide inside, GELU in its tanh form."""

    def __init__(self, width: int):
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.act = nn.GELU(approximate="tanh")
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.act(self.fc1(x)))


class Stream(nn.Module):
    """One stream (context or picture) of a joint block.

    last: the context of the last block, whose output nobody reads.
    """

    def __init__(self, width: int, last: bool = False):
        super().__init__()
        self.last = last
        self.norm1 = _norm(width)
        self.attn = Attention(width, last)
        if not last:
            self.norm2 = _norm(width)
            self.mlp = Mlp(width)
        self.adaLN_modulation = nn.Sequential(
            nn.SiLU(), nn.Linear(width, (2 if last else 6) * width)
        )

    def before(self, x: Tensor, c: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """q, k and v of x under the modulation that c asks for, and the rest of it, for `after`."""
        modulation = self.adaLN_modulation(c).chunk(2 if self.last else 6, dim=1)
        qkv = self.attn.qkv(_modulate(self.norm1(x), modulation[0], modulation[1]))
        return qkv.chunk(3, dim=-1), modulation[2:]

    def after(self, attended: Tensor, x: Tensor, rest: tuple[Tensor, ...]) -> Tensor:
        """x with the gated attention and the gated MLP added."""
        gate, shift, scale, mlp_gate = rest
        x = x + gate[:, None] * self.attn.proj(attended)
        return x + mlp_gate[:, None] * self.mlp(_modulate(self.norm2(x), shift, scale))


class JointBlock(nn.Module):
    """Both streams, each with its own weights, under one attention over all tokens."""

    def __init__(self, width: int, last: bool):
        super().__init__()
        self.context_block = Stream(width, last)
        self.x_block = Stream(width)

    def forward(self, context: Tensor, x: Tensor, c: Tensor) -> tuple[Tensor | None, Tensor]:
        from_context, context_rest = self.context_block.before(context, c)
        from_x, x_rest = self.x_block.before(x, c)
        q, k, v = (torch.cat(pair, dim=1) for pair in zip(from_context, from_x, strict=True))
        attended = attention(q, k, v, heads=x.shape[-1] // HEAD)
        words = context.shape[1]
        x = self.x_block.after(attended[:, words:], x, x_rest)
        if self.context_block.last:
            return None, x
        return self.context_block.after(attended[:, :words], context, context_rest), x


class FinalLayer(nn.Module):
    """Tokens to patches, under one last modulation."""

    def __init__(self, width: int, channels: int):
        super().__init__()
        self.norm_final = _norm(width)
        self.linear = nn.Linear(width, PATCH * PATCH * channels)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        shift, scale = self.adaLN_modulation(c).chunk(2, dim=1)
        return self.linear(_modulate(self.norm_final(x), shift, scale))


class PatchEmbed(nn.Module):
    """Latent (B, channels, H, W) to tokens (B, H/2 * W/2, width)."""

    def __init__(self, channels: int, width: int):
        super().__init__()
        self.proj = nn.Conv2d(channels, width, PATCH, stride=PATCH)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x).flatten(2).transpose(1, 2)


class MMDiT(nn.Module):
    """The network: from x (B, C, H, W) to the velocity (B, C, H, W).

    timesteps (B,) = 1000 sigma; context (B, L, words); y (B, pooled). H and W are even and at most
    2 * `side`, the side of the position table, of which the middle is used.
    """

    pos_embed: Tensor

    def __init__(
        self, channels: int = 16, depth: int = 2, words: int = 32, pooled: int = 16, side: int = 4
    ):
        super().__init__()
        width = HEAD * depth
        self.channels = channels
        self.side = side
        self.x_embedder = PatchEmbed(channels, width)
        self.t_embedder = Embedder(FREQUENCIES, width)
        self.y_embedder = Embedder(pooled, width)
        self.context_embedder = nn.Linear(words, width)
        table = torch.empty(1, side * side, width)
        # On the meta device only the shape counts, and torch would load its compiler for the sines.
        self.register_buffer("pos_embed", table if table.is_meta else position_table(width, side))
        self.joint_blocks = nn.ModuleList(
            JointBlock(width, last=i == depth - 1) for i in range(depth)
        )
        self.final_layer = FinalLayer(width, channels)

    def forward(self, x: Tensor, timesteps: Tensor, context: Tensor, y: Tensor) -> Tensor:
        h, w = (side // PATCH for side in x.shape[-2:])
        tokens = self.x_embedder(x) + self._positions(h, w)
        time = self.t_embedder(timestep_embedding(timesteps, FREQUENCIES).to(x.dtype))
        c = time + self.y_embedder(y)
        words = self.context_embedder(context)
        for block in self.joint_blocks:
            words, tokens = block(words, tokens, c)
        patches = self.final_layer(tokens, c).unflatten(2, (PATCH, PATCH, -1)).unflatten(1, (h, w))
        return torch.einsum("nhwpqc->nchpwq", patches).reshape(x.shape)

    def _positions(self, h: int, w: int) -> Tensor:
        top = (self.side - h) // 2
        left = (self.side - w) // 2
        table = self.pos_embed.unflatten(1, (self.side, self.side))
        return table[:, top : top + h, left : left + w].flatten(1, 2)
