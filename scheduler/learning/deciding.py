"""What happens to one picture: a few steps, all of them, or learning first."""

from __future__ import annotations

from dataclasses import dataclass

from ..counted import counted
from ..errors import UnknownNameError
from ..lookup.makers_run import MakersRun
from ..lookup.selection import Selection
from .choosing import fits, gained
from .full_run import MOST_LEARNT
from .modes import MODES, NOW, OFF
from .situation import AT_THE_BEND, Situation

# What happens.
FEW = "few"  # the recipe that was found
AS_FOUND = "as_found"  # what stands in, in as many steps as were asked for
IN_FULL = "in_full"  # FULL_STEPS of stock
LEARN_FIRST = "learn_first"  # a recipe is fitted, then this picture takes it
AT_HAND = "at_hand"  # drawn in full before its learning was stopped, and handed over

# Why nothing is learnt.
TURNED_OFF = "turned_off"
RECORD_GIVEN = "record_given"  # and no other is to be used
STEP_DISTILLED = "step_distilled"
OWN_STEPS = "own_steps"  # of a step-distilled model, as many as its maker's run has
MANY_STEPS = "many_steps"
UNKNOWN_MODEL = "unknown_model"
MASK = "mask"  # it mixes the original in at every step
HOOKS = "hooks"  # they change the model while it draws
UNSUITED = "unsuited"  # the model, for what its detail says
UNWRITABLE = "unwritable"  # the store
HARDLY_DRAWN = "hardly_drawn"  # a start below all of the model's noise
AS_BEFORE = "as_before"  # this very picture was drawn in full, and is drawn again
# Where a few stock steps are not what the artist asked for.
IN_FULL_THEN = (OWN_STEPS, MASK, HOOKS, UNSUITED, UNWRITABLE, UNKNOWN_MODEL)

BELOW_THE_TOP = (
    "Of a model that has few steps already, fewer are learnt from whole pictures alone: draw one at "
    "denoise 1."
)
DRAWN_SO = "So it was drawn before."
ABOVE_CFG = (
    "This model was made for few steps without guidance, so nothing is learnt of it above cfg {:g}: set "
    "cfg to 1."
)
ENOUGH_ALREADY = "This model was made for {}; ask for fewer, and these are learnt."


@dataclass(frozen=True)
class Obstacle:
    """Why nothing is learnt. detail: a sentence that belongs to it, or ""."""

    code: str
    detail: str = ""


@dataclass(frozen=True)
class Decision:
    """action: of those above. learns: whether this picture's run is kept and learnt from. obstacle:
    why not, where it would have been."""

    action: str
    learns: bool = False
    obstacle: Obstacle | None = None


def decide(
    situation: Situation,
    found: Selection | None,
    learn: str,
    kept: bool = False,
    obstacle: Obstacle | None = None,
) -> Decision:
    """What happens to a picture.

    found: what a selection has for it, None where the steps are not known yet. kept: whether runs of
    this prompt were kept that a recipe can be fitted to. obstacle: what the host knows of. Raises
    UnknownNameError for another mode.
    """
    if learn not in MODES:
        raise UnknownNameError(f"learn is {learn!r}; use one of: {', '.join(MODES)}.")
    fitted = found is not None and fits(found)
    few = found is not None and fitted and (learn == OFF or gained(found))
    if obstacle is not None and obstacle.code == AS_BEFORE:
        return Decision(IN_FULL, obstacle=obstacle if few else Obstacle(AS_BEFORE, DRAWN_SO))
    if few:
        return Decision(FEW)
    obstacle = _obstacle(situation, learn) or obstacle
    if obstacle is not None:
        full = found is None or obstacle.code in IN_FULL_THEN
        return Decision(IN_FULL if full else AS_FOUND, obstacle=obstacle)
    if not fitted and situation.steps != AT_THE_BEND and (kept or learn == NOW):
        return Decision(LEARN_FIRST)
    return Decision(IN_FULL, learns=True)


def _few_already(situation: Situation, own: MakersRun) -> Obstacle | None:
    """What of a step-distilled model's picture speaks against learning fewer steps from it."""
    why = own.why_not
    if own.sigmas and situation.start is not None:
        why = BELOW_THE_TOP
    elif own.sigmas and (situation.key.cfg or 0.0) > own.most_cfg:
        why = ABOVE_CFG.format(own.most_cfg)
    elif own.sigmas and situation.steps >= own.steps:
        return Obstacle(OWN_STEPS, ENOUGH_ALREADY.format(counted(own.steps)))
    return Obstacle(STEP_DISTILLED, why) if why else _unknown(situation)


def _unknown(situation: Situation) -> Obstacle | None:
    return Obstacle(UNKNOWN_MODEL) if situation.key.fingerprint is None else None


def _obstacle(situation: Situation, learn: str) -> Obstacle | None:
    """What of the picture itself speaks against learning from it."""
    if learn == OFF:
        return Obstacle(TURNED_OFF)
    if situation.own_run is not None:
        return _few_already(situation, situation.own_run)
    if situation.steps > MOST_LEARNT:
        return Obstacle(MANY_STEPS)
    least = situation.facts.sigma_min
    if situation.start_sigma < least or situation.starts_at(least):
        return Obstacle(HARDLY_DRAWN)
    return _unknown(situation)
