"""Which of a record's recipes a node gets as explicit sigmas: plain ones for stock samplers,
without offsets or coefficients."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import RecipeError
from ..record import Record
from ..record.verdict_words import verdict_if_any
from .kinds import ENTRY, rule_of

WHOLE = 0.9999  # a denoise above counts as 1, as in ComfyUI


@dataclass(frozen=True)
class Plain:
    """sampler: the one that shall run it. sigmas: N + 1, from the start to 0. words: what it is.
    notes: what must be said of it."""

    sampler: str
    sigmas: tuple[float, ...]
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
    """The recipe for a sampler of the host, N steps and a start; for the sampler `distilled` the
    best of a stock one.

    start: the first sigma; None: what the denoise stands for. Raises RecipeError, saying what the
    record has.
    """
    start = _start(record, denoise) if start is None else _stated(record, start)
    notes = []
    if sampler == ENTRY:
        recipe = _best(record, steps, start)
        sampler = recipe.sampler
        notes.append(f"sampler {ENTRY} -> {sampler}")
    else:
        rule, measured = rule_of(sampler)
        if rule is None:
            raise RecipeError(f"There is no schedule for the sampler {sampler}.")
        recipe = record.recipe(rule, steps, start, offsets=False)
        notes += [] if measured else [f"{sampler} takes {rule}'s schedule, not measured for it"]
    made_at = record.conditions.cfg
    if None not in (made_at, cfg) and abs(made_at - cfg) > 0.01:
        notes.append(f"the record was made at cfg {made_at:g}, this runs at {cfg:g}")
    words = "distilled" if recipe.choice.ours else f"stock's {recipe.choice} won"
    said = verdict_if_any(recipe)
    return Plain(
        sampler,
        recipe.sigmas,
        f"{words}; {said}" if said else words,
        tuple(notes),
    )


def decimals(sigmas: tuple[float, ...]) -> str:
    """Sigmas as ManualSigmas takes them."""
    from ..sigmas.decimals import baked  # numpy: not before it is needed

    return baked(sigmas)


def _start(record: Record, denoise: float) -> float | None:
    from ..sigmas.noise_table import table_for

    model = record.model
    if denoise > WHOLE:
        return None
    return _stated(
        record,
        table_for(
            model.sigma_min, model.sigma_max, model.parametrisation, model.shift
        ).percent_to_sigma(1 - denoise),
    )


def _stated(record: Record, start: float) -> float:
    """The start as the record's own recipes state it, where it is the same up to rounding."""
    starts = {recipe.start_sigma for recipe in record.recipes}
    return next((each for each in sorted(starts) if abs(each - start) <= 1e-4 * each), start)


def _best(record: Record, steps: int, start: float | None):
    """Of the plain recipes for stock samplers that take one model call a step the one with the
    least measured error."""
    first = record.model.sigma_max if start is None else start
    fitting = [
        each
        for each in record.recipes
        if each.steps == steps and abs(each.start_sigma - first) <= 1e-4 * first
    ]
    plain = [
        each
        for each in fitting
        if each.sampler not in (ENTRY, "heun")
        and each.offsets is None
        and each.coefficients is None
    ]
    if not plain:
        return record.recipe("dpmpp_2m", steps, start, offsets=False)  # says what there is
    return min(
        plain, key=lambda each: (each.evidence.get("rms") is None, each.evidence.get("rms") or 0.0)
    )
