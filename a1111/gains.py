"""What a recipe gains, in the host's own names of samplers and schedule types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import automatic
from .host import sampler_labels
from .schedule_labels import schedule_label

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..scheduler.lookup.selection import Selection
    from ..scheduler.record import Recipe
    from .sampling_pass import Pass

MOST_TIMES, LEAST_TIMES = 100, 1.1  # that are said as a number
FULL = "the full picture"


def setting(schedule: str, sampler: str) -> str:
    """ "DPM++ 2M with schedule type Exponential", "... Automatic (Karras)": a sampler on a schedule as
    the host's lists call them, its own as the page does."""
    label, labels = schedule_label(schedule), sampler_labels()
    if sampler in labels and automatic.own_schedule(sampler) == schedule:
        return f"{labels[sampler]} with schedule type {automatic.label_of(sampler)}"
    sampler = labels.get(sampler, sampler)
    return f"{sampler} with schedule type {label}" if label else sampler


def gain(recipe: Recipe) -> str:
    """ "as near to the full picture as 14 steps of DPM++ 2M with schedule type Karras", as far as it was
    measured; "" where it was not."""
    from ..scheduler.record.verdict import steps_saved

    if not recipe.choice.ours or recipe.evidence.get("best_stock") is None:
        return ""
    rival = _rival(recipe)
    if rival is None:
        return ""
    name, error, best = rival
    saved = steps_saved(recipe.evidence)
    if saved is not None and saved[0] > recipe.steps and best:
        equal, beyond = saved
        near = f"nearer to {FULL} than" if beyond else f"as near to {FULL} as"
        return f"{near} {equal} steps of {name}"
    own = recipe.evidence.get("rms")
    if own is None or not error or own >= error:
        return ""
    return f"{_nearer(error, own)} to {FULL} than {recipe.steps} steps of {name}"


def gain_of(found: Selection, here: Pass) -> str:
    """What a selection's recipe gains where it runs: one that serves at another CFG than its own by a
    check gains what that check measured, if it was at this one."""
    from ..scheduler.lookup.starts import same_start
    from ..scheduler.record.cfg_range import SAME_CFG, checks_of
    from .identity import cfg_of

    if found.match is None or found.match.by_check is None or found.match.whole is None:
        return gain(found.recipe)
    mine, cfg = found.recipe, cfg_of(here.p)
    checks = [
        check
        for each in found.match.whole.recipes
        if (each.sampler, each.steps) == (mine.sampler, mine.steps)
        and same_start(each.start_sigma, mine.start_sigma)
        for check in checks_of(each)
        if abs(check["cfg"] - cfg) <= SAME_CFG
    ]
    return gain_by_check(checks[0], mine) if checks else ""


def gain_by_check(check: Mapping, recipe: Recipe) -> str:
    """ "2.3 times nearer to the full picture than 6 steps of DPM++ 2M with schedule type Simple": what
    a check of a recipe that was made elsewhere measured. check: with rms, stock_rms and stock."""
    from ..scheduler.record import Choice
    from ..scheduler.samplers.names import RELATIVE

    own, stock, name = (check.get(each) for each in ("rms", "stock_rms", "stock"))
    if own is None or not stock or not name or own >= stock:
        return ""
    choice = Choice.read(name)
    rival = setting(choice.schedule, choice.sampler or RELATIVE)
    return f"{_nearer(stock, own)} to {FULL} than {recipe.steps} steps of {rival}"


def _nearer(error: float, own: float) -> str:
    """ "4.8 times nearer": by what a recipe's error is smaller than another's."""
    if own * MOST_TIMES < error:
        return f"more than {MOST_TIMES} times nearer"
    times = error / own
    return "a little nearer" if times < LEAST_TIMES else f"{times:.2g} times nearer"


def _rival(recipe: Recipe) -> tuple[str, float | None, bool] | None:
    """(the best setting of the host's own lists that was measured beside a recipe, its error, whether
    it is what the recipe's step count was compared with)."""
    from ..scheduler.record import Choice
    from ..scheduler.record.verdict import SEEN
    from ..scheduler.samplers.names import DISTILLED, RELATIVE

    found, labels = recipe.evidence, sampler_labels()
    own = RELATIVE if recipe.sampler == DISTILLED else recipe.sampler
    errors = {name: each.get("rms") for name, each in found.get("stock", {}).items()}
    errors.setdefault(found["best_stock"], None)
    ranked = sorted(errors, key=lambda name: (name != found["best_stock"], errors[name] or 1e9))
    for name in ranked:
        choice = Choice.read(name)
        sampler = choice.sampler or own
        if sampler in labels and schedule_label(choice.schedule):
            compared = name == found["best_stock"] or (
                found.get("verdict") == SEEN and sampler == RELATIVE
            )
            return setting(choice.schedule, sampler), errors[name], compared
    return None
