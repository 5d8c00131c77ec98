"""What a pass of the host gets: the library's one selection, asked with what the host knows."""

from __future__ import annotations

from dataclasses import replace

from ..scheduler.errors import StepDistillError
from ..scheduler.lookup import SIMPLE, words
from ..scheduler.lookup.differences import filled
from ..scheduler.lookup.given import given_match
from ..scheduler.lookup.key import Key
from ..scheduler.lookup.match import Match
from ..scheduler.lookup.model_facts import ModelFacts
from ..scheduler.lookup.selection import Selection, select, stock_selection
from ..scheduler.lookup.serving import NO_RECORD, REFUSED, STOCK_ASKED, Reason
from ..scheduler.lookup.wanted import Wanted
from .host import option, sampler_labels
from .names import AUTOMATIC, STOCK_ONLY
from .stores import store


def find(
    facts: ModelFacts,
    key: Key,
    wanted: Wanted,
    choice: str = AUTOMATIC,
    before: str | None = None,
) -> Selection:
    """The recipe for a pass; never raises for what a user can have done: then stock runs, and says why.

    choice: the panel's. before: the schedule that the sampler has of its own.
    """
    usual = str(option("stepdistill_fallback", SIMPLE))
    before = before if usual == SIMPLE else usual  # what the user has set goes first
    if choice == STOCK_ONLY:
        return kept_from(facts, Reason(STOCK_ASKED, wanted))
    try:
        given = None if choice in ("", AUTOMATIC) else _named(key, choice)
        policy = str(option("stepdistill_policy", "near"))
        return select(wanted, facts, key, given, (store(),), policy, before, usual)
    except StepDistillError as problem:
        reason = Reason(REFUSED, wanted, sentence=str(problem))
        return stock_selection(wanted, facts, reason, (), before, usual)


def kept_from(facts: ModelFacts, reason: Reason) -> Selection:
    """The host's usual schedule, for a pass that gets no recipe whatever there is."""
    usual = str(option("stepdistill_fallback", SIMPLE))
    return stock_selection(reason.wanted, replace(facts, published=()), reason, usual=usual)


def in_words(found: Selection) -> str:
    """What a pass got, for people."""
    said = words.info(found, sampler_labels())
    if found.reason is not None and found.reason.code == NO_RECORD:
        return f"{said} Distil one in the StepDistill panel."
    return said


def _named(key: Key, name: str) -> Match:
    """The record that the user chose; raises StepDistillError for another model's or a broken one."""
    record = store().load(name)
    return given_match(record, filled(key, Key.of(record)), store().path(name).name)
