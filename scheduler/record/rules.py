"""The rules that tie a record's fields together, beside the form of each (schema.py)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from .checkers import Misfit
from .inner_products import packed_length
from .schema import RECORD

SAME_START = 1e-4  # relative: two starts that are one; hosts round, each in its own way
AT_MOST = 1e-6  # relative: how far above the model's sigma_max a start may lie, by rounding


def check_record(record: dict) -> None:
    """Raise Misfit unless `record`, plain JSON data of the present version, is a good record in
    every field and rule. The inner products' numbers are judged where they are decoded."""
    RECORD.check(record)
    model = record["model"]
    _placed(".model", _check_range, model)
    seen: set[tuple] = set()
    for index, recipe in enumerate(record["recipes"]):
        _placed(f".recipes[{index}]", _check_recipe, recipe, model, seen)
    if "inner_products" in record:
        _placed(".inner_products", check_inner_products, record["inner_products"])
        _placed(
            ".inner_products",
            _check_start,
            record["inner_products"]["sigmas"][0],
            model,
            ".sigmas[0]",
        )


def _placed(place: str, check, *arguments: object) -> None:
    try:
        check(*arguments)
    except Misfit as misfit:
        raise misfit.inside(place) from None


def _check_range(model: dict) -> None:
    low, high = model["sigma_min"], model["sigma_max"]
    if low >= high:
        raise Misfit(f"is {low:g}, must be below sigma_max, {high:g}", ".sigma_min")
    if model["parametrisation"] == "flow" and high > 1:
        raise Misfit(f"is {high:g}, may be at most 1 for a flow model", ".sigma_max")


def _check_recipe(recipe: dict, model: dict, seen: set[tuple]) -> None:
    _check_sigmas(recipe, model)
    _check_offsets(recipe, model)
    _check_coefficients(recipe)
    _check_stock(recipe.get("evidence", {}).get("stock", ()))
    _check_unique(recipe, seen)


def _check_sigmas(recipe: dict, model: dict) -> None:
    sigmas, start, wanted = recipe["sigmas"], recipe["start_sigma"], recipe["steps"] + 1
    if len(sigmas) != wanted:
        raise Misfit(
            f"has {len(sigmas)} entries, must have {wanted}, one more than the steps", ".sigmas"
        )
    if sigmas[0] != start:
        raise Misfit(f"begins at {sigmas[0]:g}, must begin at start_sigma, {start:g}", ".sigmas")
    _check_descending(sigmas)
    _check_start(start, model, ".start_sigma")


def _check_descending(sigmas: Sequence[float]) -> None:
    if sigmas[-1] != 0:
        raise Misfit(f"ends at {sigmas[-1]:g}, must end at exactly 0", ".sigmas")
    # Hosts hold sigmas in float32: two values that become one there would make a sampler divide by zero.
    rounded = np.asarray(sigmas, dtype=np.float32).tolist()
    for index, (now, following) in enumerate(pairwise(rounded)):
        if not following < now:
            raise Misfit(
                f"is {sigmas[index + 1]:g} after {sigmas[index]:g}, "
                "must decrease at every step, in float32 too",
                f"[{index + 1}]",
                ".sigmas",
            )


def _check_start(start: float, model: dict, place: str) -> None:
    if start > model["sigma_max"] * (1 + AT_MOST):
        raise Misfit(f"is {start:g}, above the model's sigma_max, {model['sigma_max']:g}", place)


def _check_offsets(recipe: dict, model: dict) -> None:
    offsets = recipe.get("offsets")
    if offsets is None:
        return
    if len(offsets) != recipe["steps"]:
        raise Misfit(
            f"has {len(offsets)} entries, must have one for each of the {recipe['steps']} steps",
            ".offsets",
        )
    if model["parametrisation"] == "flow" and recipe["sigmas"][0] >= 1 and offsets[0] != 0:
        raise Misfit(
            "must be 0 where a flow schedule begins at sigma 1, pure noise", "[0]", ".offsets"
        )


def _check_coefficients(recipe: dict) -> None:
    coefficients = recipe.get("coefficients")
    if coefficients is None:
        return
    if len(coefficients) != recipe["steps"]:
        raise Misfit(
            f"has {len(coefficients)} rows, must have one for each of the {recipe['steps']} steps",
            ".coefficients",
        )
    if recipe["sampler"] != "distilled":
        raise Misfit("belong to the sampler 'distilled' alone", ".coefficients")


def _check_stock(stock: Sequence[dict]) -> None:
    seen = set()
    for index, entry in enumerate(stock):
        name = entry["schedule"], entry.get("sampler")
        if name in seen:
            raise Misfit("stands there twice", f"[{index}]", ".evidence.stock")
        seen.add(name)


def _check_unique(recipe: dict, seen: set[tuple]) -> None:
    sampler, steps, start = recipe["sampler"], recipe["steps"], recipe["start_sigma"]
    shifted = recipe.get("offsets") is not None
    key = sampler, steps, start, shifted
    if key in seen:
        raise Misfit(
            f"is a second recipe for {sampler}, {steps} steps from {start:g}, "
            f"{'with' if shifted else 'without'} offsets"
        )
    seen.add(key)


def check_inner_products(found: dict) -> None:
    """Raise Misfit unless the parts of packed inner products belong together; their numbers are
    judged where they are decoded."""
    sigmas, spread, text = found["sigmas"], found["spread"], found["products"]
    _check_descending(sigmas)
    if len(spread) != len(sigmas):
        raise Misfit(f"has {len(spread)} entries, must have one for each sigma", ".spread")
    length = packed_length(len(sigmas) - 1)
    if len(text) != length:
        raise Misfit(
            f"has {len(text)} characters, must have {length} for {len(sigmas)} sigmas", ".products"
        )
