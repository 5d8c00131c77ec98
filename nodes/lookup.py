"""From a MODEL and what a graph asks for to a recipe and a sentence that says where it comes from.
Nothing is substituted silently."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..scheduler.errors import RecipeError, SigmaRangeError, StepDistillError, UnknownNameError
from ..scheduler.fingerprint.kinship import OTHER, SAME
from ..scheduler.lookup.key import Key, differences, range_words, same_noise, same_range
from ..scheduler.lookup.match import EXACT, Match, judged, kinship_of
from ..scheduler.record import Recipe, Record
from ..scheduler.record.verdict_words import described
from ..scheduler.record.words import contents
from ..scheduler.sigmas.noise_table import NoiseTable
from ..scheduler.sigmas.validity import check_steps
from .choice import (
    Asked,
    asked,
    counted,
    default_sampler,
    evidence_words,
    recipe_for,
    settled,
    states,
    stock_recipe,
)
from .host.model_facts import ModelFacts, advice_of, facts_of, key_of
from .host.store import best, gram_for, store
from .host.workflow_records import keep, kept
from .names import STOCK

IF_MISSING = ("stock", "error")
WHOLE = 0.9999  # a denoise above counts as 1, as in the host


@dataclass(frozen=True)
class Found:
    """recipe: exactly N steps, whatever its source. info: one to three sentences for people.
    source: "record" (the one that was given), "exact" or "nearest" (from the store), or "stock".
    table: the model's own. record, name: where the recipe comes from, if anywhere."""

    recipe: Recipe
    info: str
    source: str
    table: NoiseTable
    record: Record | None = None
    name: str = ""


def find(
    model: Any,
    sampler: str | None,
    steps: int,
    denoise: float = 1.0,
    start_sigma: float | None = None,
    record: Record | None = None,
    offsets: bool = True,
    if_missing: str = "stock",
    cfg: float | None = None,
    latent_shape: Sequence[int] | None = None,
    guidance: float | None = None,
) -> Found:
    """The recipe for a sampler (the host's name; None: the record's default) and N steps, from a
    record or the store, or stock's.

    model: a MODEL, or its ModelFacts. denoise: where start_sigma is None, the start is the model's
    sigma at that part of its clock. offsets: whether the caller can carry query offsets. cfg,
    guidance, latent_shape: None where the caller cannot know them. Raises RecipeError (nothing is
    there and if_missing is "error"; another model's record), SigmaRangeError, StepsError.
    """
    facts = model if isinstance(model, ModelFacts) else facts_of(model)
    if if_missing not in IF_MISSING:
        raise UnknownNameError(
            f"if_missing is {if_missing!r}; use one of: {', '.join(IF_MISSING)}."
        )
    steps, start = check_steps(steps), start_for(facts.table, denoise, start_sigma)
    key = key_of(facts, None, cfg, latent_shape, guidance)
    source = _given(record, key) if record is not None else _stored(key, sampler, steps, start)
    sampler = sampler or default_sampler(source.record) if source.record else sampler or "euler"
    wanted = asked(sampler, steps, start, offsets)
    try:
        if source.record is None:
            raise RecipeError(source.words)
        recipe, note = recipe_for(source.record, wanted, source.gram, facts.sigma_min, source.again)
        recipe = settled(recipe, facts.sigma_max)
        return Found(
            recipe,
            _info(source, recipe, note, start),
            source.kind,
            facts.table,
            source.record,
            source.name,
        )
    except StepDistillError as problem:
        if if_missing == "error":
            cure = "set if_missing to stock" + (
                ", or distil with Distill Schedule" if wanted.rule else ""
            )
            raise RecipeError(f"{str(problem).rstrip('.')}; {cure}.") from None
        return _stock(model, facts, wanted, start_sigma is None and denoise or 1.0, str(problem))


def start_for(table: NoiseTable, denoise: float, start_sigma: float | None = None) -> float | None:
    """Where a run starts: at `start_sigma`, or at the sigma of the model's clock that a denoise
    stands for; None: at sigma_max.

    Raises SigmaRangeError for a start that the model does not have and for a denoise that is not
    above 0.
    """
    if start_sigma is not None:
        if not 0 < start_sigma <= table.sigma_max * (1 + 1e-4):
            raise SigmaRangeError(
                f"The start sigma is {start_sigma:g}; it must be above 0 and at most the model's {table.sigma_max:g}."
            )
        return None if start_sigma >= table.sigma_max else float(start_sigma)
    if not 0 < denoise <= 1:
        raise SigmaRangeError(f"denoise is {denoise:g}; it must be above 0 and at most 1.")
    return None if denoise > WHOLE else table.percent_to_sigma(1 - denoise)


def described_source(model: Any, record: Record | None, offsets: bool) -> tuple[Record | None, str]:
    """(the record that runs of a MODEL will use, or None; what to say of it). Raises RecipeError
    and SigmaRangeError as `find` does."""
    key = key_of(facts_of(model))
    source = _given(record, key) if record is not None else _stored(key, None)
    if source.record is None:
        advice = advice_of(model)
        info = f"{source.words}: samplers whose scheduler is 'distilled' run the stock schedule '{STOCK}' until you distil one."
        return None, f"{info} {advice.text}" if advice else info
    title = source.record.model.name or source.name or "an unnamed model"
    info = f"Samplers whose scheduler is 'distilled' use the record of {title} ({contents(source.record)}), "
    info += f"{'with' if offsets else 'without'} query offsets."
    return (
        source.record,
        f"{info} It differs from what you run: {source.words}."
        if source.words
        else f"{info} {_made_at(source.record)}",
    )


@dataclass(frozen=True)
class _Source:
    """A record that may serve, or none. kind: as Found.source. words: how it differs, or why there
    is none. again: its range is another, so that only its inner products count."""

    record: Record | None
    kind: str
    words: str
    name: str = ""
    again: bool = False

    def gram(self):
        return gram_for(self.record, self.name)


def _given(record: Record, key: Key) -> _Source:
    """A record that the user named: refused for another model or kind of noise, its differences
    told otherwise."""
    if not isinstance(record, Record):
        raise RecipeError(
            f"The input 'record' got a {type(record).__name__}; connect the output of a StepDistill node that has a record."
        )
    found, title = Key.of(record), record.model.name or "an unnamed model"
    if not same_noise(key, found):
        kinds = [f"{each.parametrisation}, {each.prediction}" for each in (found, key)]
        raise SigmaRangeError(
            f"This record is for another kind of noise ({kinds[0]}; your model is {kinds[1]}); distil your own."
        )
    known = key.fingerprint is not None and found.fingerprint is not None
    kin = kinship_of(key, found) if known else None
    if known and kin.kind == OTHER:
        raise RecipeError(
            f"This record is for {title}, and yours is {kin.words}; connect a record of your own model, or distil one."
        )
    again = not same_range(key, found)
    if again and gram_for(record) is None:
        raise SigmaRangeError(
            f"This record was {range_words(key, found)}, and schedules are never stretched; distil for your model."
        )
    words = [] if kin is None or kin.kind == SAME else [kin.words]
    words += ["it names no checkpoint"] if kin is None else []
    return _Source(
        record, "record", "; ".join([*words, *differences(_filled(key, found), found)]), "", again
    )


def _stored(key: Key, sampler: str | None, steps: int = 1, start: float | None = None) -> _Source:
    """The best record in the store that may be used, which the workflow then carries; else one that
    the workflow carries.

    Of several records of one model, one that states the recipe goes before one from which it could
    only be solved.
    """
    wanted = asked(sampler, steps, start, True) if sampler else None
    match = best(key, wanted and wanted.rule)
    if wanted and wanted.rule and match is not None and not states(match.record, wanted):
        match = _stating(key, wanted) or match
    if match is None or not match.allowed:
        return _from_workflow(key, match)
    keep(match.record)
    found = Key.of(match.record)
    again = not same_range(key, found)
    match = _judged_again(match, key, found)
    words = [
        word for word in match.words if match.kin.kind != SAME or word != match.kin.words
    ]  # the same weights are no difference
    return _Source(match.record, match.kind, "; ".join(words), match.name, again)


def _stating(key: Key, wanted: Asked) -> Match | None:
    """The nearest record of this very model that states the recipe, the newest of equals."""
    found = []
    for brief in store().records():
        if (
            key.fingerprint is not None
            and brief.fingerprint == key.fingerprint.id
            and wanted.rule in brief.samplers
        ):
            try:
                match = judged(store().load(brief.file), key, "near", name=brief.file)
            except StepDistillError:
                continue
            found += (
                [match]
                if match is not None and match.allowed and states(match.record, wanted)
                else []
            )
    return min(found, key=lambda match: len(match.words), default=None)


def _from_workflow(key: Key, refused: Match | None) -> _Source:
    match = kept(key)
    if match is not None:
        words = "; ".join(differences(_filled(key, Key.of(match.record)), Key.of(match.record)))
        return _Source(match.record, "record", words, "this workflow")
    why = "" if refused is None else f". {refused.sentence.rstrip('.')}"
    return _Source(None, "stock", f"No record of this model is in the store{why}")


def _judged_again(match: Match, key: Key, found: Key) -> Match:
    """The match without the differences that are none: conditions that the caller cannot know are
    taken as the record's."""
    return judged(match.record, _filled(key, found), "near", True, match.name) or match


def _filled(key: Key, found: Key) -> Key:
    names = ("cfg", "guidance", "latent_shape")
    return replace(
        key, **{name: getattr(found, name) for name in names if getattr(key, name) is None}
    )


def _info(source: _Source, recipe: Recipe, note: str, start: float | None) -> str:
    title = source.record.model.name or source.name or "an unnamed model"
    carried = f" that {source.name} carries" if source.kind == "record" and source.name else ""
    head = {EXACT: f"Distilled for {title}", "record": f"From the record of {title}{carried}"}.get(
        source.kind, f"Nearest record: {title}"
    )
    where = "" if start is None else f" from sigma {recipe.start_sigma:.4g}"
    parts = [
        f"{head}, {counted(recipe.steps)}{where}: {described(recipe)}; {evidence_words(recipe)}."
    ]
    parts += [f"{note[:1].upper()}{note[1:]}."] if note else []
    parts += (
        [f"It differs from what you run: {source.words}."]
        if source.words
        else [_made_at(source.record)]
    )
    return " ".join(part for part in parts if part)


def _made_at(record: Record) -> str:
    under = record.conditions
    parts = [f"cfg {under.cfg:g}"] if under.cfg is not None else []
    parts += [f"a latent of {'x'.join(map(str, under.latent_shape))}"] if under.latent_shape else []
    return f"Made at {' and '.join(parts)}." if parts else ""


def _stock(model: Any, facts: ModelFacts, wanted: Asked, denoise: float, why: str) -> Found:
    advice = None if isinstance(model, ModelFacts) else advice_of(model)
    info = f"Stock schedule '{STOCK}', {counted(wanted.steps)}, not distilled: {why[:1].lower()}{why[1:].rstrip('.')}."
    recipe = settled(stock_recipe(facts.table, wanted, denoise), facts.sigma_max)
    return Found(recipe, f"{info} {advice.text}" if advice else info, "stock", facts.table)
