"""What a record may hold: every field's form, and the rules that tie the fields together."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from .checkers import Misfit, choice, fields, integer, items, number, optional, table, text

MAX_RECIPES = 2000
MAX_STEPS = 1000
MAX_SIGMA = 1e6
MAX_OFFSET = 5.0
MAX_COEFFICIENT = 10.0

NAME = text(64, r"[A-Za-z0-9][A-Za-z0-9_.+-]*", "a short plain name (letters, digits, _ . + -)")
LABEL = text(100)
STEPS = integer(1, MAX_STEPS)
STEPS_KEY = text(4, r"[1-9][0-9]*", "a number of steps written in digits")
COUNT = integer(0, 10**15)
SIGMA = number(0, MAX_SIGMA)
POSITIVE_SIGMA = number(0, MAX_SIGMA, above=True)
ERROR = optional(number(0))  # null: the error was not finite, the run came to nothing
CURVE = table(STEPS_KEY, ERROR, MAX_STEPS)

PATCH = fields({"name": text(300), "strength": number(-1000, 1000)}, {"fingerprint": text(200)})
# What a fingerprint is judged by (fingerprint.py): a short run of values from each of some weights,
# by the weight's name.
SAMPLE = fields(
    {
        "shape": items(integer(0, 10**9), 1, 8),
        "dtype": choice("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "RAW"),
        "values": items(number(-3.5e38, 3.5e38), 1, 16),
    }
)
MODEL = fields(
    {
        "fingerprint": optional(text(200)),
        "name": optional(text(300)),
        "parametrisation": choice("flow", "ve"),
        "prediction": optional(NAME),
        "shift": optional(number(0, 1000, above=True)),
        "sigma_min": POSITIVE_SIGMA,
        "sigma_max": POSITIVE_SIGMA,
        "patches": items(PATCH, 0, 200),
    },
    {"link": text(500), "samples": table(text(300), SAMPLE, 256)},
)
CONDITIONS = fields(
    {
        "cfg": optional(number(-1000, 1000)),
        "guidance": optional(number(-1000, 1000)),
        "latent_shape": optional(items(integer(1, 10**6), 1, 6)),
        "prompts": optional(COUNT),
        "seed": optional(integer(0, 2**64 - 1)),
    }
)
TEACHER = fields(
    {"solver": NAME, "nodes": integer(1, 10**5), "grid": NAME, "samples": COUNT},
    {"model_calls": COUNT},
)
STOCK = table(LABEL, fields({"rms": ERROR, "median": ERROR}, {"different": number(0, 1)}), 200)
RECIPE_EVIDENCE = fields(
    {},
    {
        "rms": ERROR,
        "median": ERROR,
        "different": number(0, 1),
        "samples": COUNT,
        "stock": STOCK,
        "best_stock": optional(LABEL),
        "ratio": ERROR,
        "margin": optional(number()),
        "verdict": text(2000),
        "equals_stock_steps": optional(integer(1, 10**6)),
        "model_calls": COUNT,
    },
)
RECIPE = fields(
    {
        "sampler": NAME,
        "steps": STEPS,
        "start_sigma": POSITIVE_SIGMA,
        "sigmas": items(SIGMA, 2, MAX_STEPS + 1),
        "choice": LABEL,
    },
    {
        "offsets": optional(items(number(-MAX_OFFSET, MAX_OFFSET), 1, MAX_STEPS)),
        "coefficients": optional(
            items(items(number(-MAX_COEFFICIENT, MAX_COEFFICIENT), 4, 4), 1, MAX_STEPS)
        ),
        "evidence": RECIPE_EVIDENCE,
    },
)
EVIDENCE = fields(
    {},
    {
        "curve": table(NAME, CURVE, 100),
        "stock_curve": table(NAME, CURVE, 100),
        "knee": table(NAME, optional(STEPS), 100),
        "seeds": COUNT,
        "recommendation": text(2000),
    },
)
PROVENANCE = fields(
    {
        "version": text(40),
        "created": text(
            20, r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "a time in UTC such as 2026-11-21T00:00:00Z"
        ),
        "model_calls": COUNT,
    },
    {"evidence_calls": COUNT, "seconds": number(0), "how": text(2000), "source": text(500)},
)
RECORD = fields(
    {
        "stepdistill": integer(1, 1),
        "model": MODEL,
        "conditions": CONDITIONS,
        "teacher": optional(TEACHER),
        "recipes": items(RECIPE, 0, MAX_RECIPES),
        "evidence": EVIDENCE,
        "provenance": PROVENANCE,
    }
)


def check_record(record: object) -> None:
    """Raise Misfit unless `record`, plain JSON data of the present version, is a good record in
    every field and rule."""
    RECORD(record)
    model, seen = record["model"], set()
    try:
        _check_range(model)
    except Misfit as misfit:
        raise misfit.inside(".model") from None
    for index, recipe in enumerate(record["recipes"]):
        try:
            _check_recipe(recipe, model)
            _check_unique(recipe, seen)
        except Misfit as misfit:
            raise misfit.inside(f".recipes[{index}]") from None


def _check_range(model: dict) -> None:
    if model["sigma_min"] >= model["sigma_max"]:
        raise Misfit(
            f"is {model['sigma_min']:g}, must be below sigma_max, {model['sigma_max']:g}",
            ".sigma_min",
        )
    if model["parametrisation"] == "flow" and model["sigma_max"] > 1:
        raise Misfit(f"is {model['sigma_max']:g}, may be at most 1 for a flow model", ".sigma_max")


def _check_recipe(recipe: dict, model: dict) -> None:
    _check_sigmas(recipe, model)
    _check_offsets(recipe, model)
    coefficients = recipe.get("coefficients")
    if coefficients is not None and len(coefficients) != recipe["steps"]:
        raise Misfit(
            f"has {len(coefficients)} rows, must have one for each of the {recipe['steps']} steps",
            ".coefficients",
        )
    if coefficients is not None and recipe["sampler"] != "distilled":
        raise Misfit("belong to the sampler 'distilled' alone", ".coefficients")


def _check_sigmas(recipe: dict, model: dict) -> None:
    sigmas, start = recipe["sigmas"], recipe["start_sigma"]
    if len(sigmas) != recipe["steps"] + 1:
        raise Misfit(
            f"has {len(sigmas)} entries, must have {recipe['steps'] + 1}, one more than the steps",
            ".sigmas",
        )
    if sigmas[0] != start:
        raise Misfit(f"begins at {sigmas[0]:g}, must begin at start_sigma, {start:g}", ".sigmas")
    if sigmas[-1] != 0:
        raise Misfit(f"ends at {sigmas[-1]:g}, must end at exactly 0", ".sigmas")
    # Hosts hold sigmas in float32: two values that become one there would make a sampler divide by zero.
    rounded = np.asarray(sigmas, dtype=np.float32).tolist()
    for index, (now, following) in enumerate(pairwise(rounded)):
        if not following < now:
            message = f"is {sigmas[index + 1]:g} after {sigmas[index]:g}, must decrease at every step, in float32 too"
            raise Misfit(message, f"[{index + 1}]", ".sigmas")
    if start > model["sigma_max"] * (1 + 1e-6):
        raise Misfit(
            f"is {start:g}, above the model's sigma_max, {model['sigma_max']:g}", ".start_sigma"
        )


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


def _check_unique(recipe: dict, seen: set) -> None:
    key = (
        recipe["sampler"],
        recipe["steps"],
        recipe["start_sigma"],
        recipe.get("offsets") is not None,
    )
    if key in seen:
        raise Misfit(
            f"is a second recipe for {key[0]}, {key[1]} steps from {key[2]:g}, {'with' if key[3] else 'without'} offsets"
        )
    seen.add(key)
