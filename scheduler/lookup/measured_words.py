"""What was measured of a recipe, where it runs: at another cfg than its own, or with more steps, the
numbers of its record are not this run's."""

from __future__ import annotations

from ..record import Recipe
from ..record.cfg_range import check_at
from ..record.verdict_words import choice_words, evidence_words, share_words
from ..record.words import NO_LABELS, Labels
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
    here = match.asked.cfg if match.asked is not None else None
    checked = check_at(match.as_made, recipe, here)
    if checked:
        return check_words(checked, labels)
    return f"measured at cfg {_cfg(match.made_at(recipe))}: {evidence_words(recipe, labels)}"


def _fitted(found: Selection) -> Recipe:
    """The recipe as its record has it."""
    steps = next((each.steps for each in found.substituted if each.code == LENGTHENED), None)
    if steps is None or found.record is None:
        return found.recipe
    return found.record.recipe(found.recipe.sampler, steps, found.wanted.start)


def check_words(check: dict, labels: Labels = NO_LABELS, among: str = "") -> str:
    """A check's own numbers. among: which stock it was beside, as " in 6 steps"."""
    rows = check.get("rows", 0)
    pictures = "one picture" if rows == 1 else f"{rows} pictures"
    best = f" ({choice_words(check['stock'], labels)})" if check.get("stock") else ""
    share = share_words(check["rms"] / check["stock_rms"])
    on = f", on {pictures}" if rows else ""
    stock = f"the best stock choice{among}{best}"
    return f"checked at cfg {check['cfg']:g}: {share} of the error of {stock}{on}"


def _cfg(cfg: float | None) -> str:
    return "none stated" if cfg is None else f"{cfg:g}"
