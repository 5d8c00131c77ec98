"""The teacher's inner products beside a record: another sampler, step count or start is solved from
them without a model call."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ..errors import RecordError, StepDistillError
from ..files import PathLike, read_bytes, write_bytes
from ..record.parser import shown_path

MOST_BYTES = 64 << 20  # a teacher of 1,400 nodes; the usual ones are below 1 MB


def write_gram(path: PathLike, gram) -> None:
    """Write a Gram (gram.py) as safetensors, whole or not at all; raises RecordError and OutputError."""
    arrays = {
        "sigmas": gram.sigmas,
        "products": gram.products,
        "spread": gram.spread,
        "samples": np.array([gram.samples]),
    }
    data = save(
        {name: np.ascontiguousarray(array, dtype=np.float64) for name, array in arrays.items()},
        {"stepdistill": "gram 1"},
    )
    if len(data) > MOST_BYTES:
        raise RecordError(
            f"The teacher's inner products take {len(data):,} bytes; at most {MOST_BYTES:,} are kept: use fewer nodes."
        )
    write_bytes(path, data)


def read_gram(path: PathLike):
    """The Gram in a file, every number checked; raises RecordError."""
    data = read_bytes(path, MOST_BYTES, RecordError)
    try:
        return _checked(load(data))
    except (
        SafetensorError,
        StepDistillError,
        KeyError,
        ValueError,
        TypeError,
        OverflowError,
    ) as problem:
        raise RecordError(
            f"{shown_path(path)} does not hold a teacher's inner products ({str(problem)[:100]}); remove it."
        ) from None


def _checked(arrays: dict[str, np.ndarray]):
    from ..search.gram import Gram  # here, so that looking a record up does not import torch
    from ..sigmas.validity import check_schedule

    sigmas, products, spread = (arrays[name] for name in ("sigmas", "products", "spread"))
    count, samples = len(sigmas), float(arrays["samples"].sum())
    if any(
        array.dtype != np.float64 or not np.isfinite(array).all()
        for array in (sigmas, products, spread)
    ):
        raise ValueError("a number is not finite float64")
    if (
        products.shape != (2 * count - 1, 2 * count - 1)
        or spread.shape != (count,)
        or not 0 < samples < 1e12
    ):
        raise ValueError("the shapes do not belong together")
    if (
        not np.allclose(products, products.T, rtol=1e-6, atol=1e-9 * np.abs(products).max())
        or (np.diag(products) < 0).any()
    ):
        raise ValueError("they are no inner products")
    return Gram(check_schedule(sigmas), products, int(samples), spread)


def sidecar_of(path: PathLike) -> Path:
    """Where the inner products of a record's file are kept."""
    return Path(path).with_suffix(".safetensors")
