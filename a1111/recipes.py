"""What a pass of the host gets: the library's one selection, asked with what the host knows."""

from __future__ import annotations

from dataclasses import replace

from ..scheduler.errors import StepDistillError
from ..scheduler.lookup.differences import filled
from ..scheduler.lookup.given import given_match
from ..scheduler.lookup.key import Key
from ..scheduler.lookup.match import Match
from ..scheduler.lookup.model_facts import ModelFacts
from ..scheduler.lookup.selection import STOCK, Selection, select, stock_selection
from ..scheduler.lookup.serving import REFUSED, STOCK_ASKED, Reason
from ..scheduler.lookup.wanted import Wanted
from .compact import rounded
from .host import option
from .names import AUTOMATIC, STOCK_ONLY
from .stores import load, store


def find(
    facts: ModelFacts,
    key: Key,
    wanted: Wanted,
    choice: str = AUTOMATIC,
    before: str | None = None,
    pasted: Match | None = None,
) -> Selection:
    """The recipe for a pass; never raises for what a user can have done: then stock runs, and says why.

    choice: the panel's. before: the schedule that the sampler has of its own. pasted: the recipe
    that pasted parameters hold, which goes before all others.
    """
    before = _stand_in(before)
    if choice == STOCK_ONLY:
        return kept_from(facts, Reason(STOCK_ASKED, wanted), before)
    try:
        given = pasted
        if given is None and choice not in ("", AUTOMATIC):
            given = _named(key, choice)
        policy = str(option("stepdistill_policy", "near"))
        found = select(wanted, facts, key, given, (store(),), policy, before)
    except StepDistillError as problem:
        reason = Reason(REFUSED, wanted, sentence=str(problem))
        return stock_selection(wanted, facts, reason, (), before)
    if found.source == STOCK:
        return found
    return replace(found, recipe=rounded(found.recipe, facts))


def kept_from(facts: ModelFacts, reason: Reason, before: str | None = None) -> Selection:
    """The sampler's own schedule, for a pass that gets no recipe whatever there is."""
    unpublished = replace(facts, published=())
    return stock_selection(reason.wanted, unpublished, reason, before=_stand_in(before))


def _stand_in(before: str | None) -> str | None:
    """What the user has set goes before the sampler's own."""
    chosen = str(option("stepdistill_fallback", AUTOMATIC))
    return before if chosen == AUTOMATIC else chosen


def _named(key: Key, name: str) -> Match:
    """The record that the user chose; raises StepDistillError for another model's or a broken one."""
    record = load(name)
    file = name if record.origin is not None else store().path(name).name
    return given_match(record, filled(key, Key.of(record)), file)
