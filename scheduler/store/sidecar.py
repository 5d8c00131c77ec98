"""The second file that records of version 1 kept their inner products in: read, and never written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load

from ..errors import RecordError
from ..files import PathLike, read_bytes
from ..record import Gram
from ..record.checkers import Misfit
from ..record.inner_products import MAX_NODES, packed, unpacked
from ..record.parser import shown_path
from ..record.rules import check_inner_products
from ..record.schema import INNER_PRODUCTS

MOST_BYTES = 4 << 20  # above a teacher of MAX_NODES; the usual ones are below 1 MB


def read_gram(path: PathLike) -> Gram:
    """The inner products in a file that stands beside a record of version 1, every number checked;
    raises RecordError."""
    data = read_bytes(path, MOST_BYTES, RecordError)
    try:
        return _checked(load(data))
    except (SafetensorError, Misfit, KeyError, ValueError, TypeError, OverflowError) as problem:
        raise RecordError(
            f"{shown_path(path)} does not hold a teacher's inner products ({str(problem)[:100]}); remove it."
        ) from None


def _checked(arrays: dict[str, np.ndarray]) -> Gram:
    """By the rules of those in a record: packed as one would hold them, and unpacked again."""
    sigmas, products, spread = (arrays[name] for name in ("sigmas", "products", "spread"))
    if any(array.dtype != np.float64 for array in (sigmas, products, spread)):
        raise Misfit("a number is not float64")
    if sigmas.ndim != 1 or len(sigmas) > MAX_NODES + 1:
        raise Misfit(f"there are more than {MAX_NODES} nodes")
    data = packed(Gram(sigmas, products, int(arrays["samples"].sum()), spread))
    INNER_PRODUCTS.check(data)
    check_inner_products(data)
    return unpacked(data)


def sidecar_of(path: PathLike) -> Path:
    """Where the inner products of a record's file are kept."""
    return Path(path).with_suffix(".safetensors")
