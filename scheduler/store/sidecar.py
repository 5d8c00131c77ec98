"""The teacher's inner products beside a record: another sampler, step count or start is solved from
them without a model call."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ..errors import RecipeError, RecordError, StepDistillError
from ..files import PathLike, read_bytes, write_bytes
from ..record import Recipe, Record
from ..record.parser import shown_path

MOST_BYTES = 64 << 20  # a teacher of 1,400 nodes; the usual ones are below 1 MB
NOT_MEASURED = "solved again from the recorded teacher, without a model call; not measured"


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


def solved(
    gram, sampler: str, steps: int, start_sigma: float | None = None, sigma_min: float | None = None
) -> Recipe:
    """A schedule for a linear multistep sampler, N steps and a start, from recorded inner products:
    no model call, no evidence.

    sigma_min: the least sigma that the model can be asked at, where that is above the teacher's.
    Raises UnknownNameError for other samplers, SigmaRangeError for a start above the teacher's,
    StepsError.
    """
    from ..search.dynamic_programming import schedules_from
    from ..search.gram import with_sigmas

    start = float(gram.sigmas[0] if start_sigma is None else start_sigma)
    if math.isclose(start, gram.sigmas[0], rel_tol=1e-5):
        start = float(gram.sigmas[0])
    if sigma_min is not None and gram.sigmas[-2] < sigma_min < start:
        kept = gram.sigmas[gram.sigmas > sigma_min * (1 + 1e-6)]
        gram = with_sigmas(gram, np.concatenate([kept, [sigma_min, 0.0]]))
    sigmas = schedules_from(gram, sampler, steps, start_sigma=start)[steps]
    return Recipe(sampler, steps, float(sigmas[0]), sigmas, evidence={"verdict": NOT_MEASURED})


def check_worth_solving(record: Record, sampler: str, steps: int, whole: bool = True) -> None:
    """Raise RecipeError where the record's own recipes don't say that a solved schedule is worth
    it: it has none for this sampler, or, for the whole range of noise, stock won at the nearest
    step count.

    What is solved from inner products alone has passed no guard: for samplers that nothing was run
    for it was 0.4 to 1.9 times the error of the best stock schedule.
    """
    mine = [recipe for recipe in record.recipes if recipe.sampler == sampler]
    if not mine:
        raise RecipeError(
            f"Nothing was distilled for {sampler} here; distil for {sampler} too, or for all samplers."
        )
    nearest = min(mine, key=lambda recipe: abs(recipe.steps - steps))
    if whole and nearest.choice.stock:
        won = f"Stock ({nearest.choice}) won for {sampler} at {nearest.steps} steps"
        raise RecipeError(f"{won}, so no schedule of ours is solved for {steps}.")


def sidecar_of(path: PathLike) -> Path:
    """Where the inner products of a record's file are kept."""
    return Path(path).with_suffix(".safetensors")
