"""Which of one record's recipes serves a run: one that stands in it, or one solved from its teacher."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..errors import RecipeError, StepDistillError
from ..record import SAME_START, Choice, Model, Recipe, Record
from ..record.verdict import STRETCHED as NEAR_START
from ..samplers.lengthened import lengthened
from ..samplers.names import DISTILLED, ON_PATHS, RELATIVE, stock_sampler
from ..samplers.query_offsets import bounded_offset
from ..samplers.stretched import is_near, stretched
from ..sigmas.noise_range import NoiseRange
from .match import Match
from .model_facts import ModelFacts
from .rules import OWN_STEPS, Rule, default_sampler
from .solving import MOST_SOLVED, not_worth_solving, solvable_rule, solved_once
from .starts import same_start
from .wanted import COEFFICIENTS, SIGMAS, Wanted

# Substitutions beside those of the rule (its kind).
UNFITTED = "unfitted"  # no coefficients: `distilled` runs as a stock sampler
SOLVED_AS = "solved_as"  # solved as if for another sampler
STRETCHED = "stretched"  # as many steps of the same sampler, fitted from a start near this one
LENGTHENED = "lengthened"  # fewer steps of the same sampler, and some that change nothing
PLAIN = "plain"  # a stock sampler in the place of `distilled`, whose numbers sigmas cannot carry

# Why nothing serves, beside solving's NOTHING_FOR and STOCK_WON.
NO_RULE = "no_rule"  # for a sampler that nothing is known of
NOT_STATED = "not_stated"  # no recipe for these steps or this start, and no inner products
OTHER_RANGE = "other_range"  # of noise, and no inner products
TOO_MANY = "too_many"  # steps to solve for
NO_RECORD = "no_record"  # of this model, or only one that the policy forbids
STOCK_ASKED = "stock_asked"  # by the user
REFUSED = "refused"  # by an error, whose own sentence says it

STOCK_CATCHES_UP = 2  # times as many steps, where the record does not say when


@dataclass(frozen=True)
class Substitution:
    """What stands in for what was asked for.

    code: a kind of rule, UNFITTED, SOLVED_AS, STRETCHED, LENGTHENED or PLAIN. sampler: the one that
    serves, or runs. steps: of LENGTHENED: those of the recipe that was fitted. (Where one of
    STRETCHED begins is in its evidence.)
    """

    code: str
    sampler: str
    steps: int | None = None


@dataclass(frozen=True)
class Reason:
    """Why no recipe serves.

    code: of those above. wanted: the run. match: the record that comes nearest, if any. sampler:
    the one whose recipe was sought there. choice, steps: of STOCK_WON: what won, and at how many
    steps. sentence: of REFUSED.
    """

    code: str
    wanted: Wanted
    match: Match | None = None
    sampler: str = ""
    choice: Choice | None = None
    steps: int | None = None
    sentence: str = ""


@dataclass(frozen=True)
class Served:
    """A recipe of a record for a run. solved: it does not stand in the record."""

    recipe: Recipe
    substituted: tuple[Substitution, ...] = ()
    solved: bool = False

    @property
    def stretched(self) -> bool:
        """Whether it was fitted for all of this but the very start."""
        return any(each.code == STRETCHED for each in self.substituted)

    @property
    def fitted(self) -> bool:
        """Whether it stands in the record for what serves the sampler, coefficients and all."""
        unfitted = any(each.code == UNFITTED for each in self.substituted)
        return not (self.solved or unfitted or self.stretched)


def stated(match: Match, wanted: Wanted, rule: Rule) -> Served | None:
    """The recipe that stands in a record for a run, or None.

    A stochastic sampler's own, measured on paths, where the record has one. Else that of the sampler
    which serves, where it can be carried; for `distilled` else that of the sampler that it runs as
    without coefficients, for a stock sampler else a stock schedule that won for `distilled` when run
    with it.
    """
    if rule.serves is None or match.other_range:
        return None
    record = match.record
    if rule.on_paths is not None:
        measured = _recipe(record, rule.on_paths, wanted, offsets=False)
        if measured is not None:
            return Served(measured)
    if rule.serves == DISTILLED and wanted.carries != COEFFICIENTS:
        return _best_plain(record, wanted)
    borrowed = () if rule.own else (Substitution(rule.kind, rule.serves),)
    own = _recipe(record, rule.serves, wanted, offsets=rule.own and wanted.carries != SIGMAS)
    if own is not None:
        return Served(own, borrowed + _unfitted(own))
    if rule.serves != DISTILLED:
        pairs = [each for each in plain_recipes(record, wanted) if each.sampler == rule.serves]
        return Served(pairs[0], borrowed) if pairs else None
    other = _longer(record, wanted) or _stretched(record, wanted)
    if other is not None:
        return other
    relative = _recipe(record, RELATIVE, wanted, offsets=True)
    if relative is None:
        return None
    return Served(_as_distilled(relative), (Substitution(UNFITTED, RELATIVE),))


def solve(match: Match, wanted: Wanted, rule: Rule, facts: ModelFacts) -> Served | Reason:
    """A schedule solved from a record's inner products for a run, or why there is none."""
    if rule.serves is None:
        return Reason(rule.kind if rule.kind == OWN_STEPS else NO_RULE, wanted, match)
    wish = rule.serves
    plain = wish == DISTILLED and wanted.carries != COEFFICIENTS
    if plain:
        wish = default_sampler(match.record, facts.process)
    gram = match.record.gram
    if gram is None:
        return Reason(OTHER_RANGE if match.other_range else NOT_STATED, wanted, match, wish)
    whole = wanted.start is None and not match.other_range
    no = not_worth_solving(match.record, wish, wanted.steps, whole)
    if no is not None:
        return Reason(no.code, wanted, match, wish, no.choice, no.steps)
    if wanted.steps > MOST_SOLVED:
        return Reason(TOO_MANY, wanted, match, wish)
    start = facts.sigma_max if wanted.start is None else wanted.start
    linear = solvable_rule(wish)
    try:
        found = solved_once(gram, linear, wanted.steps, start, facts.sigma_min)
    except StepDistillError as problem:
        return Reason(REFUSED, wanted, match, wish, sentence=str(problem))
    instead = [] if rule.own else [Substitution(rule.kind, wish)]
    instead += [Substitution(PLAIN, wish)] if plain else []
    if wish == DISTILLED:
        instead.append(Substitution(UNFITTED, linear))
    elif linear != wish:
        instead.append(Substitution(SOLVED_AS, linear))
    return Served(replace(found, sampler=wish), tuple(instead), solved=True)


def _longer(record: Record, wanted: Wanted) -> Served | None:
    """What was fitted for fewer steps, lengthened, as long as stock is not expected to do as well
    with those that are asked for; None where nothing was."""
    start = record.model.sigma_max if wanted.start is None else wanted.start
    fitted = [
        each
        for each in record.recipes
        if each.sampler == DISTILLED
        and each.coefficients is not None
        and each.steps < wanted.steps
        and same_start(each.start_sigma, start)
    ]
    if not fitted:
        return None
    most = max(fitted, key=lambda each: each.steps)
    reaches = most.evidence.get("equals_stock_steps") or STOCK_CATCHES_UP * most.steps
    if wanted.steps >= reaches or most.coefficients is None:
        return None
    offsets = most.offsets or (0.0,) * most.steps
    sigmas, shifts, rows = lengthened(most.sigmas, offsets, most.coefficients, wanted.steps)
    made = replace(most, steps=wanted.steps, sigmas=sigmas, offsets=shifts, coefficients=rows)
    return Served(made, (Substitution(LENGTHENED, DISTILLED, most.steps),), solved=True)


def _stretched(record: Record, wanted: Wanted) -> Served | None:
    """What was fitted for as many steps from the nearest start below the model's top; None where none is
    near."""
    model, start = record.model, wanted.start
    if start is None:
        return None
    fitted = [
        each
        for each in record.recipes
        if each.sampler == DISTILLED
        and each.coefficients is not None
        and each.choice.ours
        and each.evidence.get("verdict") != NEAR_START
        and each.steps == wanted.steps
        and each.start_sigma < model.sigma_max * (1 - SAME_START)
        and each.sigmas[-2] < start
        and is_near(start, each.start_sigma, model.parametrisation)
    ]
    if not fitted:
        return None
    near = min(fitted, key=lambda each: abs(each.start_sigma - start))
    made = stretched_to(near, start, model)
    return Served(made, (Substitution(STRETCHED, DISTILLED),))


def stretched_to(near: Recipe, start: float, model: Model) -> Recipe:
    """A recipe from another start, its query offsets kept in the model's range."""
    known = NoiseRange(model.parametrisation, model.sigma_min, model.sigma_max)
    sigmas = stretched(near.sigmas, start, model.parametrisation)
    shifts = zip(sigmas, near.offsets or (), strict=False)
    offsets = tuple(bounded_offset(sigma, offset, known) for sigma, offset in shifts) or None
    evidence = {"verdict": NEAR_START, "from_start": near.start_sigma}
    return replace(near, start_sigma=start, sigmas=sigmas, offsets=offsets, evidence=evidence)


def plain_recipes(record: Record, wanted: Wanted) -> Iterator[Recipe]:
    """The recipes of a record for N steps and a start that are sigmas alone.

    Each under the name of the stock sampler that runs it.
    """
    start = record.model.sigma_max if wanted.start is None else wanted.start
    for recipe in record.recipes:
        alone = recipe.offsets is None and recipe.coefficients is None
        if alone and recipe.steps == wanted.steps and same_start(recipe.start_sigma, start):
            yield replace(recipe, sampler=stock_sampler(recipe))


def _best_plain(record: Record, wanted: Wanted) -> Served | None:
    """The plain recipe with the least measured error, of samplers that take one model call a step."""
    others = ("heun", *ON_PATHS)  # two calls a step; errors of another kind
    found = [recipe for recipe in plain_recipes(record, wanted) if recipe.sampler not in others]
    best = min(found, key=_rank, default=None)
    if best is None:
        return None
    return Served(best, (Substitution(PLAIN, best.sampler),))


def _rank(recipe: Recipe) -> tuple:
    """Measured ones first, by error; then ours before stock."""
    error = recipe.evidence.get("rms")
    return error is None, error if error is not None else 0.0, not recipe.choice.ours


def _recipe(record: Record, sampler: str, wanted: Wanted, offsets: bool) -> Recipe | None:
    try:
        return record.recipe(sampler, wanted.steps, wanted.start, offsets)
    except RecipeError:
        return None


def _unfitted(recipe: Recipe) -> tuple[Substitution, ...]:
    """Of a recipe for `distilled` that has no coefficients and is no stock pair that won."""
    fitted = recipe.coefficients is not None or recipe.choice.sampler is not None
    if recipe.sampler != DISTILLED or fitted:
        return ()
    return (Substitution(UNFITTED, RELATIVE),)


def _as_distilled(recipe: Recipe) -> Recipe:
    """A recipe of the sampler that `distilled` runs as, for `distilled`."""
    won = recipe.choice
    choice = won if won.ours else Choice(won.schedule, RELATIVE)
    return replace(recipe, sampler=DISTILLED, choice=choice)
