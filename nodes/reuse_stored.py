"""What the store already has of a wish: a record that is as good is taken, and what a new one would
lose of it is kept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..scheduler.errors import RecordError, StepDistillError, UnknownNameError
from ..scheduler.record import Record
from .distill_request import QUALITY, Wish

ENOUGH = 0.6  # of the model calls that would be planned now: the next lower quality has a quarter
PLANNED = re.compile(r"Plan: at most (\d+) model calls")
KEPT = re.compile(r" Recipes for ([\d, ]+) steps are kept from the record of [\d-]+, made by: ")
MOST_WORDS = 2000  # of a record's provenance


@dataclass(frozen=True)
class Part:
    """Step counts of a record that were made together; how: the plan that made them."""

    steps: frozenset[int]
    how: str

    def quality(self, samplers: tuple[str, ...], sets: int, wish: Wish, samples: int | None) -> int:
        """The highest quality, by its place in QUALITY, whose plan asks for about as many model
        calls; the highest where it is not said."""
        said = PLANNED.match(self.how)
        if said is None:
            return len(QUALITY) - 1
        own = replace(wish, samplers=samplers, steps=tuple(sorted(self.steps)), sets=sets)
        try:
            needed = [ENOUGH * replace(own, quality=name).plan(samples).calls for name in QUALITY]
        except StepDistillError:  # made elsewhere, of what this node does not make
            return len(QUALITY) - 1
        return max(
            (place for place, calls in enumerate(needed) if int(said[1]) >= calls), default=-1
        )


def in_store(
    store, key, wish: Wish, samples: int | None = None
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
        why = f"The store's record {name} was made with less effort than {wish.quality}; a better one takes its place."
    return None, why


def with_earlier(
    store, key, record: Record, wish: Wish, samples: int | None = None
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
    first, *rest = KEPT.split(record.provenance.get("how", ""))
    kept = [
        Part(frozenset(map(int, steps.split(","))), how)
        for steps, how in zip(rest[::2], rest[1::2], strict=True)
    ]
    every = {recipe.steps for recipe in record.recipes}
    return [Part(frozenset(every.difference(*(part.steps for part in kept))), first), *kept]


def _merged(record: Record, earlier: Record, wish: Wish, samples: int | None) -> tuple[Record, str]:
    held, how, counts = (
        {recipe.steps for recipe in record.recipes},
        record.provenance.get("how", ""),
        set(),
    )
    source = f"steps are kept from the record of {earlier.provenance['created'][:10]}"
    for part in parts_of(earlier):
        better = _quality(part, earlier, wish, samples) > QUALITY.index(wish.quality)
        steps = sorted(part.steps if better else part.steps - held)
        clause = f" Recipes for {', '.join(map(str, steps))} {source}, made by: "
        if steps and len(how) + len(clause) + len(part.how) <= MOST_WORDS:
            how, counts = how + clause + part.how, counts | set(steps)
    if not counts:
        return record, ""
    recipes = [each for each in record.recipes if each.steps not in counts] + [
        each for each in earlier.recipes if each.steps in counts
    ]
    words = f"Recipes for {', '.join(map(str, sorted(counts)))} {source}."
    return replace(
        record, recipes=tuple(recipes), provenance=record.provenance | {"how": how}
    ), words


def _quality(part: Part, record: Record, wish: Wish, samples: int | None) -> int:
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


def _has_all(record: Record, wish: Wish) -> bool:
    top = record.model.sigma_max
    held = {
        (recipe.sampler, recipe.steps)
        for recipe in record.recipes
        if recipe.start_sigma >= top * (1 - 1e-5)
    }
    return all((sampler, steps) in held for sampler in wish.samplers for steps in wish.steps)
