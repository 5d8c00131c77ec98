"""MODELs that do not answer the same when they are asked the same, as other packs make them."""

from __future__ import annotations

import torch

LITTLE = 0.12  # of a noise level's size: while it has changed by less, the answer is guessed


class _Cache:
    """Adds to x what it last added, while little has changed."""

    def __init__(self):
        self.kept, self.last = None, 0.0

    def __call__(self, apply_model, arguments):
        x, level = arguments["input"], float(arguments["timestep"].flatten()[0])
        near = abs(level - self.last) < LITTLE * max(level, self.last)
        if self.kept is not None and self.kept.shape == x.shape and near:
            return x + self.kept
        answer = apply_model(x, arguments["timestep"], **arguments["c"])
        self.kept, self.last = answer - x, level
        return answer


class TeaCacheWrapper(_Cache):
    """Known by its name."""


class UnheardOf(_Cache):
    """Known by nothing but what it does."""


def restless(apply_model, arguments):
    """Answers with something random in it."""
    answer = apply_model(arguments["input"], arguments["timestep"], **arguments["c"])
    return answer + 0.05 * torch.randn_like(answer)


def next_step(apply_model, arguments):
    """Goes by the next level of the run's list, as a flow map does."""
    options = arguments["c"]["transformer_options"]
    listed, level = options["sample_sigmas"], arguments["timestep"].flatten()[0]
    place = int((listed - level).abs().argmin())
    after = float(listed[min(place + 1, len(listed) - 1)])
    answer = apply_model(arguments["input"], arguments["timestep"], **arguments["c"])
    return answer * (1 + after / float(level))


class Failing:
    """Fails while it is learnt, as where memory runs out: a picture in full takes 24 calls."""

    def __init__(self, after: int = 30):
        self.left = after

    def __call__(self, apply_model, arguments):
        self.left -= 1
        if self.left < 0:
            raise RuntimeError("CUDA error: an illegal memory access")
        return apply_model(arguments["input"], arguments["timestep"], **arguments["c"])


KINDS = {
    "failing": Failing,
    "teacache": TeaCacheWrapper,
    "unheard of": UnheardOf,
    "restless": lambda: restless,
    "next step": lambda: next_step,
}


def odd(model, kind: str):
    """A clone of the MODEL with one of KINDS around it."""
    clone = model.clone()
    clone.set_model_unet_function_wrapper(KINDS[kind]())
    return clone
