"""The inputs that several nodes share, said once, so that a name means the same everywhere."""

from __future__ import annotations

import sys

from .names import DISTILLED


def _samplers_category() -> str:
    """Where this host has its own samplers: newer ones have moved them."""
    host = sys.modules.get("nodes")
    return getattr(getattr(host, "KSampler", None), "CATEGORY", "sampling")


CATEGORY = f"{_samplers_category()}/StepDistill"
RECORD = "RECORD"
# What a model is run under, of the nodes that run it themselves; each says in its own words what
# they are for.
SCENE = {
    "model": ("MODEL", {}),
    "positive": ("CONDITIONING", {}),
    "negative": ("CONDITIONING", {}),
    "latent_image": ("LATENT", {}),
    "cfg": ("FLOAT", {"default": 4.0, "min": 0.0, "max": 100.0, "step": 0.1, "round": 0.01}),
}
SEED = ("INT", {"default": 0, "min": 0, "max": 0xFFFFFFFFFFFFFFFF, "control_after_generate": False})
MODEL = (
    "MODEL",
    {
        "tooltip": "The model you sample with, with its LoRAs and ModelSampling nodes already applied."
    },
)
IF_MISSING = (
    ["stock", "error"],
    {
        "default": "stock",
        "tooltip": "Where nothing was distilled for this model: run a stock schedule, the best that is "
        "known for it (and say which), or stop with an error.",
    },
)
USE_RECORD = (
    RECORD,
    {
        "tooltip": "Use this record. Left open, the best one for this model is taken from your store."
    },
)
DENOISE = (
    "FLOAT",
    {
        "default": 1.0,
        "min": 0.01,
        "max": 1.0,
        "step": 0.01,
        "tooltip": "1 starts from pure noise. Below, it starts at the model's noise level for that "
        "share of its timesteps, and still runs all the steps from there.",
    },
)


def steps(default: int) -> tuple:
    """A number of steps."""
    return (
        "INT",
        {
            "default": default,
            "min": 1,
            "max": 1000,
            "tooltip": "How many steps: one model call each (two for heun).",
        },
    )


def stock_samplers() -> tuple[str, ...]:
    """The stock samplers that can be compared row by row: those that are not stochastic."""
    from ..scheduler.samplers.names import SAMPLERS

    return SAMPLERS


def distillable() -> tuple[str, ...]:
    """All samplers that recipes are made for: ours, the stock ones, and the stochastic ones whose
    best schedule is measured."""
    from ..scheduler.samplers.names import DISTILLABLE

    return DISTILLABLE


def samplers() -> list[str]:
    """The samplers of the host, ours among them; without a host those of the library."""
    host = sys.modules.get("comfy.samplers")
    names = stock_samplers() if host is None else host.SAMPLER_NAMES
    return [*names] if DISTILLED in names else [*names, DISTILLED]
