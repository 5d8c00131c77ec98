"""What a node gets as explicit sigmas: plain ones, without offsets or coefficients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import RecipeError
from ..lookup import words
from ..lookup.differences import CFG, Difference
from ..lookup.given import select_from
from ..lookup.selection import Selection
from ..lookup.serving import PLAIN
from ..lookup.stand_in import MEASURED
from ..lookup.starts import same_start
from ..record import Choice, Recipe, Record
from ..record.choice import PUBLISHED
from ..record.verdict_words import verdict_if_any
from ..samplers.names import stock_sampler
from .borrowing import borrowed
from .kinds import ENTRY


@dataclass(frozen=True)
class Plain:
    """A schedule for a node.

    sampler: the one that shall run it. sigmas: N + 1, from the start to 0. choice: what won. words:
    what it is. notes: what must be said of it. ahead: the same as a sentence, before it is done.
    """

    sampler: str
    sigmas: tuple[float, ...]
    choice: Choice
    words: str
    notes: tuple[str, ...]
    ahead: str = ""


def plain_recipe(
    record: Record,
    sampler: str,
    steps: int,
    denoise: float = 1.0,
    start: float | None = None,
    cfg: float | None = None,
) -> Plain:
    """The recipe for a sampler of the host, N steps and a start; for `distilled` a stock sampler's.

    start: the first sigma; None: what the denoise stands for. Raises RecipeError, saying what the
    record has, and SigmaRangeError.
    """
    found = select_from(record, sampler, steps, denoise, start, cfg=cfg)
    if found.reason is not None:
        return _stock_in_its_place(record, found)
    recipe = found.recipe
    plain = any(each.code == PLAIN for each in found.substituted)
    notes = borrowed(sampler, recipe.sampler)
    if plain:
        notes = [f"sampler {ENTRY} -> {recipe.sampler}"]
    notes += [
        _other_cfg(each) for each in found.differences if each.code == CFG and cfg is not None
    ]
    won = "distilled" if recipe.choice.ours else f"stock's {recipe.choice} won"
    if recipe.choice.schedule == PUBLISHED:
        won = "a published schedule"
    verdict = verdict_if_any(recipe)
    return Plain(
        recipe.sampler if plain else sampler,
        recipe.sigmas,
        recipe.choice,
        f"{won}; {verdict}" if verdict else won,
        tuple(notes),
    )


def _stock_in_its_place(record: Record, found: Selection) -> Plain:
    """Of a record that only holds what sigmas cannot carry: the best stock schedule that it measured,
    and what is lost by it."""
    stand_in = found.stand_in
    measured = stand_in is not None and stand_in.origin == MEASURED
    fitted = [each for each in record.recipes if each.sampler == ENTRY]
    if found.wanted.sampler != ENTRY or not measured:
        raise RecipeError(_why_not(found, bool(fitted)))
    recipe = found.recipe
    sampler = stock_sampler(recipe)
    best = f"the best stock schedule that the record measured, {recipe.choice.schedule}"
    more = _lost(fitted, found)
    told = f"{_STAY_BEHIND}: {more}" if more else _STAY_BEHIND
    ahead = f"{_ONLY_STOCK}, {recipe.choice.schedule}" + (f", with {more}" if more else "")
    return Plain(sampler, recipe.sigmas, recipe.choice, best, (told,), f"{ahead}.")


_STAY_BEHIND = "the recipe's coefficients stay behind, for core's nodes cannot carry them"
_ONLY_STOCK = "Core's nodes cannot carry the recipe itself: this writes its best stock schedule"
_WAY_ON = (
    f"the record holds recipes of the sampler {ENTRY}, whose coefficients core's nodes cannot carry; bake a "
    "Few-Step KSampler that starts from full noise, or distil for this sampler with Distill Schedule"
)
_BELOW = (
    "Core's nodes cannot carry the recipe itself, and the record has measured no stock schedule at "
    "denoise {denoise:g}: bake at denoise 1, or run Distill Schedule for a stock sampler and bake that."
)


def _why_not(found: Selection, fitted: bool) -> str:
    """Why nothing can be baked, and the way on."""
    assert found.reason is not None
    below = found.wanted.start is not None
    if found.wanted.sampler == ENTRY and fitted and below:
        return _BELOW.format(denoise=found.wanted.denoise)
    why = words.reason(found.reason)
    what, _, _ = why.partition("; distil for ")  # its own advice
    return f"{what.rstrip('.')}: {_WAY_ON}" if fitted else why


def _lost(fitted: Sequence[Recipe], found: Selection) -> str:
    """What the recipe that runs now has over what is baked, where it was measured."""
    baked = found.recipe
    alike = [each for each in fitted if each.steps == baked.steps and each.choice.ours]
    own = [each for each in alike if same_start(each.start_sigma, baked.start_sigma)]
    ratio = own[0].evidence.get("ratio") if own else None
    equal = own[0].evidence.get("equals_stock_steps") if own else None
    told = [f"{1 / ratio:.2g} times the error of now"] if ratio else []
    if equal and equal > baked.steps:
        told.append(f"as near as now with about {equal} steps")
    return ", ".join(told)


def decimals(sigmas: tuple[float, ...]) -> str:
    """Sigmas as ManualSigmas takes them."""
    from ..sigmas.decimals import baked  # torch: not before it is needed

    return baked(sigmas)


def _other_cfg(one: Difference) -> str:
    made = "none stated" if one.made is None else f"{one.made:g}"
    return f"the record was made at cfg {made}, this runs at {one.here:g}"
