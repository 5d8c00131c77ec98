"""Where a recipe that counts as fitted for a run was learnt, and where it was checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .words import size_of

if TYPE_CHECKING:
    from ..scheduler.learning.fitting import Learnt
    from ..scheduler.learning.situation import Situation
    from ..scheduler.lookup.match import Match
    from ..scheduler.lookup.selection import Selection
    from ..scheduler.record import Recipe, Record
    from .sampling_pass import Pass

SAME_CFG = 5e-3


def learnt_under(found: Selection, here: Pass) -> str:
    """ "learnt at CFG 7, checked from 1 to 7", "learnt at 128x128, checked at 64x64", "learnt at CFG 7"
    where 7.5 runs: conditions that count as one, or a check; "" where it was learnt under just these."""
    from .identity import cfg_of

    match = found.match
    if match is None:
        return ""
    if match.by_check is not None:
        return f"learnt at {checked_over(match)}"
    under = match.record.conditions
    kin = _kin(match.record, found.recipe)
    if kin is not None:
        return _checked(kin, match.record)
    apart = []
    cfg = match.made_at(found.recipe)
    if cfg is not None and abs(cfg - cfg_of(here.p)) > SAME_CFG:
        apart.append(f"CFG {cfg:g}")
    if under.latent_shape and here.shape and tuple(under.latent_shape) != tuple(here.shape):
        apart.append(size_of(under.latent_shape))
    return f"learnt at {' and '.join(apart)}" if apart else ""


def checked_over(match: Match) -> str:
    """ "CFG 7, checked from 1 to 7"."""
    assert match.by_check is not None
    low, high = match.by_check
    return f"CFG {match.made_at():g}, checked from {low:g} to {high:g}"


def _kin(record: Record, recipe: Recipe) -> Mapping | None:
    """Whose recipe it is, of one that was made elsewhere and held in a check."""
    from ..scheduler.record.provenance import KIN
    from ..scheduler.record.verdict_words import CHECKED

    if not recipe.evidence.get("rows", {}).get(CHECKED):
        return None
    found = [each for each in record.provenance.get(KIN, ()) if each.get("steps") == recipe.steps]
    return found[-1] if found else None


def _checked(kin: Mapping, record: Record) -> str:
    """ "learnt at 128x128, checked at 64x64"; of other weights "learnt for base, checked here"."""
    from ..scheduler.fingerprint.kinship import SAME

    if kin.get("kinship") != SAME:
        return f"learnt for {_name(kin)}, checked here"
    made, here = _apart(kin, record)
    return f"learnt at {made}, checked at {here}" if made else "learnt elsewhere, checked here"


def _name(kin: Mapping) -> str:
    return str(kin.get("name") or "a related model")


def _apart(kin: Mapping, record: Record) -> tuple[str, str]:
    """("128x128", "64x64"), ("CFG 3 and 64x64", ...): what a recipe was made under, and a record that
    has it."""
    under, made, here = record.conditions, [], []
    cfg, shape = kin.get("cfg"), kin.get("latent_shape")
    if cfg is not None and under.cfg is not None and abs(cfg - under.cfg) > SAME_CFG:
        made.append(f"CFG {cfg:g}")
        here.append(f"CFG {under.cfg:g}")
    if shape and under.latent_shape and tuple(shape) != tuple(under.latent_shape):
        made.append(size_of(shape))
        here.append(size_of(under.latent_shape))
    return " and ".join(made), " and ".join(here)


def checked_from(learnt: Learnt, situation: Situation) -> str:
    """ "CFG 7", "128x128", "base": whose recipe it is, where learning found that one to hold; else ""."""
    from ..scheduler.fingerprint.kinship import SAME

    if learnt.kin is None or not learnt.kin.holds:
        return ""
    cfg, own = situation.key.cfg, learnt.record.conditions.cfg
    if cfg is not None and own is not None and abs(cfg - own) > SAME_CFG:
        return f"CFG {own:g}"  # the record as it is, which notes the check
    kin = _kin(learnt.record, learnt.recipe)
    if kin is None or kin.get("kinship") != SAME:
        return learnt.kin_title
    return _apart(kin, learnt.record)[0] or learnt.kin_title
