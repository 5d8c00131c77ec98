"""What was measured of a recipe, where it runs: at another cfg than its own, or with more steps, the
numbers of its record are not this run's."""

from __future__ import annotations

from ..record import Recipe
from ..record.cfg_range import SAME_CFG, checks_of
from ..record.verdict_words import choice_words, evidence_words, share_words
from ..record.words import NO_LABELS, Labels
from .match import Match
from .selection import Selection
from .serving import LENGTHENED
from .starts import at_start


def measured_words(found: Selection, labels: Labels = NO_LABELS) -> str:
    """What was measured of what runs, as a clause: of a recipe from another cfg the check's own numbers
    there, else for which cfg it was measured; of a lengthened one, those of the steps it was fitted for; of
    one from a start near this one, where that is."""
    recipe, match = _fitted(found), found.match
    own = recipe.evidence.get("from_start")
    if match is not None and own is not None:
        return f"learnt {at_start(match.record, own)}, which is near; not measured here"
    if match is None or not match.at_other_cfg(recipe):
        return evidence_words(recipe, labels)
    checked = _check_here(recipe, match)
    if checked:
        return _checked(checked, labels)
    return f"measured at cfg {_cfg(match.made_at(recipe))}: {evidence_words(recipe, labels)}"


def _fitted(found: Selection) -> Recipe:
    """The recipe as its record has it."""
    steps = next((each.steps for each in found.substituted if each.code == LENGTHENED), None)
    if steps is None or found.record is None:
        return found.recipe
    return found.record.recipe(found.recipe.sampler, steps, found.wanted.start)


def _check_here(recipe: Recipe, match: Match) -> dict | None:
    """The check at the very cfg that runs, where it has numbers."""
    here = match.asked.cfg if match.asked is not None else None
    own = [each for each in match.as_made.recipes if _numbers(each) == _numbers(recipe)]
    for each in checks_of(own[0]) if own else ():
        if here is not None and abs(each["cfg"] - here) <= SAME_CFG:
            return each if each.get("stock_rms") and "rms" in each else None
    return None


def _numbers(recipe: Recipe) -> tuple:
    return recipe.sampler, recipe.sigmas[1:], recipe.offsets, recipe.coefficients


def _checked(check: dict, labels: Labels) -> str:
    rows = check.get("rows", 0)
    pictures = "one picture" if rows == 1 else f"{rows} pictures"
    best = f" ({choice_words(check['stock'], labels)})" if check.get("stock") else ""
    share = share_words(check["rms"] / check["stock_rms"])
    on = f", on {pictures}" if rows else ""
    return (
        f"checked at cfg {check['cfg']:g}: {share} of the error of the best stock choice{best}{on}"
    )


def _cfg(cfg: float | None) -> str:
    return "none stated" if cfg is None else f"{cfg:g}"
