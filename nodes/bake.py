"""Bake Sigmas and Split at Sigma: for graphs that shall open without StepDistill, and for two experts."""

from __future__ import annotations

from dataclasses import replace

from .fields import CATEGORY, distillable
from .names import DISTILLED
from .page.card_data import payload

BEST = "best"
MEASURED_NOTE = (
    "the best stock choice by the record: its own recipes are for the sampler distilled, whose "
    "coefficients plain sigmas cannot carry."
)


class StepDistillBake:
    """A record's best recipe for a stock sampler, as plain sigmas."""

    DESCRIPTION = (
        "Turns a recipe into plain sigmas: with core's own nodes the workflow then runs where "
        "StepDistill is not installed. Sigmas cannot carry query offsets or coefficients, so the best "
        "recipe without them is taken; its evidence is shown on the node."
    )
    CATEGORY = CATEGORY
    FUNCTION = "bake"
    OUTPUT_NODE = True
    RETURN_TYPES = ("SIGMAS", "STRING")
    RETURN_NAMES = ("sigmas", "text")
    OUTPUT_TOOLTIPS = (
        "The schedule, for SamplerCustom and its kin.",
        "The same as decimals, for the ManualSigmas node of newer versions.",
    )

    @classmethod
    def INPUT_TYPES(cls):
        which = (
            "The stock sampler that the sigmas shall be for; best: the one, of those that take one "
            "model call a step, whose recipe has the least measured error."
        )
        steps = {
            "default": 8,
            "min": 1,
            "max": 1000,
            "tooltip": "How many steps; the schedule has one sigma more.",
        }
        denoise = {"default": 1.0, "min": 0.01, "max": 1.0, "step": 0.01}
        denoise["tooltip"] = (
            "1.0 starts from pure noise; below, at the noise level where the model's own clock has "
            "that share left to run."
        )
        return {
            "required": {
                "record": ("RECORD", {"tooltip": "The record whose recipe is baked."}),
                "sampler_name": (
                    [BEST, *(name for name in distillable() if name != DISTILLED)],
                    {"tooltip": which},
                ),
                "steps": ("INT", steps),
                "denoise": ("FLOAT", denoise),
            }
        }

    def bake(self, record, sampler_name, steps, denoise=1.0):
        """Raises SigmaRangeError, StepsError, RecipeError and ScheduleError, each with a sentence."""
        import torch

        from ..scheduler.sigmas.decimals import baked

        recipe = plain_recipe(record, sampler_name, steps, denoise)
        text = baked(recipe.sigmas)
        sigmas = torch.tensor([float(word) for word in text.split(", ")], dtype=torch.float32)
        words = in_words(recipe)
        return {
            "ui": {"text": [f"{text}\n{words}"], "stepdistill": [payload(record, recipe, words)]},
            "result": (sigmas, text),
        }


class StepDistillSplit:
    """One schedule in two at a noise level."""

    DESCRIPTION = (
        "Splits a schedule at a noise level, for models of two experts such as Wan 2.2: the nearest "
        "inner sigma is moved to the boundary, so that the number of steps stays and no expert is "
        "asked at the other's noise levels."
    )
    CATEGORY = CATEGORY
    FUNCTION = "split"
    HAS_INTERMEDIATE_OUTPUT = True
    RETURN_TYPES = ("SIGMAS", "SIGMAS")
    RETURN_NAMES = ("high", "low")
    OUTPUT_TOOLTIPS = (
        "From the start down to the boundary: the high-noise expert's.",
        "From the boundary down: the low-noise expert's.",
    )

    @classmethod
    def INPUT_TYPES(cls):
        sigma = {"default": 0.875, "min": 0.0, "max": 10000.0, "step": 0.001, "round": False}
        sigma["tooltip"] = (
            "The boundary as a sigma: 0.875 for Wan 2.2 text to video, 0.9 for image to video."
        )
        return {
            "required": {
                "sigmas": ("SIGMAS", {"tooltip": "The schedule of the whole picture or video."}),
                "sigma": ("FLOAT", sigma),
            }
        }

    def split(self, sigmas, sigma):
        """Raises ValueError with a sentence where the boundary does not lie inside the schedule."""
        high, low, moved = split_at(sigmas, sigma)
        info = (
            f"{len(high) - 1} {_steps(len(high) - 1)} down to {sigma:g}, {len(low) - 1} below it; "
            f"{f'sigma {moved:.4g} was moved there' if moved is not None else 'the schedule had that sigma'}."
        )
        return {"ui": {"text": [info]}, "result": (high, low)}


def plain_recipe(record, sampler_name: str, steps: int, denoise: float):
    """The record's best recipe that is sigmas alone, for a stock sampler (BEST: any).

    Raises RecipeError, saying what there is, where it has none and none can be solved; StepsError
    and SigmaRangeError.
    """
    from ..scheduler.errors import RecipeError
    from ..scheduler.lookup.given import select_from
    from ..scheduler.lookup.stand_in import MEASURED
    from ..scheduler.lookup.words import reason
    from ..scheduler.samplers.names import stock_sampler

    sampler = DISTILLED if sampler_name == BEST else sampler_name
    found = select_from(record, sampler, steps, denoise)
    if found.reason is None:
        return found.recipe
    if sampler_name == BEST and found.stand_in is not None and found.stand_in.origin == MEASURED:
        runs = stock_sampler(found.recipe)  # the record holds nothing that is sigmas alone
        return replace(found.recipe, sampler=runs, evidence={"note": MEASURED_NOTE})
    raise RecipeError(
        f"{reason(found.reason)} Take steps and a sampler from these, or distil for the one "
        "you want."
    )


def in_words(recipe) -> str:
    """What was baked, and what it has to show for itself."""
    from ..scheduler.record.verdict_words import described, evidence_words

    kind = "schedule" if recipe.choice.schedule == "published" else "a stock schedule"
    what = described(recipe) if recipe.choice.ours else f"{recipe.choice}, {kind}"
    use = f"{recipe.steps} {_steps(recipe.steps)}, to be used with the sampler {recipe.sampler}"
    return f"{use} ({what}): {evidence_words(recipe)}."


def split_at(sigmas, sigma: float):
    """(high, low, the sigma that was moved or None): two float32 tensors that meet at the boundary
    and have N steps together.

    sigmas: (N+1,), strictly decreasing. Raises ValueError with a sentence.
    """
    import torch

    values = torch.as_tensor(sigmas).detach().to("cpu", torch.float32).clone()
    _check_split(values, sigma)
    boundary = torch.tensor(sigma, dtype=torch.float32)
    # in float64, where neighbours in float32 have logarithms of their own
    k = 1 + int((values[1:-1].double().log() - boundary.double().log()).abs().argmin())
    moved = None if values[k] == boundary else float(values[k])
    values[k] = boundary
    return values[: k + 1].clone(), values[k:].clone(), moved


def _check_split(values, sigma: float) -> None:
    import torch

    if values.dim() != 1 or len(values) < 3:
        raise ValueError(
            f"A schedule of {max(values.numel() - 1, 0)} step(s) cannot be split; "
            "it needs two steps at least."
        )
    if not bool(values.isfinite().all()) or not bool((values[1:] < values[:-1]).all()):
        raise ValueError(
            "The sigmas do not strictly decrease, so there is nothing to split them at; "
            "connect a sampling schedule."
        )
    first, last = values[0].item(), values[-1].item()
    boundary = torch.tensor(sigma, dtype=torch.float32)
    if boundary >= first:
        raise ValueError(
            f"The boundary {sigma:g} is not below the first sigma {first:.4g}: all steps are the "
            "low-noise expert's; run that one alone."
        )
    if not boundary > last:
        raise ValueError(
            f"The boundary {sigma:g} is not above the last sigma {last:.4g}: all steps are the "
            "high-noise expert's; run that one alone."
        )


def _steps(count: int) -> str:
    return "step" if count == 1 else "steps"
