"""What the store already has of a wish: a record that is as good is taken, and what a new one would
lose of it is kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..scheduler.errors import RecordError, StepDistillError, UnknownNameError
from ..scheduler.record import SAME_START, Record
from .distill_request import QUALITY, GraphWish

ENOUGH = 0.6  # of the model calls that would be planned now: the next lower quality has a quarter
MOST_PLANS = 100  # of a record's provenance


@dataclass(frozen=True)
class Part:
    """Step counts of a record that were made together, by one plan; plan: its data, or None where
    the record does not say."""

    steps: frozenset[int]
    plan: dict | None

    def quality(
        self, samplers: tuple[str, ...], sets: int, wish: GraphWish, samples: int | None
    ) -> int:
        """The highest quality, by its place in QUALITY, whose plan asks for about as many model
        calls; the highest where it is not said."""
        if self.plan is None:
            return len(QUALITY) - 1
        own = replace(wish, samplers=samplers, steps=tuple(sorted(self.steps)), sets=sets)
        try:
            needed = [ENOUGH * replace(own, quality=name).plan(samples).calls for name in QUALITY]
        except StepDistillError:  # made elsewhere, of what this node does not make
            return len(QUALITY) - 1
        return max(
            (place for place, calls in enumerate(needed) if self.plan["calls"] >= calls), default=-1
        )


def in_store(
    store, key, wish: GraphWish, samples: int | None = None
) -> tuple[str, Record] | tuple[None, str]:
    """(its name, the record) of one in the store that has every recipe wished for, made under the
    same conditions with no less effort.

    Else (None, a sentence why one that fits otherwise is made anew, or ""). samples: rows of each
    set that memory allows (None: any).
    """
    why = ""
    for name, record in _exact(store, key):
        if not _has_all(record, wish):
            continue
        needed = [part for part in parts_of(record) if part.steps & set(wish.steps)]
        if all(
            _quality(part, record, wish, samples) >= QUALITY.index(wish.quality) for part in needed
        ):
            return name, record
        name = name.removesuffix(".json")
        why = f"The store's record {name} was made with less effort than {wish.quality}; "
        why += "a better one takes its place."
    return None, why


def with_earlier(
    store, key, record: Record, wish: GraphWish, samples: int | None = None
) -> tuple[Record, str]:
    """(the record, with what is worth keeping of the one whose place in the store it takes; a
    sentence that says so, or "").

    That is: recipes for step counts that it lacks, and those that were made with more effort.
    """
    samplers = {recipe.sampler for recipe in record.recipes}
    for _, earlier in _exact(store, key):
        if {recipe.sampler for recipe in earlier.recipes} == samplers:
            return _merged(record, earlier, wish, samples)
    return record, ""


def parts_of(record: Record) -> list[Part]:
    """The parts of a record: what was made last, and what was kept from earlier ones."""
    every = {recipe.steps for recipe in record.recipes}
    plans = record.provenance.get("plans", [])
    planned = [Part(frozenset(every.intersection(plan["steps"])), plan) for plan in plans]
    rest = every.difference(*(part.steps for part in planned))
    return [*planned, Part(frozenset(rest), None)] if rest else planned


def _merged(
    record: Record, earlier: Record, wish: GraphWish, samples: int | None
) -> tuple[Record, str]:
    held, kept = {recipe.steps for recipe in record.recipes}, {}
    for part in parts_of(earlier):
        better = _quality(part, earlier, wish, samples) > QUALITY.index(wish.quality)
        for steps in part.steps if better else part.steps - held:
            kept[steps] = part.plan
    if not kept:
        return record, ""
    recipes = [each for each in record.recipes if each.steps not in kept]
    recipes += [each for each in earlier.recipes if each.steps in kept]
    whole = replace(record, recipes=tuple(recipes), provenance=_joined(record, earlier, kept))
    counts, made = ", ".join(map(str, sorted(kept))), earlier.provenance["created"][:10]
    return whole, f"Recipes for {counts} steps are kept from the record of {made}."


def _joined(record: Record, earlier: Record, kept: dict[int, dict | None]) -> dict:
    """The provenance of a record with step counts of an earlier one: the plans of both, each with
    the steps that are its own, and the stages that made them."""
    plans = [
        plan | {"steps": [n for n in plan["steps"] if n not in kept]}
        for plan in record.provenance.get("plans", [])
    ]
    for plan in earlier.provenance.get("plans", []):
        steps = sorted(n for n, own in kept.items() if own == plan)
        plans += [plan | {"steps": steps}] if steps else []
    return record.provenance | {"plans": plans[:MOST_PLANS]}


def _quality(part: Part, record: Record, wish: GraphWish, samples: int | None) -> int:
    samplers = tuple(dict.fromkeys(recipe.sampler for recipe in record.recipes))
    return part.quality(samplers, record.conditions.prompts or 1, wish, samples)


def _exact(store, key) -> Iterator[tuple[str, Record]]:
    """The store's records of these very weights and conditions, the newest first."""
    from ..scheduler.lookup.match import EXACT, judged

    for brief in store.records():
        if key.fingerprint is None or brief.fingerprint != key.fingerprint.id:
            continue
        try:
            record = store.load(brief.file)
        except (RecordError, UnknownNameError):  # broken, or removed meanwhile
            continue
        match = judged(record, replace(key, sampler=None), "exact")
        if match is not None and match.kind == EXACT:
            yield brief.file, record


def _has_all(record: Record, wish: GraphWish) -> bool:
    top = record.model.sigma_max
    held = {
        (recipe.sampler, recipe.steps)
        for recipe in record.recipes
        if recipe.start_sigma >= top * (1 - SAME_START)
    }
    return all((sampler, steps) in held for sampler in wish.samplers for steps in wish.steps)
