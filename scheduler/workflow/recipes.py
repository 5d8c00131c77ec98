"""What a node gets as explicit sigmas: plain ones, without offsets or coefficients."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import RecipeError
from ..lookup import words
from ..lookup.differences import CFG, Difference
from ..lookup.given import select_from
from ..lookup.serving import PLAIN
from ..record import Choice, Record
from ..record.choice import PUBLISHED
from ..record.verdict_words import verdict_if_any
from .borrowing import borrowed
from .kinds import ENTRY


@dataclass(frozen=True)
class Plain:
    """A schedule for a node.

    sampler: the one that shall run it. sigmas: N + 1, from the start to 0. choice: what won. words:
    what it is. notes: what must be said of it.
    """

    sampler: str
    sigmas: tuple[float, ...]
    choice: Choice
    words: str
    notes: tuple[str, ...]


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
        raise RecipeError(words.reason(found.reason))
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


def decimals(sigmas: tuple[float, ...]) -> str:
    """Sigmas as ManualSigmas takes them."""
    from ..sigmas.decimals import baked  # torch: not before it is needed

    return baked(sigmas)


def _other_cfg(one: Difference) -> str:
    made = "none stated" if one.made is None else f"{one.made:g}"
    return f"the record was made at cfg {made}, this runs at {one.here:g}"
