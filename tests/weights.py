"""Made-up models: seeded weights with a real model's kind of names, files of them, and records and
keys for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from scheduler.fingerprint import fingerprint_tensors
from scheduler.lookup.key import Key
from scheduler.record import Conditions, Model, Recipe, Record, now
from scheduler.search.gram import gram_of
from scheduler.sigmas import log_snr_grid


def weights(seed: int = 0, blocks: int = 12, width: int = 24) -> dict[str, torch.Tensor]:
    """{name: tensor} in float32, without prefixes: a convolution, and `blocks` of matrices with
    biases and norms."""
    generator = torch.Generator().manual_seed(seed)

    def random(*shape):
        return 0.05 * torch.randn(shape, generator=generator)

    found = {
        "input_blocks.0.0.weight": random(width, 4, 3, 3),
        "input_blocks.0.0.bias": random(width),
    }
    for k in range(blocks):
        found |= {
            f"blocks.{k}.attn.qkv.weight": random(3 * width, width),
            f"blocks.{k}.attn.qkv.bias": random(3 * width),
        }
        found |= {
            f"blocks.{k}.mlp.fc.weight": random(4 * width, width),
            f"blocks.{k}.norm.weight": 1 + random(width),
        }
    return found


def prefixed(tensors: dict, prefix: str = "model.diffusion_model.") -> dict:
    return {prefix + name: tensor for name, tensor in tensors.items()}


def cast(tensors: dict, dtype: torch.dtype) -> dict:
    return {name: tensor.to(dtype) for name, tensor in tensors.items()}


def record_of(
    tensors: dict | None = None, samplers=("euler",), start: float = 1.0, **changes
) -> Record:
    """A small record of a flow model; changes go to its Conditions, sigma_min and sigma_max to its model."""
    prints = fingerprint_tensors(tensors) if tensors else None
    about = {"fingerprint": prints.id, "samples": prints.samples} if prints else {}
    under = {
        "cfg": 4.0,
        "latent_shape": (16, 64, 64),
        "seed": 0,
        "name": "Made Up",
        "shift": 3.0,
        **about,
        **changes,
    }
    ends = {"sigma_min": under.pop("sigma_min", 0.003), "sigma_max": under.pop("sigma_max", 1.0)}
    conditions = Conditions(**under)
    model = Model.of(conditions, "flow", **ends)
    recipes = [
        Recipe(sampler, n, start, np.linspace(start, 0, n + 1))
        for sampler in samplers
        for n in (4, 6)
    ]
    teacher = {"solver": "heun", "nodes": 12, "grid": "log_snr", "samples": 2}
    provenance = {"version": "0.1.0", "created": now(), "model_calls": 10}
    return Record(model, conditions, teacher, tuple(recipes), {}, provenance)


def asked(record: Record, sampler: str | None = "euler", **changes) -> Key:
    """The key of someone who uses just the record's model and conditions, but for the changes."""
    return replace(Key.of(record, sampler), **changes)


def smooth_gram(nodes: int = 16):
    """Inner products of a made-up smooth trajectory of two rows."""
    sigmas = log_snr_grid(0.003, 1.0, nodes, "flow")
    generator = torch.Generator().manual_seed(0)
    end, noise = torch.randn(2, 64, generator=generator), torch.randn(2, 64, generator=generator)
    curve = torch.tensor(sigmas, dtype=torch.float32)[:, None, None]
    states, predictions = (1 - curve) * end + curve * noise, end + 0.1 * curve[:-1] * noise
    return gram_of(sigmas, torch.cat([states, predictions]))
