"""What a node gains from a record: the fewest steps of ours that do as well as its own, by what was
measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..counted import counted
from ..lookup.given import select_from
from ..lookup.wanted import COEFFICIENTS
from ..record import Recipe, Record
from ..record.choice import Choice
from ..record.verdict import STOCK, WORSE, steps_saved
from ..samplers.names import DISTILLED
from . import gain_words
from .facts import SiteFacts
from .outcome import Left
from .to_learn import calls_of

NEARLY = 0.5  # of the steps that run: 6 of ours that equal 10 are offered for 20, not for 30


@dataclass(frozen=True)
class Gain:
    """steps: of ours. words: what is gained. recipe: whose."""

    steps: int
    words: str
    recipe: Recipe


def gain_of(record: Record, facts: SiteFacts, now: object = None, nearly: bool = False) -> Gain:
    """What a site gains; raises Left where nothing is, with the reason and what would help.

    facts: steps and denoise must be known. now: the stock scheduler that stands there, by name.
    nearly: whether steps that do nearly as well (NEARLY) are a gain too, and said as that.
    """
    assert facts.steps is not None and facts.denoise is not None
    calls = calls_of(facts)
    ours = sorted(_ours(record, facts, calls), key=lambda recipe: recipe.steps)
    if not ours:
        raise Left("no_gain", _nothing_known(record, facts))
    error = _measured(record, facts, now)
    for recipe in ours:
        if recipe.steps < calls and _does_as_well(recipe, calls, error):
            return Gain(recipe.steps, gain_words.fewer(record, recipe, facts, calls), recipe)
    same = ours[-1]
    ratio = same.evidence.get("ratio")
    if same.steps == facts.steps == calls and ratio is not None and ratio < 1:
        return Gain(same.steps, gain_words.better(record, same, facts, ratio), same)
    for recipe in ours if nearly else ():
        if recipe.steps < _equals(recipe) and _equals(recipe) >= NEARLY * calls:
            words = gain_words.near(record, recipe, facts, error, now)
            return Gain(recipe.steps, words, recipe)
    raise Left("no_gain", _not_enough(ours, facts))


def _reached(ours: list[Recipe]) -> tuple[int, int]:
    """(the most stock steps that a recipe was measured to equal, its own steps)."""
    most = max(ours, key=lambda each: (_equals(each), each.steps))
    return _equals(most), most.steps


def _equals(recipe: Recipe) -> int:
    """The stock steps that a recipe comes at least as near as; 0 where none is known."""
    return (steps_saved(recipe.evidence) or (0, False))[0]


def _ours(record: Record, facts: SiteFacts, most: int) -> Iterator[Recipe]:
    """The recipes with coefficients that run from this start, in at most so many steps, and are not
    known to be worse than stock."""
    assert facts.denoise is not None
    fitted = {each.steps for each in record.recipes if each.sampler == DISTILLED}
    for steps in fitted:
        if steps > most:
            continue
        found = select_from(
            record, DISTILLED, steps, facts.denoise, carries=COEFFICIENTS, cfg=facts.cfg
        )
        recipe = found.recipe
        fits = found.reason is None and not found.substituted and recipe.coefficients is not None
        if fits and recipe.choice.ours and recipe.evidence.get("verdict") not in (STOCK, WORSE):
            yield recipe


def _does_as_well(recipe: Recipe, calls: int, error: float | None) -> bool:
    """As the node's own run, where that was measured, or else as so many calls of the best stock."""
    rms = recipe.evidence.get("rms")
    if error is not None and rms is not None:
        return rms <= error
    return _equals(recipe) >= calls


def _measured(record: Record, facts: SiteFacts, now: object) -> float | None:
    """The error of the node's own schedule and sampler at its own steps, where a record has it: of one
    that adds noise it is beside pictures with the same noise, and ours are not among these."""
    if gain_words.adds_noise(facts):
        return None
    for recipe in record.recipes:
        if recipe.steps != facts.steps or facts.denoise != 1:
            continue
        for label, each in recipe.evidence.get("stock", {}).items():
            choice = Choice.read(label)
            if (choice.schedule, choice.sampler or recipe.sampler) == (now, facts.sampler):
                return each.get("rms")
    return None


def _not_enough(ours: list[Recipe], facts: SiteFacts) -> str:
    equal, steps = _reached(ours)
    if equal <= steps:
        return (
            f"nothing would be gained: no recipe of the record was measured as good as "
            f"{gain_words.own(facts)}; Distill Schedule again (standard or thorough), or Improve, may help"
        )
    do = "does" if steps == 1 else "do"
    return (
        f"nothing would be gained: the record's {counted(steps)} {do} what {equal} of stock's do, and "
        f"{facts.steps} run here; choose {equal} or fewer here, or distil for more steps"
    )


def _nothing_known(record: Record, facts: SiteFacts) -> str:
    starts = "" if facts.denoise == 1 else f" from denoise {facts.denoise:g}"
    if not any(each.sampler == DISTILLED for each in record.recipes):
        return (
            f"nothing would be gained: the record has no recipe for the sampler {DISTILLED}; "
            f"distil for {DISTILLED}"
        )
    return (
        f"nothing would be gained: the record has no recipe of ours{starts} in {facts.steps} steps "
        "or fewer; distil for that"
    )
