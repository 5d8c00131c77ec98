"""What a picture was drawn with: one short line below it, in the host's own names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .gains import gain_of, setting
from .host import sampler_labels
from .names import LABEL, NAME
from .provenance import learnt_under
from .schedule_labels import schedule_label
from .words import size_of

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
UNCHECKED = "unchecked"
MADE_WHOLE = "made for whole pictures, without a mask"


def line(found: Selection, here: Pass, pasted: bool = False, gains: bool = True) -> str:
    """ "6 steps, learnt for just this: as near as 14 steps of DPM++ 2M Karras."

    gains: whether to say what is gained.
    """
    steps = _steps(found, here)
    if found.stand_in is not None:
        instead = f", which stands in for {LABEL}" if here.name == NAME else ""
        return f"{steps} on {stand_in(found, here)}{instead}: {_why(found)}."
    masked = [MADE_WHOLE] if here.masked else []
    notes = [each for each in (_differs(found), *_instead(found), _won(found), *masked) if each]
    if not notes and gains:
        notes = [gain_of(found, here)]
    told = "; ".join(each for each in notes if each)
    return f"{steps}, {_whose(found, here, pasted)}{f': {told}' if told else ''}."


def _whose(found: Selection, here: Pass, pasted: bool) -> str:
    """What a recipe was learnt for."""
    from ..scheduler.lookup.selection import EXACT

    whence = source(found, pasted, here.masked)
    if whence == UNCHECKED:
        return _from_whom(found)
    return (learnt_under(found, here) if whence == EXACT else "") or SOURCES[whence]


def _steps(found: Selection, here: Pass) -> str:
    """ "6 steps", "6 steps (5 of them run at denoising 0.75)"."""
    from ..scheduler.counted import counted

    runs, asked = found.recipe.steps, int(here.requested or here.p.steps)
    if not here.img2img or asked == runs:
        return counted(runs)
    return f"{counted(asked)} ({runs} of them run at denoising {here.strength:g})"


def _from_whom(found: Selection) -> str:
    """Of a recipe that nobody has checked here: that, and where it is from."""
    origin = found.match.origin if found.match is not None else None
    return f"unchecked, from {'kin' if origin is None else f'the source {origin.source}'}"


def source(found: Selection, pasted: bool = False, masked: bool = False) -> str:
    """exact, nearest, borrowed, named, unchecked (of other weights, or of somebody's source), as pasted or
    stock: one word or two, of the parameters."""
    from ..scheduler.fingerprint.kinship import SAME
    from ..scheduler.lookup.selection import BORROWED, EXACT, GIVEN, NEAREST

    if pasted:
        return "as pasted"
    other = found.kin is not None and found.kin.kind != SAME
    if other or (found.match is not None and found.match.origin is not None):
        return UNCHECKED
    if found.source == GIVEN:
        return "named"
    if found.measured == BORROWED or any(each.code in _borrowed() for each in found.substituted):
        return "borrowed"
    return NEAREST if masked and found.source == EXACT else found.source


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


def near_strength(found: Selection) -> str:
    """At which strength a recipe was learnt that serves near it: "at denoising 0.75, which is near", "at a
    denoising strength near this" where its start is that of none."""
    from ..scheduler.lookup.starts import denoise_of

    own = found.recipe.evidence.get("from_start")
    record = found.record
    strength = denoise_of(record, own) if record is not None and own is not None else None
    if strength is None:
        return "at a denoising strength near this"
    return f"at denoising {strength:g}, which is near"


def _instead(found: Selection) -> list[str]:
    """What stands in for the sampler or the steps, as clauses."""
    from ..scheduler.lookup import serving
    from ..scheduler.lookup.selection import SOLVED

    labels = sampler_labels()
    told = ["worked out for so many steps, not tried"] if found.measured == SOLVED else []
    for each in found.substituted:
        name = labels.get(each.sampler, each.sampler)
        words = {
            serving.UNFITTED: f"no {LABEL} is learnt in so many, so {name} runs on it",
            serving.SOLVED_AS: f"worked out as for {name}",
            serving.STRETCHED: f"learnt {near_strength(found)}",
            serving.LENGTHENED: f"{each.steps} are learnt, and more draw the same: take {each.steps}",
        }
        borrowed = f"{name}'s schedule, not tried with this sampler"
        told.append(borrowed if each.code in _borrowed() else words.get(each.code, ""))
    return told


def differences_of(found: Selection) -> str:
    """How a recipe's record differs from what runs, as a clause."""
    return _differs(found) or "learnt for something near"


def _differs(found: Selection) -> str:
    parts = [_difference(each) for each in found.differences]
    parts = [f"learnt {each}" if each.startswith("with") else each for each in parts]
    kin = found.kin
    from ..scheduler.fingerprint.kinship import SAME

    if kin is not None and kin.kind != SAME:
        parts.insert(0, kin.words)
    return ", ".join(parts)


def _difference(one: Difference) -> str:
    """A way in which a record differs, sizes in pixels."""
    from ..scheduler.lookup import made_words
    from ..scheduler.lookup.differences import SIZE

    if one.code != SIZE:
        told = made_words.difference(one).replace("for cfg", "for CFG")
        return f"learnt {told}" if told.startswith("for ") else told
    made, here = (
        size_of(each) if isinstance(each, tuple) else "?" for each in (one.made, one.here)
    )
    return f"learnt at {made}, you use {here}"
