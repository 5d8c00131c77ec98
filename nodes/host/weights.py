"""A model's weights as its file has them, though LoRAs are baked into the live ones; and what
changes them, told apart from them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from ...scheduler.errors import CheckpointError
from ...scheduler.fingerprint import Fingerprint, fingerprint_tensors
from ...scheduler.lookup.hooks import hook_names
from ...scheduler.lookup.key import patch
from ...scheduler.lookup.lora import lora_patch

TELLING = 8  # tensors of a LoRA that its name is made of
RUN = 8  # values of each


def original_weights(model: Any) -> dict[str, Any]:
    """{name: tensor} of a patcher's diffusion model, without its patches: what was baked in is
    taken from the patcher's backups."""
    diffusion = getattr(model.model, "diffusion_model", model.model)
    prefix = "diffusion_model." if diffusion is not model.model else ""
    with model.use_ejected():
        live = {prefix + name: tensor for name, tensor in _held(diffusion).items()}
    kept = {key: entry.weight for key, entry in getattr(model, "backup", {}).items()}
    kept |= {
        key: entry[0] for key, entry in getattr(model, "hook_backup", {}).items() if key not in kept
    }
    return {name: kept.get(name, tensor) for name, tensor in live.items()}


def _held(network: Any) -> dict[str, Any]:
    """{name: tensor} of a network's weights. Some loaders (GGUF) tell the state's reader nothing but how
    large they are; the parameters themselves have the numbers."""
    told = network.state_dict()
    empty = [name for name, tensor in told.items() if getattr(tensor, "is_meta", False)]
    if not empty:
        return told
    own = dict(network.named_parameters())
    whole = {name: own.get(name) if name in empty else told[name] for name in told}
    return {name: tensor for name, tensor in whole.items() if tensor is not None}


def fingerprint_of(model: Any) -> Fingerprint | None:
    """The fingerprint of a patcher's original weights, equal to that of its file; None where there
    is nothing to sample."""
    try:
        return fingerprint_tensors(original_weights(model))
    except CheckpointError:
        return None


def patches_of(model: Any) -> tuple[dict, ...]:
    """The LoRAs and merges that change a patcher's weights, as keys and records carry them, in
    order of their names."""
    found = [_patch(strength, entries) for strength, entries in _groups(model)]
    return tuple(sorted(found, key=lambda entry: (entry["name"], entry["strength"])))


def hooks_of(model: Any) -> tuple[str, ...]:
    """The names of what other nodes hang into a patcher: guidance, block patches, wrappers, injections."""
    wrappers = [key for kind in getattr(model, "wrappers", {}).values() for key in kind]
    injected = getattr(model, "injections", {})
    return hook_names(model.model_options, [*wrappers, *injected])


def _groups(model: Any) -> Iterator[tuple[float, list[tuple[str, Any]]]]:
    """(strength, [(weight's name, what is added)]) of each LoRA: those of one file share its set of
    names, or come at one strength."""
    groups: dict[tuple, list[tuple[str, Any]]] = {}
    for key, entries in model.patches.items():
        for place, entry in enumerate(entries):
            value, strength, kept = entry[1], float(entry[0]), float(entry[2])
            file = getattr(value, "loaded_keys", None)
            if file is not None:
                whose = (strength, id(file))
            else:
                whose = (strength, _kind(value), kept, place if isinstance(value, list) else 0)
            name = key if isinstance(key, str) else str(key[0])
            groups.setdefault(whose, []).append((name, value))
    for whose, entries in groups.items():
        yield whose[0], entries


def _patch(strength: float, entries: list[tuple[str, Any]]) -> dict:
    """One LoRA or merge: a plain LoRA by its matrices, which other hosts have too."""
    pairs = [_matrices(value) for _, value in entries]
    plain = [pair for pair in pairs if pair is not None]
    if len(plain) == len(entries):
        return lora_patch(plain, strength)
    return patch(_name(entries), strength, (key for key, _ in entries))


def _matrices(value: Any) -> tuple[Any, Any] | None:
    """(down, up) of the host's plain LoRA, else None. Its weights: up, down, alpha, and what makes it another
    kind: mid (LoCon), scale (DoRA), shape."""
    weights = getattr(value, "weights", None)
    if getattr(value, "name", "") != "lora" or not isinstance(weights, (tuple, list)):
        return None
    if len(weights) < 3 or any(each is not None for each in weights[3:]):
        return None
    return weights[1], weights[0]


def _name(entries: list[tuple[str, Any]]) -> str:
    """A name that a LoRA's numbers decide, so that it is the same after a restart and whatever its
    file is called: core keeps no name."""
    total = hashlib.blake2b(digest_size=5)
    chosen = sorted(
        entries, key=lambda entry: hashlib.blake2b(entry[0].encode(), digest_size=8).digest()
    )[:TELLING]
    for key, value in chosen:
        total.update(key.encode())
        for run in _runs(value):
            total.update(run)
    kind = _kind(entries[0][1])
    return f"{kind}-{total.hexdigest()}"


def _kind(value: Any) -> str:
    if isinstance(value, list):
        return "merge"
    if isinstance(value, tuple):
        return "lora" if value and value[0] in ("diff", "set") else "weights"
    return str(getattr(value, "name", "lora"))[:20]


def _runs(value: Any) -> Iterator[bytes]:
    """The first few values of every tensor in a patch, as float32, and its plain numbers."""
    if hasattr(value, "detach"):
        flat = value.detach().reshape(-1) if value.is_contiguous() else value.detach().flatten()
        yield flat[:RUN].float().cpu().numpy().tobytes()
    elif isinstance(value, (int, float)):
        yield repr(float(value)).encode()
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _runs(inner)
    elif hasattr(value, "weights"):  # one of the host's adapter classes
        yield from _runs(tuple(value.weights))
