"""Our lines in a picture's parameters: what ran, how well it fits and its numbers; read back when it
is pasted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .host import interrupted
from .names import AUTOMATIC, CHOICE_KEY, HIRES_KEY, HIRES_RECIPE_KEY, KEY, LABEL, NAME, RECIPE_KEY
from .notes import note, remember, tell

if TYPE_CHECKING:
    from ..scheduler.lookup.selection import Selection
    from .sampling_pass import Pass

SEPARATOR = " | "
RESTARTS = 20  # steps from which the sampler Restart makes a schedule of its own
SCHEDULE, HIRES_SCHEDULE = "Schedule type", "Hires schedule type"  # the host's own keys


def write(here: Pass, steps: int) -> None:
    """Note in a pass's parameters what its schedule is, and below the picture in a line."""
    from ..scheduler.lookup.rules import OWN_STEPS
    from .truth import line

    found, p = here.found, here.p
    assert found is not None
    if here.choice != AUTOMATIC:
        p.extra_generation_params[CHOICE_KEY] = here.choice
    restarts = here.name == "restart_sampler" and steps >= RESTARTS
    if restarts or found.rule.kind == OWN_STEPS:
        _not_used(p, here.hires, _label(here))
        return
    p.extra_generation_params[HIRES_KEY if here.hires else KEY] = _line(_parts(found, here, steps))
    _numbers(here, found)
    second = "Second pass: " if here.hires else ""
    below, panel = (line(found, here, here.pasted, gains=gains) for gains in (True, here.hires))
    tell(
        p, f"{second}{below}", f"{second}{panel}"
    )  # the panel's first line has the first pass's gain


def _parts(found: Selection, here: Pass, steps: int) -> list[str]:
    from ..scheduler.learning.recipe_name import recipe_name
    from .host import sampler_labels
    from .truth import source, stand_in

    labels = sampler_labels()
    runs = f"{steps} step{'s' if steps != 1 else ''} of {_label(here)}"
    if here.name == NAME and found.runs_as != NAME:
        runs = f"{runs} as {labels.get(found.runs_as, found.runs_as)}"
    if found.stand_in is not None:
        return [found.source, stand_in(found, here), runs]
    name = found.name.removesuffix(".json") or f"recipe {recipe_name(found.recipe)}"
    won = [f"stock's {found.recipe.choice}"] if found.stock_won else []
    return [source(found, here.pasted, here.masked), name, runs, *won]


def _numbers(here: Pass, found: Selection) -> None:
    """The recipe itself, for hosts that do not have the record; or that it is needed."""
    from .compact import word

    key = HIRES_RECIPE_KEY if here.hires else RECIPE_KEY
    if found.stand_in is not None:
        here.p.extra_generation_params.pop(key, None)
        return
    strength = 1.0 if here.strength is None else here.strength
    told = word(found.recipe, found.facts, strength)
    here.p.extra_generation_params[key] = told or "too long - the record is needed"


def _label(here: Pass) -> str:
    """The sampler as the host's list calls it."""
    return str(getattr(getattr(here.sampler, "config", None), "name", "") or here.name)


def _line(parts: list[str]) -> str:
    return SEPARATOR.join(part.replace(",", " ").replace(":", " ") for part in parts)


def foreign(here: Pass, sigmas: int) -> None:
    """Note that our sampler was given sigmas of another schedule."""
    key = HIRES_KEY if here.hires else KEY
    here.p.extra_generation_params[key] = _line(
        ["no recipe", "given sigmas", f"{sigmas} steps of {LABEL} as DPM++ 2M"]
    )
    tell(
        here.p,
        f"{LABEL} ran as DPM++ 2M on the schedule type that is chosen; for its own recipe choose "
        f"{LABEL} or {AUTOMATIC} there.",
    )


def unused(p: Any) -> None:
    """Note that the schedule type `Distilled` was chosen for a sampler that takes no schedule, in
    either pass."""
    sampler, schedule = (str(getattr(p, name, "")) for name in ("sampler_name", "scheduler"))
    if schedule in (NAME, LABEL) and KEY not in p.extra_generation_params:
        _not_used(p, False, sampler)
    second = getattr(p, "enable_hr", False) and not interrupted()
    if not second or HIRES_KEY in p.extra_generation_params:
        return
    if str(getattr(p, "hr_scheduler", None) or schedule) in (NAME, LABEL):
        _not_used(p, True, str(getattr(p, "hr_sampler_name", None) or sampler))


def unheard(p: Any) -> None:
    """Note that a picture could not be learnt from, for its sampler asks the model in a way of its
    own (DDIM, PLMS, UniPC)."""
    heard = getattr(p, "stepdistill_heard", False) or not getattr(p, "stepdistill_learn", False)
    if not heard:
        note(p, f"Nothing is learnt from pictures drawn with {getattr(p, 'sampler_name', '')}.")


def _not_used(p: Any, hires: bool, sampler: str) -> None:
    """The host's own key goes: that schedule type did not run."""
    told = p.extra_generation_params
    told[HIRES_SCHEDULE if hires else SCHEDULE] = None
    told[HIRES_KEY if hires else KEY] = _line(["not used", f"{sampler} makes its own schedule"])
    tell(p, f"{sampler} makes its own schedule, whatever schedule type is chosen.")


def record_of(parameters: dict) -> str:
    """What the panel's list of records is set to for pasted parameters."""
    from .record_list import label_of
    from .stores import choices

    chosen = str(parameters.get(CHOICE_KEY, AUTOMATIC))
    if chosen in choices():
        return label_of(chosen)
    if not recipes_of(parameters):
        remember(f"The pasted picture was drawn with the record {chosen}, which is not here.")
    return AUTOMATIC


def recipes_of(parameters: dict) -> str:
    """The recipes that pasted parameters hold, for the panel to keep; "" where there are none."""
    from .compact import held

    words = [str(parameters.get(key, "")).strip() for key in (RECIPE_KEY, HIRES_RECIPE_KEY)]
    return " ".join(each for each in words if held(each))
