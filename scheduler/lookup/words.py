"""What a selection says, worded in one place for every host."""

from __future__ import annotations

from collections.abc import Callable

from ..counted import counted
from ..errors import RecipeError
from ..record.verdict_words import described
from ..record.words import NO_LABELS, Labels, made, sampler_label
from . import rules, serving, stand_in
from .made_words import difference, differs, differs_or_made_at, made_under, near, value
from .match import EXACT, GIVEN, WORKFLOW, Match, Origin
from .measured_words import measured_words
from .selection import Selection
from .serving import Reason, Substitution
from .solving import MOST_SOLVED, NOTHING_FOR, STOCK_WON
from .starts import start_words
from .wanted import SIGMAS

UNCHECKED = "Unchecked, from kin:"  # a record of other weights, used as it is
UNCHECKED_HERE = "Unchecked here, from the record of"  # of the very model, under other conditions


def match_sentence(match: Match) -> str:
    """What was found, and whether it may be used."""
    kin = "" if match.kin is None else match.kin.words
    if match.origin is not None:
        return _source_sentence(match)
    if match.kind == EXACT:
        return f"The record of {match.title} fits exactly ({kin}{checked_between(match)})."
    parts = [part for part in (kin, *map(difference, match.differences)) if part]
    use = "" if match.allowed else "; not used"
    return f"Nearest is the record of {match.title}: {'; '.join(parts)}{use}."


def origin_words(origin: Origin) -> str:
    """Whose record it is: "the source photo (by Ann, signed 3f2a 9c1b 7d4e 55aa)"."""
    how = f"signed {origin.signed}" if origin.signed else "not signed"
    return f"the source {origin.source} (by {origin.by}, {how})"


def _source_sentence(match: Match) -> str:
    """What a source has, and that nobody has checked it here."""
    assert match.origin is not None
    kin = match.kin.words if match.kin else ""
    parts = [part for part in (kin, *map(difference, match.differences)) if part]
    use = "used unchecked" if match.allowed else "not used, for nobody has checked it on your model"
    where = origin_words(match.origin)
    return f"{_capital(where)} has a record of {match.title}: {'; '.join([*parts, use])}."


def substitution(one: Substitution, sampler: str, labels: Labels = NO_LABELS) -> str:
    """A clause on what stands in for a sampler; "" for what the recipe's own name says."""
    name = sampler_label(one.sampler, labels)
    sampler = sampler_label(sampler, labels)
    return {
        rules.STOCHASTIC_ONE: f"it is {name}'s schedule, not measured for {sampler}",
        rules.ALIKE: f"it is {name}'s schedule, not measured for {sampler}",
        serving.UNFITTED: f"no coefficients were fitted for that, so the sampler runs as {name}",
        serving.SOLVED_AS: f"it was solved as for {name}",
        serving.LENGTHENED: f"it is the recipe of {counted(one.steps or 0)}, and more of them make the "
        f"same picture: take {counted(one.steps or 0)}, or distil for more",
    }.get(one.code, "")


def info(found: Selection, labels: Labels = NO_LABELS) -> str:
    """What runs, where it comes from and what was measured, in one to four sentences.

    labels: the host's own names of samplers, as in record/words.py.
    """
    if found.match is None:
        return _stock_info(found, labels)
    recipe = found.recipe
    below = found.wanted.start is not None
    where = f", {start_words(found.match.record, recipe.start_sigma)}" if below else ""
    head = f"{_head(found.match, found.source)}, {counted(recipe.steps)}{where}"
    parts = [f"{head}: {described(recipe, labels)}; {measured_words(found, labels)}."]
    sampler = found.wanted.sampler or ""
    notes = [substitution(each, sampler, labels) for each in reversed(found.substituted)]
    parts += [sentence("; ".join(note for note in notes if note))] if any(notes) else []
    parts += [f"Made {made(found.match.record)}."] if found.match.origin is not None else []
    return " ".join(part for part in (*parts, differs_or_made_at(found.match, recipe)) if part)


def checked_between(match: Match) -> str:
    """That a record of another cfg serves, because it was checked or is near, as what follows a comma;
    or ""."""
    if match.by_check is None:
        here = near(match)
        return f", made at {made_under(match.as_made)}; you use {here}" if here else ""
    low, high = match.by_check
    return f", made at cfg {value(match.made_at())} and checked from {low:g} to {high:g}"


def _head(match: Match, source: str) -> str:
    if match.origin is not None:
        return f"Unchecked, from {origin_words(match.origin)}: the record of {match.title}"
    if source == GIVEN and (match.kin is None or not differs(match)):
        carried = " that this workflow carries" if match.place == WORKFLOW else ""
        return f"From the record of {match.title}{carried}"
    if source == EXACT:
        whose = "Distilled for" if match.by_check is None else "From the record of"
        return f"{whose} {match.title}"
    if not differs(match):
        return f"From the record of {match.title}"
    return f"{UNCHECKED_HERE if match.same_weights else UNCHECKED} {match.title}"


def _stock_info(found: Selection, labels: Labels) -> str:
    assert found.stand_in is not None and found.reason is not None
    instead, steps = found.stand_in, counted(found.recipe.steps)
    kind = "Published" if instead.origin == stand_in.PUBLISHED else "Stock"
    why = reason(found.reason).rstrip(".")
    head = f"{kind} schedule '{instead.schedule}', {steps}, not distilled: {_small(why)}."
    more = {
        stand_in.MEASURED: "It was the best stock schedule for "
        f"{sampler_label(found.runs_as, labels)} at {counted(instead.steps or 0)}, by the record.",
        stand_in.BEFORE: "It is what runs there otherwise.",
        stand_in.PUBLISHED: "It was made for models of this family, and not measured on yours.",
    }.get(instead.origin, "")
    return " ".join(part for part in (head, more, found.facts.advice) if part)


def reason(why: Reason) -> str:
    """Why no recipe serves, as a sentence."""
    return _REASONS[why.code](why)


def no_record(refused: Match | None = None) -> str:
    """That there is no record of a model, and which comes nearest and may not be used."""
    nearest = "" if refused is None else f" {match_sentence(refused)}"
    return f"No record of this model is in the store.{nearest}"


def _not_stated(why: Reason) -> str:
    wanted, match = why.wanted, why.match
    assert match is not None
    try:
        match.record.recipe(why.sampler, wanted.steps, wanted.start, wanted.carries != SIGMAS)
    except RecipeError as problem:
        return str(problem)
    return "This record has no recipe for that."


def _nothing_for(why: Reason) -> str:
    asked = why.wanted.sampler or why.sampler
    if asked == why.sampler:
        return f"Nothing was distilled for {asked} here; distil for {asked} too."
    return f"Nothing was distilled for {asked} here; distil for {why.sampler}, whose schedule it takes."


def _stock_won(why: Reason) -> str:
    asked = why.wanted.sampler or why.sampler
    whose = "" if asked == why.sampler else f", whose schedule {asked} takes,"
    won = f"Stock ({why.choice}) won for {why.sampler}{whose} at {counted(why.steps or 0)}"
    return f"{won}, so no schedule of ours is solved for {why.wanted.steps}."


def _too_many(why: Reason) -> str:
    steps = counted(why.wanted.steps)
    return f"The record has no recipe for {steps}, and none is solved above {MOST_SOLVED}."


def _no_rule(why: Reason) -> str:
    return f"No schedule is distilled for {why.wanted.sampler}, nor for a sampler like it."


def _own_steps(why: Reason) -> str:
    return f"The sampler {why.wanted.sampler} chooses its own steps, whatever the schedule."


_REASONS: dict[str, Callable[[Reason], str]] = {
    serving.NO_RECORD: lambda why: no_record(why.match),
    serving.NOT_STATED: _not_stated,
    serving.OTHER_RANGE: lambda why: "This record is for another range of noise.",
    NOTHING_FOR: _nothing_for,
    STOCK_WON: _stock_won,
    serving.TOO_MANY: _too_many,
    serving.NO_RULE: _no_rule,
    rules.OWN_STEPS: _own_steps,
    serving.STOCK_ASKED: lambda why: "The stock schedule was asked for.",
    serving.REFUSED: lambda why: why.sentence,
}


def sentence(clause: str) -> str:
    """A clause as a sentence of its own."""
    return f"{_capital(clause).rstrip('.')}."


def _capital(clause: str) -> str:
    return clause[:1].upper() + clause[1:]


def _small(clause: str) -> str:
    return clause[:1].lower() + clause[1:]
