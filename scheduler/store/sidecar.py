"""Schedules solved from a record's inner products without a model call; and the second file that
records of version 1 kept these products in, which is still read and never written."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load

from ..errors import RecipeError, RecordError
from ..files import PathLike, read_bytes
from ..record import SAME_START, Gram, Recipe, Record
from ..record.checkers import Misfit
from ..record.inner_products import MAX_NODES, packed, unpacked
from ..record.parser import shown_path
from ..record.rules import check_inner_products
from ..record.schema import INNER_PRODUCTS
from ..record.verdict import SOLVED as NOT_MEASURED  # the verdict of a solved recipe

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


def solved(
    gram: Gram,
    sampler: str,
    steps: int,
    start_sigma: float | None = None,
    sigma_min: float | None = None,
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
    if math.isclose(start, gram.sigmas[0], rel_tol=SAME_START):
        start = float(gram.sigmas[0])
    if sigma_min is not None and gram.sigmas[-2] < sigma_min < start:
        kept = gram.sigmas[gram.sigmas > sigma_min * (1 + 1e-6)]
        gram = with_sigmas(gram, np.concatenate([kept, [sigma_min, 0.0]]))
    sigmas = schedules_from(gram, sampler, steps, start_sigma=start)[steps]
    levels = tuple(sigmas.tolist())
    return Recipe(sampler, steps, levels[0], levels, evidence={"verdict": NOT_MEASURED})


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
