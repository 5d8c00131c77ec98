"""The one answer to "which recipe serves this sampler, N and start, and what must be said of it?".

Every host, the workflow commands and the store ask `select`; words.py words what it answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..fingerprint.kinship import Kinship
from ..record import Recipe, Record
from ..record.choice import PUBLISHED as PUBLISHED_CHOICE
from ..record.verdict import SEEN
from ..samplers.names import DISTILLED, stock_sampler
from . import SIMPLE
from .differences import Difference
from .key import Key
from .match import EXACT, GIVEN, NEAREST, Match
from .model_facts import ModelFacts
from .rules import ALIKE, STOCHASTIC_ONE, Rule, default_sampler, rule_for
from .serving import LENGTHENED, NO_RECORD, STRETCHED, Reason, Served, Substitution, solve, stated
from .shelves import Matches, Shelf, matches_on
from .stand_in import MEASURED, PUBLISHED, StandIn, measures, stand_in
from .starts import same_start
from .wanted import Wanted

if TYPE_CHECKING:
    from ..sigmas.noise_table import NoiseTable

__all__ = ["EXACT", "GIVEN", "NEAREST", "STOCK", "Selection", "select"]

STOCK = "stock"  # a source beside EXACT, NEAREST and GIVEN: no record's recipe

# How a recipe was measured.
# SEEN: on the rows of its own fit alone
HELD_OUT = "held_out"  # on samples that nothing was fitted on, with the sampler that runs it
BORROWED = "borrowed"  # so too, with another sampler
SOLVED = "solved"  # from recorded inner products: not at all
NOT_MEASURED = "not_measured"  # and PUBLISHED: by others, not here


@dataclass(frozen=True)
class Selection:
    """A recipe for a run, and what must be said of it.

    source: EXACT (fitted for this very sampler, N, start and conditions), NEAREST, GIVEN (from a
    record that the user named, or that the workflow carries) or STOCK. recipe: exactly N steps.
    rule: which sampler's recipe serves. match: the record it is from, with its differences.
    substituted: what stands in for what was asked. measured: of those above; samples: on how many,
    where that is known. stand_in, reason: of STOCK: which schedule, and why nothing serves.
    """

    wanted: Wanted
    rule: Rule
    recipe: Recipe
    source: str
    facts: ModelFacts
    match: Match | None = None
    substituted: tuple[Substitution, ...] = ()
    measured: str = NOT_MEASURED
    samples: int | None = None
    stand_in: StandIn | None = None
    reason: Reason | None = None

    @property
    def record(self) -> Record | None:
        return self.match.record if self.match is not None else None

    @property
    def stretched(self) -> bool:
        """Whether the recipe was fitted for all of this but the very start, which is near."""
        return any(each.code == STRETCHED for each in self.substituted)

    @property
    def longer(self) -> bool:
        """Whether the recipe is one of fewer steps, with some that change nothing."""
        return any(each.code == LENGTHENED for each in self.substituted)

    @property
    def to_carry(self) -> Record | None:
        """The record with all that draws this picture again, whatever else is learnt."""
        if self.record is None or not self.stretched:
            return self.record
        return replace(self.record, recipes=(*self.record.recipes, self.recipe))

    @property
    def name(self) -> str:
        """The record's file in the store, or ""."""
        return self.match.name if self.match is not None else ""

    @property
    def differences(self) -> tuple[Difference, ...]:
        return self.match.differences if self.match is not None else ()

    @property
    def by_check(self) -> tuple[float, float] | None:
        """The cfgs between which its record's recipes were checked, where it serves by that; its source
        is EXACT then."""
        return self.match.by_check if self.match is not None else None

    @property
    def kin(self) -> Kinship | None:
        """How the record's weights are related to those that run; None where that is not known."""
        return self.match.kin if self.match is not None else None

    @property
    def table(self) -> NoiseTable:
        return self.facts.table

    @property
    def runs_as(self) -> str:
        """The sampler whose steps run: ours with its coefficients, or a stock one."""
        ours = self.recipe.sampler == DISTILLED and self.recipe.coefficients is not None
        return DISTILLED if ours else stock_sampler(self.recipe)

    @property
    def stock_won(self) -> bool:
        """Whether what runs is a stock schedule that was measured, or guarded, as the best here."""
        measured = self.stand_in is None or self.stand_in.origin == MEASURED
        return self.recipe.choice.stock and measured

    @property
    def codes(self) -> tuple:
        """All that must be said of it, as plain data: for tests, logs and programs."""
        return (
            self.source,
            self.rule.kind,
            tuple((each.code, each.sampler) for each in self.substituted),
            tuple((each.code, each.made, each.here, each.name) for each in self.differences),
            self.measured,
            self.stand_in,
            self.reason.code if self.reason is not None else None,
        )


def select(
    wanted: Wanted,
    facts: ModelFacts,
    key: Key | None = None,
    given: Match | None = None,
    shelves: Sequence[Shelf] = (),
    policy: str = "near",
    before: str | None = None,
    usual: str = SIMPLE,
) -> Selection:
    """The recipe for a run of a model, from a record given or from those on the shelves; else a stand-in.

    key: the model's, with the conditions that are known (default: none). given: of `given_match`;
    nothing else is looked at then. policy: of match.POLICIES. before: the stock schedule that stood
    there before, usual: the host's own, by name (see stand_in.py). Raises UnknownNameError for an
    unknown policy, and nothing for any run or record: where nothing serves, `reason` says why.
    """
    known = facts.key() if key is None else key
    if given is not None:
        matches = Matches([given])
    else:
        samplers = rule_for(wanted.sampler).recipes_of
        matches = Matches(matches_on(shelves, known, samplers, policy))
    wanted = _named(wanted, matches, facts)
    rule = rule_for(wanted.sampler)
    found = _best(matches, wanted, rule, facts)
    if isinstance(found, Reason):
        return stock_selection(wanted, facts, found, matches, before, usual)
    match, served = found
    recipe = _at_top(served.recipe, facts.sigma_max)
    source = _source(match, served)
    measured = _measured(served)
    samples = recipe.evidence.get("samples") if measured in (HELD_OUT, BORROWED) else None
    return Selection(
        wanted, rule, recipe, source, facts, match, served.substituted, measured, samples
    )


def first_match(
    key: Key, shelves: Sequence[Shelf], policy: str = "near"
) -> tuple[Match | None, Match | None]:
    """(the nearest record of a model that may serve any run, the nearest that the policy forbids)."""
    matches = Matches(matches_on(shelves, key, (), policy))
    return next(matches.allowed, None), matches.refused


def stock_selection(
    wanted: Wanted,
    facts: ModelFacts,
    reason: Reason,
    matches: Iterable[Match] = (),
    before: str | None = None,
    usual: str = SIMPLE,
) -> Selection:
    """The stand-in for a run that no recipe serves, or that its host keeps from one."""
    wanted = _named(wanted, (), facts)
    rule = rule_for(wanted.sampler)
    records = [match.record for match in matches if match.allowed and not match.other_range]
    recipe, instead = stand_in(wanted, rule, facts, records, before, usual)
    substituted: tuple[Substitution, ...] = ()
    borrowed = rule.serves is not None and not rule.own and not instead.own_paths
    if instead.origin in (MEASURED, PUBLISHED) and borrowed:
        substituted = (Substitution(rule.kind, rule.serves or ""),)
    measured = {MEASURED: HELD_OUT, PUBLISHED: PUBLISHED}.get(instead.origin, NOT_MEASURED)
    if substituted and measured == HELD_OUT:
        measured = BORROWED
    recipe = _at_top(recipe, facts.sigma_max)
    return Selection(
        wanted, rule, recipe, STOCK, facts, None, substituted, measured, None, instead, reason
    )


def _named(wanted: Wanted, matches: Iterable[Match], facts: ModelFacts) -> Wanted:
    """The run with a sampler: where the caller knows none, the nearest record's default."""
    if wanted.sampler is not None:
        return wanted
    nearest = next((match.record for match in matches if match.allowed), None)
    return replace(wanted, sampler=default_sampler(nearest, facts.process))


def _best(
    matches: Matches, wanted: Wanted, rule: Rule, facts: ModelFacts
) -> tuple[Match, Served] | Reason:
    """The first record that states the recipe, else the first that serves without one fitted.

    That is: solved, or run without coefficients. A record of other weights does not go before one
    that serves, whatever it states; nor does one of other conditions before the stock schedule that
    was measured under these.
    """
    first: tuple[Match, Served] | None = None
    reason: Reason | None = None
    measured = False
    for match in matches.allowed:
        if measured and match.differences:
            continue
        if first is not None and not (match.same_weights or _same_kinship(match, first[0])):
            continue
        answer: Served | Reason | None = stated(match, wanted, rule)
        if answer is None and first is None:
            answer = solve(match, wanted, rule, facts)
        if isinstance(answer, Reason):
            reason = reason or answer
            known = match.same_weights and not match.differences
            measured = measured or (known and measures(match.record, wanted, rule, facts))
        elif answer is not None and (answer.fitted or _of_these(match, answer)):
            return match, answer
        elif answer is not None:
            first = first or (match, answer)
    return first or reason or Reason(NO_RECORD, wanted, matches.refused)


def _of_these(match: Match, served: Served) -> bool:
    """Whether it was fitted for these very weights and conditions, from a start near this one."""
    return served.stretched and match.same_weights and not match.differences


def _same_kinship(one: Match, other: Match) -> bool:
    kinds = {match.kin.kind if match.kin is not None else None for match in (one, other)}
    return len(kinds) == 1


def _source(match: Match, served: Served) -> str:
    """EXACT only for what was fitted, for this sampler, N, start and these conditions."""
    fitted = not served.solved and not served.substituted
    return NEAREST if match.kind == EXACT and not fitted else match.kind


def _measured(served: Served) -> str:
    if served.solved:
        return SOLVED
    if "rms" in served.recipe.evidence:
        borrowed = any(each.code in (ALIKE, STOCHASTIC_ONE) for each in served.substituted)
        if borrowed:
            return BORROWED
        return SEEN if served.recipe.evidence.get("verdict") == SEEN else HELD_OUT
    published = served.recipe.choice.schedule.startswith(PUBLISHED_CHOICE)
    return PUBLISHED if published else NOT_MEASURED


def _at_top(recipe: Recipe, sigma_max: float) -> Recipe:
    """A start that is the model's sigma_max up to a host's rounding put exactly there.

    Hosts scale noise by that very number.
    """
    if recipe.start_sigma == sigma_max or not same_start(recipe.start_sigma, sigma_max):
        return recipe
    return replace(recipe, start_sigma=sigma_max, sigmas=(sigma_max, *recipe.sigmas[1:]))
