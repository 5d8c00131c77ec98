"""Both halves of a run that two models share, by the record of a pair (Distil Pair): the schedule in
both, and the step where the first hands over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .distilled import unlinked
from .document import Document
from .facts import facts_of
from .kinds import ENTRY
from .outcome import Done, Left, Outcome, edits, tried
from .pairs import Pair
from .sites import Site, place

if TYPE_CHECKING:
    from ..record import Recipe, Record

STORED = "both records of the pair in StepDistill's store (Distil Pair keeps them there)"
_WHOLE = (
    "the record is of one half of a pair, and this is no half of a run of two models; give a record "
    "of its own model"
)


@dataclass(frozen=True)
class Cut:
    """What a half runs: steps `start` to `end` of `recipe`."""

    recipe: Recipe
    start: int
    end: int


def is_pair(record: Record | None) -> bool:
    """Whether a record is of one half of a pair."""
    if record is None:
        return False
    from ..record.pair_half import pair_half  # numpy: not before there is a record

    return pair_half(record) is not None


def why_not(document: Document, pair: Pair, pairs: Sequence[Pair], record: Record) -> str | None:
    """Why a pair's record does not fit the halves of a run, or None."""
    nodes = (pair.first.node, pair.second.node)
    if sum(node in (each.first.node, each.second.node) for each in pairs for node in nodes) > 2:
        return "the run has more than two parts, and the record is for two"
    if any("slice" not in site.spec for site in (pair.first, pair.second)):
        return "only KSampler (Advanced) can be told where to hand over"
    return _recipe(document, pair, record)[1]


def cuts(document: Document, pairs: Sequence[Pair], record: Record) -> dict[str, Cut]:
    """What each half runs, by its place."""
    from ..record.pair_half import hand_over_step

    found = {}
    for pair in pairs:
        recipe, _ = _recipe(document, pair, record)
        step = None if recipe is None else hand_over_step(recipe)
        if recipe is not None and step is not None:
            found[place(pair.first.node)] = Cut(recipe, 0, step)
            found[place(pair.second.node)] = Cut(recipe, step, recipe.steps)
    return found


def to_half(document: Document, site: Site, cut: Cut | None) -> Outcome:
    """Swap one half to `distilled`, or leave it and say why."""

    def change() -> Done:
        if cut is None:
            raise Left("no_recipe", _WHOLE)
        node, name = site.node, site.spec["scheduler"]
        moved = "end_at_step" if cut.start == 0 else "start_at_step"
        unlinked(document, site, name, moved)
        values = {name: ENTRY, moved: cut.end if cut.start == 0 else cut.start}
        was = {each: node.value(each) for each in values}
        if was == values:
            return Done("already", "distilled")
        for each, value in values.items():
            node.set(each, value)
        edits(node).remember(node, {"to": ENTRY, "was": was, "now": values})
        steps = f"steps {cut.start} to {cut.end} of {cut.recipe.steps}"
        return Done("swapped", f"scheduler {was[name]} -> {ENTRY}, {steps}", [_gained(cut.recipe)])

    return tried(site.node, "swapped", change)


def _gained(recipe: Recipe) -> str:
    ratio = recipe.evidence.get("ratio")
    if not recipe.choice.ours:
        return f"the stock pair {recipe.choice} was the best"
    if ratio is None:
        return "not measured"
    return f"{ratio:.2f} of the error of the best stock pair"


def _recipe(document: Document, pair: Pair, record: Record) -> tuple[Recipe | None, str | None]:
    from ..record.counts import ranges
    from ..record.pair_half import hand_over_step

    facts = facts_of(document, pair.first)
    of = [each for each in record.recipes if each.sampler == facts.sampler]
    for recipe in of:
        if recipe.steps == facts.steps and hand_over_step(recipe) is not None:
            return recipe, None
    known = f"it has {ranges({each.steps for each in of})} steps" if of else "it has none for that"
    return None, (
        f"the pair's record has no recipe for {facts.steps} steps of {facts.sampler}; {known}"
    )
