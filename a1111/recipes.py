"""From the loaded checkpoint and what a pass asks for to a recipe and a sentence that says where it
comes from."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ..scheduler.errors import RecipeError, StepDistillError
from ..scheduler.fingerprint.kinship import SAME
from ..scheduler.lookup.key import Key, same_range
from ..scheduler.lookup.match import Match, checked_use, judged
from ..scheduler.record import Recipe
from ..scheduler.record.verdict_words import described, evidence_words
from ..scheduler.samplers import SAMPLERS, ode_sampler_for
from ..scheduler.samplers.multistep import LINEAR
from ..scheduler.store.sidecar import check_worth_solving, solved
from .host import option
from .identity import Facts, filled
from .names import AUTOMATIC, EXACT, FALLBACK, NAME, NAMED, NEAREST, STOCK_ONLY
from .stores import stem, store

MOST_SOLVED = 100  # steps; beyond, a distilled schedule gains nothing and takes seconds to solve
SAME_START = 1e-4  # relative, as between sigma_max of keys
ALIASES = {"ddim": "euler"}  # other names of the same steps
LIKE = {
    "dpm_2": "heun",
    "heunpp2": "heun",
    "ipndm_v": "ipndm",
}  # deterministic, and nearly the same steps
KEPT = 64


@dataclass(frozen=True)
class Found:
    """recipe: exactly the steps asked for, or None for the stock schedule. source: "exact",
    "nearest" or "named" (the user's choice of a record), or "stock". name: the record's in the
    store. words: one to three sentences for people."""

    recipe: Recipe | None
    source: str
    words: str
    name: str = ""


@dataclass(frozen=True)
class Asked:
    """sampler: the host's function without "sample_". steps: those that will really run. start: the
    first sigma, or None for the model's sigma_max. choice: the panel's."""

    sampler: str
    steps: int
    start: float | None = None
    choice: str = AUTOMATIC

    @property
    def rule(self) -> str | None:
        """The sampler whose recipe serves: its own, or that of the ODE sampler whose steps are most
        like its own."""
        name = ALIASES.get(self.sampler, self.sampler)
        return name if name in SAMPLERS or name == NAME else LIKE.get(name) or ode_sampler_for(name)


def find(facts: Facts, key: Key, asked: Asked) -> Found:
    """The recipe for a pass; never raises for what a user can have done: then the stock schedule is
    the answer, and says why."""
    try:
        match, source, words = _match(key, asked.choice, asked.rule)
        recipe, notes = _recipe(match, facts, asked, not same_range(key, Key.of(match.record)))
    except StepDistillError as problem:
        return Found(None, FALLBACK, str(problem))
    notes = [*notes, *_differences(match, source, words)]
    title = match.record.model.name or stem(match.name) or "an unnamed model"
    head = f"{described(recipe)}, {_counted(recipe.steps)}, of {title}: {evidence_words(recipe)}."
    return Found(recipe, source, " ".join([head[:1].upper() + head[1:], *notes]), stem(match.name))


def _match(key: Key, choice: str, rule: str | None) -> tuple[Match, str, tuple[str, ...]]:
    """(the record to use, the source, how it differs); raises StepDistillError where there is none."""
    if choice == STOCK_ONLY:
        raise RecipeError("The panel asks for the stock schedule.")
    if choice not in ("", AUTOMATIC):
        return _named(key, choice)
    policy = str(option("stepdistill_policy", "near"))
    match = store().lookup(replace(key, sampler=rule), policy) or store().lookup(key, policy)
    if match is None:
        raise RecipeError(
            "No record of this checkpoint is in the store: distil one in the StepDistill panel."
        )
    match = (
        judged(match.record, filled(key, Key.of(match.record)), policy, True, match.name) or match
    )
    if not match.allowed:
        raise RecipeError(f"No record of this checkpoint is in the store. {match.sentence}")
    words = tuple(word for word in match.words if match.kin.kind != SAME or word != match.kin.words)
    return match, NEAREST if words else EXACT, words


def _named(key: Key, name: str) -> tuple[Match, str, tuple[str, ...]]:
    """The record that the user chose; raises StepDistillError for one that is another model's or broken."""
    record, path = store().load(name), store().path(name)
    found = Key.of(record)
    words = checked_use(record, filled(key, found), solvable=store().gram(name) is not None)
    match = judged(record, filled(key, found), "any", True, path.name)
    if match is None:
        raise RecipeError(f"The record {name} cannot be used for this checkpoint.")
    return match, NAMED, words


def _recipe(match: Match, facts: Facts, asked: Asked, again: bool) -> tuple[Recipe, list[str]]:
    """(the recipe, what must be said of it); again: its range is another, so that only its inner
    products count. Raises StepDistillError where nothing serves."""
    if asked.rule is None:
        raise RecipeError(
            f"No schedule is distilled for the sampler {asked.sampler}, nor for one like it."
        )
    notes = [] if asked.rule == ALIASES.get(asked.sampler, asked.sampler) else [_borrowed(asked)]
    recipe = None if again else _stated(match, asked)
    if recipe is None:
        recipe = _solved_again(match, facts, asked)
        if asked.rule not in LINEAR:
            notes.append("Solved as for dpmpp_2m.")
    if asked.rule == NAME and recipe.coefficients is None and recipe.choice.sampler is None:
        notes.append("No coefficients were fitted for that, so the sampler runs as dpmpp_2m.")
    return _settled(recipe, facts.sigma_max), notes


def _stated(match: Match, asked: Asked) -> Recipe | None:
    """A recipe that stands in the record: the sampler's own, or for ours that of dpmpp_2m, as which
    it runs without coefficients."""
    stated = {recipe.start_sigma for recipe in match.record.recipes}
    start = (
        None
        if asked.start is None
        else next((each for each in stated if _same(each, asked.start)), asked.start)
    )
    for rule, offsets in (
        (asked.rule, asked.rule == NAME),
        *([("dpmpp_2m", True)] if asked.rule == NAME else []),
    ):
        try:
            return match.record.recipe(rule, asked.steps, start, offsets)
        except RecipeError:
            continue
    return None


def _solved_again(match: Match, facts: Facts, asked: Asked) -> Recipe:
    """Solved from the teacher's inner products, remembered: a grid of pictures asks for the same
    ones again and again."""
    gram = store().gram(match.name) if match.name else None
    if gram is None or asked.steps > MOST_SOLVED:
        match.record.recipe(
            asked.rule, asked.steps, asked.start, asked.rule == NAME
        )  # says what there is
        raise RecipeError(
            f"More than {MOST_SOLVED} steps are not solved for."
            if gram is not None
            else "This record is for another range."
        )
    check_worth_solving(match.record, asked.rule, asked.steps, asked.start is None)
    rule = asked.rule if asked.rule in LINEAR else "dpmpp_2m"
    known = (
        str(store().folder),
        match.name,
        match.record.provenance.get("created"),
        rule,
        asked.steps,
        asked.start,
        facts.sigma_min,
    )
    if known not in _kept:
        while len(_kept) >= KEPT:
            del _kept[next(iter(_kept))]
        top = float(gram.sigmas[0])
        start = facts.sigma_max if asked.start is None else asked.start
        _kept[known] = solved(
            gram, rule, asked.steps, top if _same(start, top) else start, facts.sigma_min
        )
    return _kept[known]


_kept: dict[tuple, Recipe] = {}


def _settled(recipe: Recipe, sigma_max: float) -> Recipe:
    """A start that is the model's sigma_max up to rounding put exactly there: hosts scale noise by it."""
    if recipe.start_sigma == sigma_max or not _same(recipe.start_sigma, sigma_max):
        return recipe
    return replace(recipe, start_sigma=sigma_max, sigmas=(sigma_max, *recipe.sigmas[1:]))


def _differences(match: Match, source: str, words: tuple[str, ...]) -> list[str]:
    if words:
        return [f"The record differs from what you run: {'; '.join(words)}."]
    return [] if source != NAMED else ["You chose the record."]


def _borrowed(asked: Asked) -> str:
    return f"{asked.sampler} takes {asked.rule}'s schedule; not measured for it."


def _counted(steps: int) -> str:
    return f"{steps} step{'s' if steps != 1 else ''}"


def _same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=SAME_START)
