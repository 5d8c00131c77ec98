"""Which few values stand for a model's weights.

They are chosen by the weights' names and shapes alone, so that every host chooses the same. The
tensors with the least hashes are taken (a "bottom-k sketch"): a host that lacks a few tensors,
or has a few more, still chooses nearly the same ones. Of each, one short run is read, at a place
that its name decides.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from hashlib import blake2b

from ..record.checkers import UNPRINTABLE

RUN = 4  # values a tensor
MATRICES = 96
VECTORS = 32  # biases and norms: what quantised files leave as it was
LEAST = {1: 16, 2: 64}  # elements of a vector and of a matrix that are worth asking

# What a host, a wrapper or a file format puts before a diffusion model's own names.
WRAPPERS = frozenset(
    "model diffusion_model net transformer unet dit module _orig_mod denoiser".split()
)
# The other parts of a checkpoint.
OTHERS = (
    "first_stage_model.",
    "cond_stage_model.",
    "conditioner.",
    "text_encoder",
    "vae.",
    "model_ema.",
    "embedding_manager.",
)
# What quantised files add beside the weights.
HELPERS = (
    "scale_weight",
    "weight_scale",
    "weight_scale_2",
    "scale_input",
    "input_scale",
    "scaled_fp8",
    "comfy_quant",
)


def diffusion_names(names: Iterable[str]) -> dict[str, str]:
    """The diffusion model's own name -> the name as given, for the weights that belong to it.

    Whatever stands around them.
    """
    found = {name: name for name in names if not name.startswith(OTHERS)}
    while True:
        inside = _inside(found)
        if inside is None:
            return {name.replace("_orig_mod.", ""): given for name, given in found.items()}
        found = inside


def _inside(found: Mapping[str, str]) -> dict[str, str] | None:
    """What lies in the one wrapper that holds more than half of the names, without its name.

    None where there is none.
    """
    counts = Counter(name.partition(".")[0] for name in found)
    wrapper, count = counts.most_common(1)[0] if counts else ("", 0)
    if wrapper not in WRAPPERS or 2 * count <= len(found):
        return None
    prefix = wrapper + "."
    return {n.removeprefix(prefix): g for n, g in found.items() if n.startswith(prefix)}


def chosen(shapes: Mapping[str, tuple[int, ...]]) -> list[str]:
    """The names to sample, in order.

    At most MATRICES weights of two or more axes, and VECTORS of one.
    """
    ranks: dict[int, list[str]] = {1: [], 2: []}
    for name, shape in shapes.items():
        axes = min(len(shape), 2)
        if axes and math.prod(shape) >= LEAST[axes] and _suits(name):
            ranks[axes].append(name)
    matrices = sorted(ranks[2], key=_hash)[:MATRICES]
    vectors = sorted(ranks[1], key=_hash)[:VECTORS]
    return sorted(matrices + vectors)


def _suits(name: str) -> bool:
    last = name.rpartition(".")[2]
    added = last in HELPERS or "quant" in last or "absmax" in last
    return not added and len(name) <= 300 and not UNPRINTABLE.search(name)


def place(name: str, count: int) -> int:
    """Where in a tensor of `count` values its run starts."""
    return int.from_bytes(_hash(name)[8:], "big") % max(count - RUN + 1, 1)


def _hash(name: str) -> bytes:
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).digest()
