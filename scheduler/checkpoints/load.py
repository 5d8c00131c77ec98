"""Loads a checkpoint file into a denoiser, without a host.

Safetensors only; every key and shape is checked.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ..denoiser import Denoiser
from ..errors import CheckpointError, SigmaRangeError
from ..files import read_bytes
from ..sigmas.noise_table import flow_table, sd_table
from . import digits
from .mmdit import HEAD, MMDiT
from .unet import UNet

PREFIX = "model.diffusion_model."
BUNDLED = {name: Path(__file__).with_name(f"{name}.safetensors") for name in ("flow", "eps")}
LARGEST_FILE = 64 * 2**20
WIDEST = 1024
# Parametrisation and prediction of the two kinds.
FLOW = ("flow", "flow")
EPS = ("ve", "eps")


@lru_cache
def sd_sigmas() -> Tensor:
    """Stable Diffusion's 1000 noise levels, rising, float64."""
    return torch.tensor(sd_table().sigmas)


def nearest_timestep(sigma: Tensor) -> Tensor:
    """The index (B,) of the table's noise level nearest to sigma (B,) in log sigma.

    In float32, as SD's hosts round it.
    """
    table = sd_sigmas().log().float().to(sigma.device)
    return (sigma.float().log()[:, None] - table).abs().argmin(dim=1)


@dataclass(frozen=True)
class Checkpoint:
    """A loaded model of handwritten digits.

    name; parametrisation "flow" or "ve"; prediction "flow" or "eps"; shift (flow only, else None);
    sigma_min and sigma_max of the model's own table; latent_shape (C, H, W); metadata, what the
    file says of itself; model, the network in float32.
    """

    name: str
    parametrisation: str
    prediction: str
    shift: float | None
    sigma_min: float
    sigma_max: float
    latent_shape: tuple[int, int, int]
    metadata: dict
    model: MMDiT | UNet
    latents: digits.Latents
    device: torch.device

    def denoiser(self, classes: Tensor, cfg: float = 1.0) -> Denoiser:
        """denoise(x (B, C, H, W), sigma (B,)) -> x0 with row i asked for class classes[i].

        classes: 0..9, or -1 for none. D = D_free + cfg (D_class - D_free), both in one batch of 2B;
        at cfg 1 only the class is evaluated (B).
        """
        none = torch.full_like(classes, digits.NO_CLASS)
        asked = digits.conditioning(classes.to(self.device))
        both = digits.conditioning(torch.cat([classes, none]).to(self.device))

        def denoise(x: Tensor, sigma: Tensor) -> Tensor:
            if cfg == 1:
                return self.predict(x, sigma, *asked)
            answers = self.predict(torch.cat([x, x]), torch.cat([sigma, sigma]), *both)
            with_class, free = answers.chunk(2)
            return free + cfg * (with_class - free)

        return denoise

    @torch.no_grad()
    def predict(self, x: Tensor, sigma: Tensor, context: Tensor, pooled: Tensor) -> Tensor:
        """D(x, sigma) under conditioning tensors, in x's dtype, computed in float32.

        x - sigma v (flow) or x - sigma eps.
        """
        wide = x.float()
        s = sigma.float()[:, None, None, None]
        if isinstance(self.model, MMDiT):
            output = self.model(wide, sigma.float() * 1000, context, pooled)
        else:
            output = self.model(wide / (s**2 + 1).sqrt(), nearest_timestep(sigma).float(), context)
        return (wide - s * output).to(x.dtype)

    def decode(self, latents: Tensor) -> Tensor:
        """Latents (B, C, H, W) to pictures (B, height, width) in [0, 1]."""
        return self.latents.decode(latents)


def load_checkpoint(path: str | Path, device: str | torch.device = "cpu") -> Checkpoint:
    """The checkpoint in a file, or a bundled one by its name, "flow" or "eps".

    Raises CheckpointError when the file cannot be read, is not safetensors, or is not one of the
    two layouts.
    """
    file = BUNDLED.get(str(path), Path(path))
    tensors, metadata = _read(file)
    model = _build(tensors, file).to(device=device, dtype=torch.float32)
    try:
        return _described(model, metadata, torch.device(device))
    except (KeyError, TypeError, ValueError, OverflowError, SigmaRangeError) as problem:
        raise CheckpointError(
            f"{file.name} has incomplete or mistyped StepDistill metadata ({problem!r}); "
            "make it again."
        ) from problem


def _read(path: Path) -> tuple[dict[str, Tensor], dict]:
    data = read_bytes(path, LARGEST_FILE, CheckpointError)
    try:
        tensors = load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    except (SafetensorError, KeyError, ValueError, RecursionError) as problem:
        raise CheckpointError(
            f"{path.name} is not a safetensors file ({problem}); no other format is ever loaded."
        ) from problem
    try:
        return tensors, dict(json.loads(header["__metadata__"]["stepdistill"]))
    except (KeyError, TypeError, ValueError, RecursionError) as problem:
        raise CheckpointError(
            f"{path.name} has no StepDistill metadata; "
            "use a bundled checkpoint, or one that train.py made."
        ) from problem


class _Unfilled(TorchFunctionMode):
    """Leaves a layer's first, random weights out. Tensors without memory have no use for them, and torch
    would load its compiler (a second and more) to draw them."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if getattr(function, "__name__", "") in ("uniform_", "normal_", "kaiming_uniform_"):
            return args[0] if args else kwargs["tensor"]
        return function(*args, **(kwargs or {}))


def _build(tensors: dict[str, Tensor], path: Path) -> MMDiT | UNet:
    weights = {
        key.removeprefix(PREFIX): value for key, value in tensors.items() if key.startswith(PREFIX)
    }
    try:
        # No memory before the shapes are known to fit.
        with torch.device("meta"), _Unfilled():
            model = _empty({key: tuple(value.shape) for key, value in weights.items()})
    except (KeyError, IndexError, ValueError, TypeError, RuntimeError) as problem:
        raise CheckpointError(
            f"{path.name} is of no known layout; "
            "it should be a small SD3-type MMDiT or SD1.x-type UNet."
        ) from problem
    _check(weights, model.state_dict(), path)
    model.load_state_dict(weights, assign=True)
    return model.requires_grad_(False).eval()


def _empty(shapes: dict[str, tuple[int, ...]]) -> MMDiT | UNet:
    """The module that weights of these shapes belong to."""
    if "joint_blocks.0.x_block.attn.qkv.weight" in shapes:
        width, channels = shapes["x_embedder.proj.weight"][:2]
        if width > WIDEST:
            raise ValueError(f"{width} is too wide")
        words = shapes["context_embedder.weight"][1]
        pooled = shapes["y_embedder.mlp.0.weight"][1]
        side = round(shapes["pos_embed"][1] ** 0.5)
        return MMDiT(channels, width // HEAD, words, pooled, side)
    width, channels = shapes["input_blocks.0.0.weight"][:2]
    inner = shapes["middle_block.0.out_layers.3.weight"][0]
    words = shapes["middle_block.1.transformer_blocks.0.attn2.to_k.weight"][1]
    return UNet(channels, width, inner, words)


def _check(weights: dict[str, Tensor], expected: dict[str, Tensor], path: Path) -> None:
    wrong = sorted(weights.keys() ^ expected.keys())
    wrong += [
        key
        for key, value in expected.items()
        if key in weights and weights[key].shape != value.shape
    ]
    wrong += [
        key
        for key, value in weights.items()
        if not (value.is_floating_point() and bool(value.isfinite().all()))
    ]
    if wrong:
        raise CheckpointError(
            f"{path.name} has {len(wrong)} missing, unknown, misshapen or non-finite weights, "
            f"the first {wrong[0]!r}."
        )


def _described(model: MMDiT | UNet, metadata: dict, device: torch.device) -> Checkpoint:
    latent = metadata["latent"]
    kind = FLOW if isinstance(model, MMDiT) else EPS
    if (metadata["parametrisation"], metadata["prediction"]) != kind:
        raise ValueError(f"parametrisation and prediction should be {kind}")
    table = flow_table(float(metadata["shift"])) if kind == FLOW else sd_table()
    latents = digits.Latents(
        int(latent["block"]), tuple(map(float, latent["mean"])), tuple(map(float, latent["std"]))
    )
    shape = tuple(int(size) for size in latent["shape"])
    channels = {len(latents.mean), len(latents.std), latents.block**2, model.channels}
    if len(shape) != 3 or channels != {shape[0]}:
        raise ValueError("the latent transform should have as many channels as the network")
    return Checkpoint(
        name=str(metadata["name"]),
        parametrisation=kind[0],
        prediction=kind[1],
        shift=table.shift,
        sigma_min=table.sigma_min,
        sigma_max=table.sigma_max,
        latent_shape=shape,
        metadata=metadata,
        model=model,
        latents=latents,
        device=device,
    )
