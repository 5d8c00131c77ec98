"""What a distillation will cost, in words, before it is begun: model calls, time, and after how many
pictures it is earned back."""

from __future__ import annotations

import math

from ...scheduler.distilling.effort import THOROUGH
from ...scheduler.record.words import duration, model_calls

USUAL, FEW = 24, 6  # steps of a picture before and after
SHAPE = (16, 128, 128)  # of a latent where none is known yet: no plan depends much on it

# Seconds a model call took in this session, the last time any were timed.
_pace: list[float] = []


def remember_pace(seconds_a_call: float) -> None:
    """Note how long a model call takes here."""
    _pace[:] = [seconds_a_call]


def price(calls: int, measured: int = 0, seconds_a_call: float | None = None) -> str:
    """A plan's cost in one or two sentences. calls: model calls at most, to distil; measured: to
    measure. seconds_a_call: None where nothing was timed yet."""
    total = calls + measured
    if not total:
        return "Nothing is asked of the model."
    pictures = _pictures(math.ceil(total / USUAL))
    time = "" if seconds_a_call is None else f", about {duration(seconds_a_call * total)}"
    parts = f" ({calls:,} to distil, {measured:,} to measure)" if measured and calls else ""
    head = (
        f"At most {model_calls(total)}{parts}: as many as {pictures} of {USUAL} steps take{time}."
    )
    back = _pictures(math.ceil(total / (USUAL - FEW)))
    return f"{head} Earned back after {back}, if {FEW} steps then do what {USUAL} do now."


def asked_price(sampler_name: str, max_steps: int, quality: str, measure: bool) -> str:
    """The price of what Distill Schedule's widgets ask for; raises StepDistillError."""
    from ...scheduler.distilling.measuring import measuring_calls
    from ...scheduler.distilling.planning import plan_request
    from ...scheduler.distilling.request import request_of
    from ..distill_request import samplers_of, steps_of

    about = {"samplers": samplers_of(sampler_name), "steps": steps_of(max_steps)}
    asked = request_of([lambda x, sigma: x], SHAPE, 1.0, 0.002, "flow", **about, shift=3.0, seed=0)
    plan = plan_request(asked, None, 0, None, quality)
    measured = measuring_calls(asked, every=quality == THOROUGH) if measure else 0
    return price(plan.calls, measured, pace())


def pace() -> float | None:
    """Seconds a model call takes here, where any were timed."""
    return _pace[0] if _pace else None


def _pictures(count: int) -> str:
    return f"{count:,} picture{'' if count == 1 else 's'}"
