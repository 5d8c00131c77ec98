"""How a record was made, beside what runs, in words: what differs, and what is near enough."""

from __future__ import annotations

from collections.abc import Callable

from ..fingerprint.kinship import SAME
from ..record import Recipe, Record
from ..record.cfg_range import span, whole_span
from ..record.words import size
from . import differences as apart
from .differences import Difference, Value
from .match import Match


def difference(one: Difference) -> str:
    """A clause: how a record was made, and what runs."""
    return _DIFFERENCES[one.code](one)


def _beside(what: str) -> Callable[[Difference], str]:
    return lambda one: f"for {what} {value(one.made)}, you use {value(one.here)}"


def _size(one: Difference) -> str:
    return f"for {_shape(one.made)}, yours is {_shape(one.here)}"


def _strength(one: Difference) -> str:
    return f"with {one.name} at strength {value(one.made)}, you use {value(one.here)}"


def _range(one: Difference) -> str:
    return f"for sigmas {_span(one.made)}, your model has {_span(one.here)}"


_DIFFERENCES: dict[str, Callable[[Difference], str]] = {
    apart.CFG: _beside("cfg"),
    apart.GUIDANCE: _beside("guidance"),
    apart.SHIFT: _beside("shift"),
    apart.SIZE: _size,
    apart.PATCH_MISSING: lambda one: f"without {one.name}",
    apart.PATCH_MORE: lambda one: f"with {one.name}, which you do not use",
    apart.PATCH_OTHER: lambda one: f"with another or otherwise set {one.name}",
    apart.PATCH_STRENGTH: _strength,
    apart.RANGE: _range,
    apart.NO_RECIPE: lambda one: f"no recipe for {one.name}",
    apart.UNNAMED: lambda one: "it names no checkpoint",
}


def _span(value: Value) -> str:
    low, high = value if isinstance(value, tuple) else (0.0, 0.0)
    return f"{low:g} to {high:g}"


def value(number: Value) -> str:
    """A cfg or another number of a run."""
    return "none stated" if number is None else f"{number:g}"


def _shape(shape: Value) -> str:
    if not isinstance(shape, tuple) or not shape:
        return "an unstated size"
    return size([int(side) for side in shape])


CONDITIONS: dict[str, Callable[[Value], str]] = {
    apart.CFG: lambda one: "no cfg" if one is None else f"cfg {value(one)}",
    apart.GUIDANCE: lambda one: f"guidance {value(one)}",
    apart.SIZE: _shape,
}


def condition(code: str, stated: Value) -> str:
    """One of CONDITIONS in which runs differ: "cfg 7", "1024x1024"."""
    return CONDITIONS[code](stated)


def differs(match: Match) -> str:
    """All in which a record differs from what runs, in clauses; "" where in nothing."""
    parts = [] if match.kin is None or match.kin.kind == SAME else [match.kin.words]
    return "; ".join([*parts, *map(difference, match.differences)])


def made_at(record: Record) -> str:
    """Under which conditions a record was made, as a sentence, or ""."""
    under = made_under(record)
    return f"Made at {under}." if under else ""


def made_under(record: Record, cfg: float | None = None) -> str:
    """The cfg (of a recipe that was fitted at another: that one), distilled guidance and size that a
    record was made at, or ""."""
    under = record.conditions
    made = (
        (apart.CFG, under.cfg if cfg is None else cfg),
        (apart.GUIDANCE, under.guidance),
        (apart.SIZE, under.latent_shape),
    )
    return " and ".join(condition(code, each) for code, each in made if each is not None)


def differs_or_made_at(match: Match, recipe: Recipe | None = None) -> str:
    """How a record differs from what runs, or else what it (or its recipe that runs) was made at, where
    it was checked, and what is used near that, as a sentence."""
    words = differs(match)
    if words:
        return f"It differs from what you run: {words}."
    under = made_under(match.as_made, match.made_at(recipe))
    if not under:
        return ""
    used, ends = near(match, recipe), _checked_here(match, recipe)
    if ends is not None:
        under += f", checked from cfg {ends[0]:g} to {ends[1]:g}"
    if not used:
        return f"Made at {under}."
    unchecked = ends is None and match.at_other_cfg(recipe)
    return f"Made at {under}; you use {used}" + (", not checked there." if unchecked else ".")


def near(match: Match, recipe: Recipe | None = None) -> str:
    """What runs of cfg, distilled guidance and size, where it is not the very same but near enough."""
    asked, under = match.asked, match.as_made.conditions
    if asked is None:
        return ""
    parts = [condition(apart.CFG, asked.cfg)] if match.at_other_cfg(recipe) else []
    rest = (
        (apart.GUIDANCE, under.guidance, asked.guidance),
        (apart.SIZE, under.latent_shape, asked.latent_shape),
    )
    for code, was, used in rest:
        if was is not None and used is not None and was != used:
            parts.append(condition(code, used))
    return " and ".join(parts)


def _checked_here(match: Match, recipe: Recipe | None) -> tuple[float, float] | None:
    """The cfgs between which it was checked, where what runs is another than it was made at."""
    if match.by_check is not None:
        return match.by_check
    if not match.at_other_cfg(recipe) or match.asked is None or match.asked.cfg is None:
        return None
    record = match.as_made
    ends = whole_span(record) if recipe is None else span(recipe, record.conditions.cfg)
    return ends if ends is not None and ends[0] <= match.asked.cfg <= ends[1] else None
