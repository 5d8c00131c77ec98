"""Words that the panel and the lines below pictures share. Learning is counted in steps: each step of
DPM++ 2M or Euler asks the model once, and that is what takes the time."""

from __future__ import annotations

from collections.abc import Sequence

STEPS_HELP = (
    "Time is counted in steps of DPM++ 2M or Euler, each of which asks the model once. Learning "
    "takes such steps, too."
)
NEAR_HELP = (
    "The full picture is the one that very many steps would draw; how near others come was seen on "
    "the pictures that were learnt from."
)
MAKERS_STEPS = "draw it in the steps that its maker names"  # of a model that answers at once
USUAL = 20  # steps of a picture
PIXELS = 8  # of a latent's


def size_of(shape: Sequence[int]) -> str:
    """ "64x96": the picture of a latent, however small; every host here has eight pixels a cell."""
    from ..scheduler.record.words import size

    if len(shape) != 3:
        return size(shape)
    height, width = shape[-2:]
    return f"{width * PIXELS}x{height * PIXELS}"


def steps_of_work(calls: int) -> str:
    """What so many model calls take: "as long as 39 steps"."""
    return f"as long as {calls:,} step{'s' if calls != 1 else ''}"


def pictures(count: int) -> str:
    return f"{count:,} picture{'s' if count != 1 else ''}"


def earned_back(calls: int, full: int, few: int) -> str:
    """When so many calls are earned back by pictures of few steps in the place of full ones; "" where
    none are saved."""
    saved = full - few
    if saved <= 0 or calls < 1:
        return ""
    return f"earned back after {pictures(-(-calls // saved))}"
