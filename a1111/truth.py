"""What a picture was drawn with: one short line below it, in the host's own names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .gains import gain, setting
from .host import sampler_labels
from .names import LABEL
from .schedule_labels import schedule_label

if TYPE_CHECKING:
    from ..scheduler.lookup.differences import Difference
    from ..scheduler.lookup.selection import Selection
    from .sampling_pass import Pass


SOURCES = {
    "exact": "learnt for just this",
    "nearest": "not learnt for just this",
    "borrowed": "borrowed",
    "named": "of the record that you chose",
    "as pasted": "as in the pasted picture",
}  # what the parameters call it, in words


def line(found: Selection, here: Pass, pasted: bool = False, gains: bool = True) -> str:
    """ "6 steps, learnt for just this: as near as 14 steps of DPM++ 2M Karras."

    gains: whether to say what is gained.
    """
    from ..scheduler.record.words import counted

    steps = counted(found.recipe.steps)
    if found.stand_in is not None:
        return f"{steps} on {stand_in(found, here)}: {_why(found)}."
    notes = [each for each in (_differs(found), *_instead(found), _won(found)) if each]
    if not notes and gains:
        notes = [gain(found.recipe)]
    told = "; ".join(each for each in notes if each)
    return f"{steps}, {SOURCES[source(found, pasted)]}{f': {told}' if told else ''}."


def source(found: Selection, pasted: bool = False) -> str:
    """exact, nearest, borrowed, named, as pasted or stock: one word or two, of the parameters."""
    from ..scheduler.lookup.selection import BORROWED, GIVEN

    if pasted:
        return "as pasted"
    if found.source == GIVEN:
        return "named"
    if found.measured == BORROWED or any(each.code in _borrowed() for each in found.substituted):
        return "borrowed"
    return found.source


def stand_in(found: Selection, here: Pass) -> str:
    """What runs in the place of a recipe, as the host calls it."""
    from ..scheduler.lookup.stand_in import BEFORE
    from . import automatic

    assert found.stand_in is not None
    if found.stand_in.origin == BEFORE and found.stand_in.schedule == automatic.stock_name(here):
        return automatic.label_on(automatic.schedule_of(here))
    return schedule_label(found.stand_in.schedule) or found.stand_in.schedule


def _borrowed() -> tuple[str, ...]:
    from ..scheduler.lookup.rules import ALIKE, STOCHASTIC_ONE

    return ALIKE, STOCHASTIC_ONE


def _why(found: Selection) -> str:
    """Why no recipe serves, as a clause."""
    from ..scheduler.lookup import words
    from ..scheduler.lookup.serving import NO_RECORD, STOCK_ASKED
    from ..scheduler.lookup.solving import NOTHING_FOR

    assert found.reason is not None
    if found.reason.code == NO_RECORD:
        return found.facts.advice.rstrip(".") or "nothing is learnt of this model yet"
    if found.reason.code == STOCK_ASKED:
        return "as chosen in the panel"
    if found.reason.code == NOTHING_FOR:
        asked = found.reason.wanted.sampler or ""
        name = sampler_labels().get(asked, asked)
        return f"nothing is learnt for {name} here; the sampling method {LABEL} has what is learnt"
    sentence = words.reason(found.reason).split(". ")[0].rstrip(".")
    return sentence[:1].lower() + sentence[1:]


def _won(found: Selection) -> str:
    """That a recipe is a stock schedule, where it is one."""
    choice = found.recipe.choice
    if not found.stock_won:
        return ""
    sampler = choice.sampler or found.recipe.sampler
    return f"it is stock's {setting(choice.schedule, sampler)}, which nothing beat"


def _instead(found: Selection) -> list[str]:
    """What stands in for the sampler or the steps, as clauses."""
    from ..scheduler.lookup import serving
    from ..scheduler.lookup.selection import SOLVED

    labels = sampler_labels()
    told = ["worked out for these steps, not tried"] if found.measured == SOLVED else []
    for each in found.substituted:
        name = labels.get(each.sampler, each.sampler)
        words = {
            serving.UNFITTED: f"runs as {name}",
            serving.SOLVED_AS: f"worked out as for {name}",
            serving.LENGTHENED: f"learnt for {each.steps}; take those",
        }
        borrowed = f"{name}'s schedule, not tried with this sampler"
        told.append(borrowed if each.code in _borrowed() else words.get(each.code, ""))
    return told


def differences_of(found: Selection) -> str:
    """How a recipe's record differs from what runs, as a clause."""
    return _differs(found) or "learnt for something near"


def _differs(found: Selection) -> str:
    parts = [_difference(each) for each in found.differences]
    kin = found.kin
    from ..scheduler.fingerprint.kinship import SAME

    if kin is not None and kin.kind != SAME:
        parts.insert(0, kin.words)
    return ", ".join(parts)


def _difference(one: Difference) -> str:
    """A way in which a record differs, sizes in pixels."""
    from ..scheduler.lookup import made_words
    from ..scheduler.lookup.differences import SIZE
    from ..scheduler.record.words import size

    if one.code != SIZE:
        told = made_words.difference(one).replace("distilled at", "learnt at")
        return told.replace("at cfg", "at CFG")
    made, here = (size(each) if isinstance(each, tuple) else "?" for each in (one.made, one.here))
    return f"learnt at {made}, you use {here}"
