"""A Wan 2.1 text-to-video model of one block with seeded random weights, loaded as the stock loader
loads its file."""

from __future__ import annotations

import torch

SIZES = {
    "dim": 128,
    "ffn_dim": 128,
    "num_heads": 1,
    "num_layers": 1,
    "in_dim": 16,
    "out_dim": 16,
    "model_type": "t2v",
}


def tiny_wan(seed: int):
    """A ModelPatcher; the network's size and names are the host's own."""
    import comfy.ops
    import comfy.sd
    from comfy.ldm.wan.model import WanModel

    empty = WanModel(
        **SIZES, device="cpu", dtype=torch.float32, operations=comfy.ops.disable_weight_init
    )
    return comfy.sd.load_diffusion_model_state_dict(seeded(empty, seed))


def seeded(network, seed: int) -> dict[str, torch.Tensor]:
    """Weights of a seed for a network."""
    generator = torch.Generator().manual_seed(seed)
    weights = network.state_dict()
    return {name: _values(name, value, generator) for name, value in weights.items()}


def _values(name: str, like: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    if "norm" in name and name.endswith("weight"):
        return torch.ones(like.shape)
    inputs = like[0].numel() if like.dim() > 1 else 16
    return torch.randn(like.shape, generator=generator) / inputs**0.5
