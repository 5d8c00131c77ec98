"""Which recipe a picture gets of those that are known, and whether it was fitted for just this."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..lookup.differences import PATCH_STRENGTH
from ..lookup.key import Key
from ..lookup.makers_run import MakersRun, own_run
from ..lookup.match import EXACT, Match, judged
from ..lookup.selection import SOLVED, Selection, select
from ..lookup.shelves import Shelf, matches_on
from ..lookup.starts import same_start
from ..record import Recipe, Record
from ..record.provenance import RECIPES, RECORDING
from ..record.verdict_words import answers_at_once
from ..samplers.names import DISTILLED
from ..store import Store
from .bend import FEWEST, bend_of
from .full_run import SCHEDULES, few_of
from .situation import AT_THE_BEND, Situation

AT_ONCE = (
    "This model answers its first call with a picture already, as step-distilled ones (Turbo, "
    "Lightning) do, so many steps of it are no truth to imitate: {}."
)
NAME_ITS_RUN = "put Maker's Sigmas after its loader"
NEAR_BEND = 2  # steps more than where the curve bends that are not learnt anew for it
ENOUGH_TIMES = 2  # fits after which stock is believed to be as good, where ours has not beaten it


def recognised(situation: Situation, store: Store, advice: str = NAME_ITS_RUN) -> Situation:
    """The situation of a model that is known to answer at once, as step-distilled ones do, by what was
    learnt of it. advice: what the host has for it instead."""
    if situation.own_run is not None:
        return situation
    record = base_record(store, situation)
    if record is None or not answers_at_once(record):
        return situation
    own = MakersRun(why_not=AT_ONCE.format(advice))
    return replace(situation, facts=replace(situation.facts, makers_run=own))


def settled(
    situation: Situation, shelves: Sequence[Shelf], given: Match | None = None
) -> Situation:
    """The situation with its steps known, where a record tells where the error curve bends; of a
    model that has few steps already, the fewest."""
    if situation.steps != AT_THE_BEND:
        return situation
    if situation.own_run is not None:
        own = situation.own_run.steps
        return situation.with_steps(few_of(own) if own else FEWEST)
    matches = (given,) if given is not None else exact_matches(situation, shelves)
    for match in matches:
        steps = _bend(match.record, situation)
        if steps is not None:
            return situation.with_steps(steps)
    return situation


def chosen(
    situation: Situation,
    shelves: Sequence[Shelf],
    carried: Sequence[Shelf] = (),
    given: Match | None = None,
    newest: bool = False,
) -> Selection:
    """The recipe for a picture: what a graph carries goes first where it was fitted for just this.

    carried: shelves of the graph's own, whatever the others have learnt since (newest: looked at
    after them). given: of a record that the user named; nothing else is looked at then. Raises
    StepsError.
    """
    wanted, facts, key = situation.wanted, situation.facts, situation.key
    usual = SCHEDULES[facts.process]
    shelves = [OfItsKind(each, situation) for each in shelves]
    carried = [OfItsKind(each, situation) for each in carried]
    if given is None and carried and not newest:
        found = select(wanted, facts, key, None, carried)
        if fits(found) and not found.stretched:
            return found
    return select(wanted, facts, key, given, (*shelves, *carried), usual=usual)


def fits(found: Selection) -> bool:
    """Whether a recipe was fitted for these very weights, conditions, steps and start.

    Only a LoRA's strength may differ, for it may be animated, and the start a little; both are said.
    """
    match = found.match
    substituted = found.substituted and not found.stretched
    if match is None or found.measured == SOLVED or substituted:
        return False
    near = all(each.code == PATCH_STRENGTH for each in match.differences)
    return near and match.same_weights


def gained(found: Selection) -> bool:
    """Whether a recipe that fits need not be learnt again: ours has won, or stock often enough."""
    record = found.record
    assert record is not None
    if own_run(record):  # the answer does not change: its levels are few
        return True
    return found.recipe.choice.ours or times_fitted(record, found.recipe) >= ENOUGH_TIMES


def times_fitted(record: Record, recipe: Recipe) -> int:
    """How often recipes for these steps from this start were fitted, by the record's stages."""
    times, starts = 0, [recipe.start_sigma]
    for each in record.provenance.get("stages", ()):
        if each.get("stage") == RECORDING:
            runs = each.get("recordings") or ()  # else a teacher of its own, from any start
            starts = [run.get("start_sigma", recipe.start_sigma) for run in runs]
            starts = starts or [recipe.start_sigma]
        elif each.get("stage") == RECIPES and recipe.steps in each.get("steps", ()):
            times += same_start(min(starts), recipe.start_sigma)
    return times


class OfItsKind:
    """A shelf's records that were learnt from what a model's truth is: of a step-distilled one its
    maker's run, of another many steps."""

    def __init__(self, shelf: Shelf, situation: Situation):
        self.shelf, self.own = shelf, situation.own_run is not None

    def matches(self, key: Key, policy: str = "near") -> Iterator[Match]:
        found = self.shelf.matches(key, policy)
        return (each for each in found if own_run(each.record) == self.own)


class OneRecord:
    """A record in hand, as a shelf."""

    def __init__(self, record: Record):
        self.record = record

    def matches(self, key: Key, policy: str = "near") -> list[Match]:
        found = judged(self.record, key, policy)
        return [found] if found is not None else []


def base_record(store: Store, situation: Situation) -> Record | None:
    """The store's record of just these conditions that has recipes for `distilled`, or None."""
    for match in exact_matches(situation, (OfItsKind(store, situation),)):
        if any(each.sampler == DISTILLED for each in match.record.recipes):
            return match.record
    return None


def fitted(record: Record, situation: Situation) -> list[Recipe]:
    """The recipes for `distilled` from the situation's start."""
    return [
        each
        for each in record.recipes
        if each.sampler == DISTILLED and situation.starts_at(each.start_sigma)
    ]


def exact_matches(situation: Situation, shelves: Sequence[Shelf]) -> Iterator[Match]:
    """The records of just these conditions, the best first; by_check those of another cfg."""
    key = replace(situation.key, sampler=None)
    found = matches_on(shelves, key, (DISTILLED,), "exact")
    return (each for each in found if each.kind == EXACT or (each.allowed and not each.differences))


def _bend(record: Record, situation: Situation) -> int | None:
    """Where the curve bends, or the least of a few steps more that were fitted; where that is not known, the
    most that were; None where none was."""
    counts = sorted({each.steps for each in fitted(record, situation)})
    if not counts or record.gram is None:
        return counts[-1] if counts else None
    bend = bend_of(record.gram, situation.start_sigma)
    return next((each for each in counts if bend <= each <= bend + NEAR_BEND), bend)
