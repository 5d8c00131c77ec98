"""Where a sampler left its latent whose schedule is none of ours: computed as the host did."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from ..host.running_prompt import is_link
from ..names import DISTILLED
from .asked_part import Part


def stock_end(prompt: Mapping[str, Mapping], name: str) -> float | None:
    """The last sigma of a sampling node of the running prompt, or None where it cannot be told.

    From the SIGMAS that it was given, or from its model, scheduler and steps, which the host's own
    class makes the same schedule of. Its inputs are read from what the executor keeps.
    """
    try:
        inputs = prompt[name]["inputs"]
        if "sigmas" in inputs:
            return float(_value(inputs["sigmas"])[-1])
        if _value(inputs["scheduler"]) == DISTILLED:
            return None  # noted when it ran
        return _scheduled_end(inputs)
    except Exception:  # of the host's inner workings, which differ by version
        return None


def _scheduled_end(inputs: Mapping) -> float:
    from comfy.samplers import KSampler

    last = _value(inputs.get("end_at_step"))
    finishes = _value(inputs.get("return_with_leftover_noise", "disable")) != "enable"
    part = Part(last=None if last is None else int(last), finishes=finishes)
    model, steps = _value(inputs["model"]), int(_value(inputs["steps"]))
    asked = KSampler(
        model,
        steps,
        model.load_device,
        _value(inputs["sampler_name"]),
        _value(inputs["scheduler"]),
        float(_value(inputs.get("denoise", 1.0))),
    )
    return part.left_at(asked.sigmas.tolist())


def _value(given: Any) -> Any:
    """A widget's value, or what the node that it is linked to has made."""
    if not is_link(given):
        return given
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_globals.get("__name__") == "execution" and "caches" in frame.f_locals:
            kept = frame.f_locals["caches"].outputs
            entry = (getattr(kept, "get_local", None) or kept.get)(given[0])
            outputs = getattr(entry, "outputs", entry)
            return outputs[given[1]][0]
        frame = frame.f_back
    raise LookupError(given[0])
