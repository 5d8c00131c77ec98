"""A loaded model's weights as its file has them, though LoRAs may be baked into the live ones; and
those LoRAs."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..scheduler.errors import CheckpointError
from ..scheduler.fingerprint import Fingerprint, fingerprint_file, fingerprint_tensors
from ..scheduler.lookup.hooks import hook_names, hook_patches, hook_settings
from ..scheduler.lookup.key import patch
from .host import forge_unet

PREFIX = "diffusion_model."


def fingerprint_of(model: Any) -> Fingerprint | None:
    """Who a loaded model is: its file's values where the file has the live weights' names, else the
    live ones; None for an unknown."""
    live, stored = _live(model), _stored(model)
    if stored is not None and (live is None or live.structure == stored.structure):
        return stored  # whatever other extensions have done to the live weights
    return live or stored


def patches_of(model: Any, named: Sequence[tuple[str, float]] | None = None) -> tuple[dict, ...]:
    """What changes a model now, as keys and records carry it: its LoRAs, in order of their names. named:
    (name, strength) of others than are loaded, which are known by these alone.

    And what other extensions hang into it (FreeU, ControlNet), on hosts that say so.
    """
    hooks = getattr(forge_unet(model), "model_options", None) or {}
    names = (*hook_names(hooks), *_forwards(model))
    loras = _loras(model) if named is None else tuple(map(_named, named))
    return (*loras, *hook_patches(names, hook_settings(hooks)))


def _named(lora: tuple[str, float]) -> dict:
    """A LoRA that is not loaded: which weights it changes is not known."""
    return {"name": lora[0], "strength": lora[1]}


def _forwards(model: Any) -> tuple[str, ...]:
    """What stands in the place of the diffusion model's own `forward`, as ControlNet does on A1111."""
    diffusion = getattr(getattr(model, "model", None), "diffusion_model", None)
    taken = vars(diffusion).get("forward") if diffusion is not None else None
    return () if taken is None else (f"forward: {getattr(taken, '__module__', 'unknown')}",)


def lora_names(model: Any) -> tuple[str, ...]:
    """The file names of its LoRAs."""
    return tuple(entry["name"] for entry in _loras(model))


def _loras(model: Any) -> tuple[dict, ...]:
    found = _of_forge(model) if forge_unet(model) is not None else _of_a1111()
    entries = [
        patch(name, strength, sorted(map(_plain, keys))) for name, strength, keys in found if keys
    ]
    return tuple(sorted(entries, key=lambda entry: (entry["name"], entry["strength"])))


def original_weights(model: Any) -> dict[str, Any]:
    """{name: tensor} of the diffusion model; what a LoRA was baked into is taken from the host's
    own backups."""
    unet = forge_unet(model)
    if unet is not None:
        kept = getattr(
            getattr(unet, "lora_loader", unet), "backup", {}
        )  # reForge's patcher keeps them itself
        kept = {name: getattr(entry, "weight", entry) for name, entry in kept.items()}
        live = unet.model.diffusion_model.state_dict()
        return {PREFIX + name: kept.get(PREFIX + name, tensor) for name, tensor in live.items()}
    diffusion = model.model.diffusion_model
    return {
        PREFIX + name: tensor
        for name, tensor in (diffusion.state_dict() | _backups(diffusion)).items()
    }


def _backups(diffusion: Any) -> dict[str, Any]:
    """What A1111 keeps beside the layers that it has baked a LoRA into."""
    found = {}
    for name, layer in diffusion.named_modules():
        for part in ("weight", "bias"):
            kept = getattr(
                layer, f"network_{'weights' if part == 'weight' else 'bias'}_backup", None
            )
            if isinstance(kept, tuple):  # of attention that torch keeps in one layer
                found |= {f"{name}.in_proj_{part}": kept[0], f"{name}.out_proj.{part}": kept[1]}
            elif hasattr(kept, "shape") and getattr(layer, part, None) is not None:
                found[f"{name}.{part}"] = kept
    return found


def _live(model: Any) -> Fingerprint | None:
    try:
        return fingerprint_tensors(original_weights(model))
    except (
        CheckpointError,
        AttributeError,
        RuntimeError,
        TypeError,
        ValueError,
    ):  # of weights in some new wrapping
        return None


def _stored(model: Any) -> Fingerprint | None:
    try:
        return fingerprint_file(model.sd_checkpoint_info.filename)
    except CheckpointError:
        return None


def _of_forge(model: Any) -> Iterator[tuple[str, float, Iterable[str]]]:
    patches = getattr(forge_unet(model), "lora_patches", None)
    if patches is not None:
        for (file, strength, *_), entries in patches.items():
            yield Path(str(file)).stem, float(strength), list(entries)
        return
    for file, strength, *_ in _listed(
        getattr(model, "current_lora_hash", "")
    ):  # reForge: which and how strong, not where
        yield Path(str(file)).stem, float(strength), [Path(str(file)).stem]


def _listed(text: Any) -> list:
    """reForge's account of its LoRAs: a list of [file, strength, strength of the text encoder] as text."""
    try:
        found = ast.literal_eval(str(text))
        return [entry for entry in found if isinstance(entry, (list, tuple)) and len(entry) >= 2]
    except (ValueError, SyntaxError, TypeError):
        return []


def _of_a1111() -> Iterator[tuple[str, float, Iterable[str]]]:
    networks = sys.modules.get("networks")
    for network in getattr(networks, "loaded_networks", []):
        keys = [key for key in getattr(network, "modules", {}) if key.startswith("diffusion_model")]
        yield str(network.name), float(getattr(network, "unet_multiplier", 1.0)), keys


def _plain(key: str) -> str:
    """A weight's name in the spelling that both hosts can be brought to."""
    return key.removesuffix(".weight").replace(".", "_")
