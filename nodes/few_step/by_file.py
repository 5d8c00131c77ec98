"""What can be told of a Few-Step KSampler's picture before its model has run in this session: what the
store holds for the file that its graph names. Whether that is the very model is known once it is loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...scheduler.counted import counted
from ...scheduler.errors import StepDistillError
from ...scheduler.learning.modes import NOW, OFF

if TYPE_CHECKING:
    from ...scheduler.record import Record
    from ...scheduler.workflow.facts import SiteFacts

LONGEST_NAME = 60
ONCE_LOADED = "How it is drawn is said once the model is loaded."


def by_file(prompt: Mapping, node: str) -> str:
    """One or two sentences, or "" where the graph names no model file, or one that is made for few
    steps already. prompt: in the API format."""
    from ...scheduler.workflow import parse
    from ...scheduler.workflow.facts import facts_of, loaded_from, step_distilled
    from ...scheduler.workflow.sites import survey
    from ..server.records_of_files import record_for

    try:
        document = parse(json.dumps(prompt))
        sites = [each for each in survey(document).sites if str(each.node.id) == node]
    except (StepDistillError, TypeError, ValueError):
        return ""
    if not sites:
        return ""
    site = sites[0]
    facts, names = facts_of(document, site), loaded_from(document, site)
    if not names or step_distilled(document, site, facts) is not None:
        return ""
    try:
        record = record_for(facts)
    except StepDistillError:  # a store that cannot be read: the run says it
        return ""
    begin = f"{_short(names[0])} has not run like this in this session: the store has"
    if record is None:
        return f"{begin} no recipe of it, {_then(site.node.value('learn'))}."
    return f"{begin} {_held(record, facts)}. {ONCE_LOADED}"


def _held(record: Record, facts: SiteFacts) -> str:
    """What a record is to a site."""
    from ...scheduler.workflow.first_run import fitted, learnt_at

    if facts.steps is None:  # as many as the model needs
        return "a record of it"
    asked = f"{counted(facts.steps)}{_from(facts)}"
    recipe = fitted(record, facts, facts.steps)
    if recipe is None:
        return f"a record of it, without a recipe for {asked}"
    place = learnt_at(record, recipe, facts)
    return f"its recipe for {asked}" + (f", not for {place}" if place else "")


def _from(facts: SiteFacts) -> str:
    return "" if facts.denoise in (None, 1) else f" from denoise {facts.denoise:g}"


def _then(learn: object) -> str:
    """What follows where there is nothing, by the node's own choice, as far as the graph tells."""
    if learn == OFF:
        return "so that a stock schedule draws it"
    if learn == NOW:
        return "so that one is most likely learnt first"
    return "so that the next picture is most likely drawn in full, to learn it"


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
