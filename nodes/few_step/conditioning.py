"""What of a CONDITIONING matters to learning: which prompt it is, and whether it changes the model."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ...scheduler.lookup.hooks import hook_patches

SIZE = 12  # bytes of a hash


def prompt_hash(*conditionings: Iterable, cfg: float | None = None) -> str:
    """A hash of all numbers and settings in some CONDITIONINGs and a guidance scale: equal ones are
    equal in every session, and it gives no text away."""
    total = hashlib.blake2b(repr(cfg).encode(), digest_size=SIZE)
    for each in conditionings:
        for part in _parts(each):
            total.update(part)
    return total.hexdigest()


def hook_patches_of(*conditionings: Iterable) -> tuple[dict, ...]:
    """Hooks that change the model's weights or options while it draws, as keys carry patches."""
    names = {
        f"hook: {type(hook).__name__}"
        for listed in conditionings
        for entry in listed
        for hook in getattr(entry[1].get("hooks"), "hooks", ())
    }
    return hook_patches(sorted(names))


def _parts(value: Any) -> Iterator[bytes]:
    """Everything in a conditioning that decides what is drawn, as bytes."""
    if hasattr(value, "detach"):
        yield str(tuple(value.shape)).encode()
        yield value.detach().float().cpu().contiguous().numpy().tobytes()
    elif isinstance(value, Mapping):
        for name in sorted(value, key=str):
            yield str(name).encode()
            yield from _parts(value[name])
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _parts(each)
    elif isinstance(value, (int, float, str, bytes, bool, type(None))):
        yield repr(value).encode()
    else:  # a ControlNet and the like: the same only while the host keeps the object
        yield f"{type(value).__name__} {id(value)}".encode()
