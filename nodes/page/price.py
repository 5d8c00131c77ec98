"""What a distillation will cost, in words, before it is begun: model calls, time, and after how many
pictures it is earned back."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...scheduler.counted import model_calls
from ...scheduler.record.words import duration

USUAL, FEW = 24, 6  # steps of a picture before and after
IMPROVING = (100, 300, 1000)  # model calls that may be spent on a better recipe at once
SHAPE = (16, 128, 128)  # of a latent where none is known yet: no plan depends much on it


@dataclass(frozen=True)
class Asked:
    """What Compare Schedules' widgets say. second: whether a second model is connected."""

    sampler: str
    schedulers: str
    steps: str
    seeds: int
    second: bool = False


BESIDE = 0.04  # seconds that fitting takes beside each call, until a run here has told

# Seconds a model call took in this session with all that was done beside it, by what was run; the last
# one stands at the end.
_pace: dict[str, float] = {}


def remember_pace(seconds_a_call: float, of: str = "") -> None:
    """Note how long a model call takes here, fitting and previews included. of: of what (pace_key)."""
    _pace.pop(of, None)
    _pace[of] = seconds_a_call


def pace(of: str | None = None) -> float | None:
    """Seconds a model call takes here, where any were timed; of: of just this model and size."""
    if of is not None:
        return _pace.get(of)
    return next(reversed(_pace.values()), None)


def pace_key(scene) -> str:
    """What a pace depends on, of a guider's scene: the model, the size, and whether cfg doubles the work."""
    patcher = scene.patcher
    size = getattr(patcher, "model_size", lambda: 0)()
    return f"{type(patcher.model).__name__} {size} {scene.shape} {scene.cfg == 1}"


def price(
    calls: int, measured: int = 0, seconds_a_call: float | None = None, again: bool = False
) -> str:
    """A plan's cost in one or two sentences. calls: model calls at most, to distil; measured: to
    measure. seconds_a_call: None where nothing was timed yet. again: whether what the store has is
    distilled again."""
    total = calls + measured
    if not total:
        return "Nothing is asked of the model."
    pictures = _pictures(math.ceil(total / USUAL))
    time = "" if seconds_a_call is None else f", about {duration(seconds_a_call * total)}"
    unless = "" if again else ", none where the store has these recipes"
    parts = f" ({measured:,} to measure; {calls:,} to distil{unless})" if measured and calls else ""
    head = (
        f"At most {model_calls(total)}{parts}: as many as {pictures} of {USUAL} steps take{time}."
    )
    back = _pictures(math.ceil(total / (USUAL - FEW)))
    return f"{head} Earned back after {back}, if {FEW} steps then do what {USUAL} do now."


def improve_prices(steps: int) -> list[dict]:
    """What may be spent on a better recipe, each {"calls": model calls, "text": what they cost}, for
    pictures of so many steps."""
    return [{"calls": calls, "text": _improve_price(calls, steps)} for calls in IMPROVING]


def _improve_price(calls: int, steps: int) -> str:
    seconds = pace()
    pictures = _pictures(math.ceil(calls / steps))
    time = "" if seconds is None else f", about {duration(seconds * calls)}"
    return f"as many model calls as {pictures} of {steps} step{'' if steps == 1 else 's'}{time}"


def asked_price(
    sampler_name: str, max_steps: int, quality: str, measure: bool, again: bool = False
) -> str:
    """The price of what Distill Schedule's widgets ask for; raises StepDistillError."""
    from ...scheduler.distilling.measuring import measuring_calls
    from ...scheduler.distilling.planning import plan_request
    from ...scheduler.distilling.request import request_of
    from ..distill_request import QUALITY, samplers_of, steps_of

    about = {"samplers": samplers_of(sampler_name), "steps": steps_of(max_steps)}
    asked = request_of([lambda x, sigma: x], SHAPE, 1.0, 0.002, "flow", **about, shift=3.0, seed=0)
    plan = plan_request(asked, None, 0, None, quality)
    measured = measuring_calls(asked, every=quality == QUALITY[-1]) if measure else 0
    return price(plan.calls, measured, pace(), again)


def compare_price(asked: Asked) -> str:
    """The price of what Compare Schedules' widgets ask for, the most it can be; raises StepDistillError."""
    from ..comparison import NODES, most_calls, named, step_counts

    counts = step_counts(asked.steps)
    total = most_calls(named(asked.schedulers), asked.sampler, counts, asked.seeds)
    pictures = _pictures(math.ceil(total / USUAL))
    seconds = pace()
    time = "" if seconds is None else f", about {duration(seconds * total)}"
    steps, noises = ", ".join(map(str, counts)), "noise" if asked.seeds == 1 else "noises"
    head = f"At most {model_calls(total)}: as many as {pictures} of {USUAL} steps take{time}."
    second = " The second model's runs come on top." if asked.second else ""
    return (
        f"{head} Every schedule draws {asked.seeds} {noises} at {steps} steps, and {NODES} steps of "
        f"second order are what they are measured by ({2 * NODES * asked.seeds:,} calls).{second}"
    )


def _pictures(count: int) -> str:
    return f"{count:,} picture{'' if count == 1 else 's'}"
