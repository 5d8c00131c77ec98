"""A LoRA as its own numbers tell it, whatever a host calls it and its layers, and in whatever precision it
keeps them: so that a record made with it in one host is found in another.

Of every layer the signs of the first numbers of both its matrices count. Rounding to another type, a file's
alpha, and a layer's name leave these as they are; another LoRA, or the same one trained a little
longer, has others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np

SIGNS = 128  # of each matrix


def lora_patch(layers: Iterable[tuple[Any, Any]], strength: float) -> dict:
    """The patch of a LoRA, as keys and records carry it.

    layers: (down, up), the tensors of each layer that it changes, in any order: down (rank, in, ...), up
    (out, rank, ...). strength: as the user set it.
    """
    total = hashlib.blake2b(digest_size=8)
    for digest in sorted(_layer(down, up) for down, up in layers):
        total.update(digest)
    name = total.hexdigest()
    return {"name": f"lora-{name[:10]}", "strength": float(strength), "fingerprint": name}


def _layer(down: Any, up: Any) -> bytes:
    total = hashlib.blake2b(digest_size=8)
    for each in (down, up):
        first = each.detach().reshape(-1)[:SIGNS].float().cpu().numpy()
        total.update(np.packbits(np.signbit(first)).tobytes())
    return total.digest()
