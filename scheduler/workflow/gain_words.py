"""What a node gains from a recipe, in words: what was measured where the node runs, and what is not known
of it there."""

from __future__ import annotations

from ..counted import counted
from ..lookup.measured_words import check_words
from ..lookup.rules import STOCHASTIC_ONE, rule_for
from ..record import Recipe, Record
from ..record.cfg_range import SAME_CFG, check_at, made_at
from ..record.choice import Choice
from ..record.verdict import SEEN, steps_saved
from ..samplers.names import DISTILLED
from .facts import SiteFacts

LEAST_TOLD = 1.05  # times an error


def fewer(record: Record, recipe: Recipe, facts: SiteFacts, calls: int) -> str:
    """Of fewer steps that do as well. calls: the model calls of the node as it is."""
    same = "about the same error" if recipe.evidence.get("verdict") == SEEN else "same error"
    claim = _nearness(recipe, facts) if adds_noise(facts) else same
    saved = round(100 * (1 - recipe.steps / calls))
    return _where(record, recipe, facts, claim, f"; -{saved} % time")


def better(record: Record, recipe: Recipe, facts: SiteFacts, ratio: float) -> str:
    """Of as few steps with less error: ratio of the best stock choice's."""
    claim = f"{ratio:.2f} of the error of the best stock choice"
    return _where(record, recipe, facts, claim, of=f" of {DISTILLED}")


def near(record: Record, recipe: Recipe, facts: SiteFacts, error: float | None, now: object) -> str:
    """Of fewer steps that do nearly as well. error: of the node as it is, where that was measured. now:
    its scheduler."""
    return _where(
        record, recipe, facts, _nearness(recipe, facts), beside=_beside(recipe, facts, error, now)
    )


def own(facts: SiteFacts) -> str:
    """What the node runs as it is."""
    of = f" of {facts.sampler}" if facts.sampler else ""
    return f"{counted(facts.steps or 0)}{of}"


def adds_noise(facts: SiteFacts) -> bool:
    """Whether the node's own sampler does at every step: nothing of ours was measured beside such a one."""
    return rule_for(facts.sampler).kind == STOCHASTIC_ONE


def _where(
    record: Record, recipe: Recipe, facts: SiteFacts, claim: str,
    saved: str = "", of: str = "", beside: str = "",
) -> str:  # fmt: skip
    """A claim, and at another cfg than it was measured at the check's own numbers, or for which cfg it is.
    beside: how it is beside the node as it is, where it was measured."""
    head = f"{own(facts)} -> {counted(recipe.steps)}{of}"
    made, here = made_at(record, recipe), facts.cfg
    if made is None or here is None or abs(made - here) <= SAME_CFG:
        return f"{head}, {claim}{saved}{beside}"
    check = check_at(record, recipe, here)
    if check is None:
        return f"{head}{saved}; {claim} at cfg {made:g}, not measured at cfg {here:g}"
    checked = check_words(check, among=f" in {counted(recipe.steps)}")
    unknown = "" if recipe.steps == facts.steps else f"; how near your {_yours(facts)} is not known"
    return f"{head}{saved}; {checked}{unknown}"


def _nearness(recipe: Recipe, facts: SiteFacts) -> str:
    equal, beyond = steps_saved(recipe.evidence) or (0, False)
    kind = " that adds no noise" if adds_noise(facts) else ""
    return f"{'nearer than' if beyond else 'as near as'} {equal} of the best stock choice{kind}"


def _beside(recipe: Recipe, facts: SiteFacts, error: float | None, now: object) -> str:
    """How few steps that equal fewer of stock's than run now are beside these, as far as it is known."""
    if adds_noise(facts):  # said of the sampler itself (borrowing.py)
        return ""
    yours = counted(facts.steps or 0)
    rms = recipe.evidence.get("rms")
    if error and rms and rms >= LEAST_TOLD * error:
        return f": {rms / error:.1f} times the error of your {yours}"
    _, beyond = steps_saved(recipe.evidence) or (0, False)
    best = Choice.read(recipe.evidence.get("best_stock") or "")
    itself = (best.schedule, best.sampler) == (now, facts.sampler) and not beyond
    if (error and rms) or itself:
        return f": a little farther than your {yours}"
    return f"; how near your {_yours(facts)} was not measured"


def _yours(facts: SiteFacts) -> str:
    return f"{counted(facts.steps or 0)} {'comes' if facts.steps == 1 else 'come'}"
