"""What a record may hold, in one declaration: checked by `check_record`, exported by `json_schema`.

The rules that tie fields together, which no JSON Schema can say, are in rules.py; what every field
means is in docs/record-format.md.
"""

from __future__ import annotations

from .checkers import (
    base64_text,
    choice,
    fields,
    flag,
    integer,
    items,
    number,
    optional,
    table,
    text,
)
from .inner_products import MAX_NODES, MAX_PRODUCT, packed_length

VERSION = 2
MAX_RECIPES = 2000
MAX_STEPS = 1000
MAX_SIGMA = 1e6
MAX_OFFSET = 5.0
MAX_COEFFICIENT = 10.0

NAME = text(64, "[A-Za-z0-9][A-Za-z0-9_.+-]*", "a short plain name (letters, digits, _ . + -)")
SCHEDULE = text(100, r"(?!.* \+( |$)).+", "a schedule's name, without ' + '")
STEPS = integer(1, MAX_STEPS)
STEPS_KEY = text(4, "[1-9][0-9]*", "a number of steps written in digits")
STEP_COUNTS = items(STEPS, 0, MAX_STEPS)
COUNT = integer(0, 10**15)
SIGMA = number(0, MAX_SIGMA)
POSITIVE_SIGMA = number(0, MAX_SIGMA, above=True)
ERROR = optional(number(0))  # null: the error was not finite, the run came to nothing
TIME = text(
    20,
    "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z",
    "a time in UTC such as 2026-11-21T00:00:00Z",
)
SEED = integer(0, 2**64 - 1)
SAMPLERS = items(NAME, 0, 100)
ROWS = table(NAME, COUNT, 20)  # how many rows of each kind: held_out, unseen_row, recording

PATCH = fields({"name": text(300), "strength": number(-1000, 1000)}, {"fingerprint": text(200)})
# What a fingerprint is judged by (fingerprint/): a short run of values from each of some weights,
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
    {
        "link": text(500),
        "samples": table(text(300), SAMPLE, 256),
        "noise_scale": number(0, 1000, above=True),
    },
)
STREAM = fields({"name": text(40), "elements": integer(1, 10**9)})
STREAM_ERRORS = fields({"name": text(40), "rms": ERROR, "stock_rms": ERROR}, open=True)
CONDITIONS = fields(
    {
        "cfg": optional(number(-1000, 1000)),
        "guidance": optional(number(-1000, 1000)),
        "latent_shape": optional(items(integer(1, 10**6), 1, 6)),
        "prompts": optional(COUNT),
        "seed": optional(SEED),
    },
    {"streams": items(STREAM, 2, 20)},
)
TEACHER = fields(
    {"solver": NAME, "nodes": integer(1, 10**5), "grid": NAME, "samples": COUNT},
    {"model_calls": COUNT},
)

CHOICE = fields({"schedule": SCHEDULE}, {"sampler": NAME})
STOCK_ERRORS = fields(
    {"schedule": SCHEDULE, "rms": ERROR, "median": ERROR},
    {"sampler": NAME, "different": number(0, 1)},
    open=True,
)
# A check of a recipe at another cfg than its record's (cfg_range.py).
CFG_CHECK = fields(
    {"cfg": number(-1000, 1000), "holds": flag()},
    {"rms": ERROR, "stock_rms": ERROR, "stock": text(200), "rows": COUNT, "calls": COUNT},
    open=True,
)
RECIPE_EVIDENCE = fields(
    {},
    {
        "rms": ERROR,
        "median": ERROR,
        "different": number(0, 1),
        "samples": COUNT,
        "rows": ROWS,
        "stock": items(STOCK_ERRORS, 0, 200),
        "best_stock": optional(CHOICE),
        "ratio": ERROR,
        "margin": optional(number()),
        "verdict": NAME,
        "equals_stock_steps": optional(integer(1, 10**6)),
        "beats_stock_steps": integer(1, 10**6),
        "model_calls": COUNT,
        "note": text(2000),
        "from_start": POSITIVE_SIGMA,
        "streams": items(STREAM_ERRORS, 0, 20),
        "cfg": number(-1000, 1000),
        "cfg_checks": items(CFG_CHECK, 0, 50),
    },
    open=True,
)
RECIPE = fields(
    {
        "sampler": NAME,
        "steps": STEPS,
        "start_sigma": POSITIVE_SIGMA,
        "sigmas": items(SIGMA, 2, MAX_STEPS + 1),
        "choice": CHOICE,
    },
    {
        "offsets": optional(items(number(-MAX_OFFSET, MAX_OFFSET), 1, MAX_STEPS)),
        "coefficients": optional(
            items(items(number(-MAX_COEFFICIENT, MAX_COEFFICIENT), 4, 4), 1, MAX_STEPS)
        ),
        "evidence": RECIPE_EVIDENCE,
    },
)

CURVES = table(NAME, table(STEPS_KEY, ERROR, MAX_STEPS), 100)
KNEES = table(NAME, optional(STEPS), 100)
LEFT_OUT = fields(
    {"code": NAME},
    {
        "steps": STEP_COUNTS,
        "samplers": SAMPLERS,
        "above": COUNT,
        "rows": COUNT,
        "budget": COUNT,
        "least": COUNT,
    },
    open=True,
)
START = fields(
    {"start_sigma": POSITIVE_SIGMA},
    {"curve": CURVES, "stock_curve": CURVES, "knee": KNEES, "samples": COUNT},
    open=True,
)
RECOMMENDATION = fields(
    {},
    {
        "steps": STEPS,
        "sampler": NAME,
        "offsets": flag(),
        "stock": CHOICE,
        "at_knee": flag(),
        "text": text(2000),
    },
    open=True,
)
FULL_LENGTH = fields(
    {"frames": COUNT, "samples": COUNT, "sampler": NAME, "steps": STEPS, "choice": CHOICE},
    {"rms": ERROR, "best_stock": CHOICE, "stock_rms": ERROR},
    open=True,
)
LEARNT_START = fields({"denoise": number(0, 1, above=True), "start_sigma": POSITIVE_SIGMA})
EVIDENCE = fields(
    {},
    {
        "curve": CURVES,
        "stock_curve": CURVES,
        "knee": KNEES,
        "seeds": COUNT,
        "rows": ROWS,
        "starts": items(START, 0, 100),
        "left_out": items(LEFT_OUT, 0, 50),
        "recommendation": RECOMMENDATION,
        "full_length": FULL_LENGTH,
        "learnt_starts": items(LEARNT_START, 0, 50),
    },
    open=True,
)

PLAN = fields(
    {"steps": STEP_COUNTS, "calls": COUNT},
    {
        "created": TIME,
        "effort": NAME,
        "evidence_calls": COUNT,
        "samplers": SAMPLERS,
        "rows": COUNT,
        "sets": COUNT,
        "anchors": STEP_COUNTS,
        "costs": table(NAME, COUNT, 100),
        "left_out": items(LEFT_OUT, 0, 50),
    },
    open=True,
)
STAGE = fields(
    {"stage": NAME, "calls": COUNT, "created": TIME},
    {
        "sampler": NAME,
        "steps": STEP_COUNTS,
        "start_sigma": POSITIVE_SIGMA,
        "rows": COUNT,
        "seed": SEED,
        "version": text(40),
    },
    open=True,
)
# A related model's recipe that this record's was begun with, and how it was checked (kin/).
KIN = fields(
    {"name": text(300), "kinship": NAME, "verdict": NAME},
    {
        "source": text(400),
        "fingerprint": text(200),
        "alike": number(-1, 1.001),
        "cfg": number(-1000, 1000),
        "latent_shape": items(integer(1, 10**6), 1, 6),
        "patches": items(text(400), 0, 20),
        "sampler": NAME,
        "steps": STEPS,
        "rms": ERROR,
        "stock_rms": ERROR,
        "stock": text(200),
        "rows": COUNT,
        "calls": COUNT,
        "stranger": NAME,
        "created": TIME,
        "version": text(40),
    },
    open=True,
)
PROVENANCE = fields(
    {"version": text(40), "created": TIME, "model_calls": COUNT},
    {
        "evidence_calls": COUNT,
        "seconds": number(0),
        "source": text(500),
        "how": text(2000),
        "note": text(500),
        "plans": items(PLAN, 0, 100),
        "stages": items(STAGE, 0, 1000),
        "kin": items(KIN, 0, 100),
    },
    open=True,
)
INNER_PRODUCTS = fields(
    {
        "sigmas": items(SIGMA, 2, MAX_NODES + 1),
        "rows": integer(1, 10**9),
        "spread": items(number(0, MAX_PRODUCT), 2, MAX_NODES + 1),
        "products": base64_text(packed_length(MAX_NODES)),
    }
)
RECORD = fields(
    {
        "stepdistill": integer(VERSION, VERSION),
        "model": MODEL,
        "conditions": CONDITIONS,
        "teacher": optional(TEACHER),
        "recipes": items(RECIPE, 0, MAX_RECIPES),
        "evidence": EVIDENCE,
        "provenance": PROVENANCE,
    },
    {"inner_products": INNER_PRODUCTS},
)


def json_schema() -> dict:
    """The declarations as one JSON Schema document, for other programs' use."""
    about = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"StepDistill record, version {VERSION}",
        "description": "What every field means, and the rules between fields: docs/record-format.md.",
    }
    return about | dict(RECORD.schema)
