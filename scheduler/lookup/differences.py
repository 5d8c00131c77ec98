"""How the conditions of a record differ from those of a run, as codes with numbers; words.py says them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from .guiders import of_guiders
from .key import (
    SAME_STRENGTH,
    Key,
    active,
    frame_bucket,
    guidance_bucket,
    resolution_bucket,
    same_range,
    same_shift,
)

CFG, GUIDANCE, SHIFT, SIZE = "cfg", "guidance", "shift", "size"
PATCH_MISSING, PATCH_MORE, PATCH_STRENGTH = "patch_missing", "patch_more", "patch_strength"
PATCH_OTHER = "patch_other"  # of the same name, set otherwise
UNNAMED = "unnamed"  # the record names no checkpoint
RANGE = "range"  # of noise: only what is solved again fits
NO_RECIPE = "no_recipe"  # for the sampler: only what is solved again fits

Value = float | tuple[float, ...] | None


@dataclass(frozen=True)
class Difference:
    """One way in which a record does not fit.

    code: of those above. made, here: what the record was made at and what runs (a number, a latent
    shape, a range of sigmas), None for what is not stated. name: of the patch or the sampler.
    """

    code: str
    made: Value = None
    here: Value = None
    name: str = ""


def differences(asked: Key, found: Key) -> tuple[Difference, ...]:
    """How a record's conditions (`found`) differ from those asked for; empty where every bucket is one.

    Weights are not looked at (kinship.py does), nor the sampler, nor the range of noise.
    """
    parts = []
    if guidance_bucket(asked.cfg) != guidance_bucket(found.cfg):
        parts.append(Difference(CFG, found.cfg, asked.cfg))
    if guidance_bucket(asked.guidance) != guidance_bucket(found.guidance):
        parts.append(Difference(GUIDANCE, found.guidance, asked.guidance))
    if _sizes(asked) != _sizes(found):
        parts.append(Difference(SIZE, found.latent_shape, asked.latent_shape))
    if not same_shift(asked.shift, found.shift):
        parts.append(Difference(SHIFT, found.shift, asked.shift))
    return (*parts, *_patches(asked.patches, found.patches))


def range_difference(asked: Key, found: Key) -> tuple[Difference, ...]:
    """The difference of two ranges of noise, if it is one."""
    if same_range(asked, found):
        return ()
    made, here = ((key.sigma_min, key.sigma_max) for key in (found, asked))
    return (Difference(RANGE, made, here),)


def filled(key: Key, found: Key) -> Key:
    """The key with what it leaves open taken from a record's: what is not known is no difference."""
    names = ("cfg", "guidance", "latent_shape")
    missing = {name: getattr(found, name) for name in names if getattr(key, name) is None}
    if key.cfg is None:  # who does not know the guidance does not know what guides
        missing["patches"] = (*key.patches, *_guiders_beside(key.patches, found.patches))
    return replace(key, **missing)


def _guiders_beside(own: Sequence[Mapping], theirs: Sequence[Mapping]) -> list[Mapping]:
    return [] if of_guiders(own) else of_guiders(theirs)


def _sizes(key: Key) -> tuple[int | None, int | None]:
    return resolution_bucket(key.latent_shape), frame_bucket(key.latent_shape)


def _patches(asked: Sequence[Mapping], found: Sequence[Mapping]) -> list[Difference]:
    parts: list[Difference] = []
    rest = active(found)
    mine_alone = []
    for mine in active(asked):
        theirs = next((other for other in rest if _same_patch(mine, other)), None)
        if theirs is None:
            mine_alone.append(mine)
            continue
        rest.remove(theirs)
        made, here = theirs["strength"], mine["strength"]
        if abs(here - made) > SAME_STRENGTH:
            parts.append(Difference(PATCH_STRENGTH, made, here, mine["name"]))
    for mine in mine_alone:
        theirs = next((other for other in rest if other["name"] == mine["name"]), None)
        if theirs is None:
            parts.append(Difference(PATCH_MISSING, None, mine["strength"], mine["name"]))
            continue
        rest.remove(theirs)
        parts.append(Difference(PATCH_OTHER, theirs["strength"], mine["strength"], mine["name"]))
    more = (Difference(PATCH_MORE, other["strength"], None, other["name"]) for other in rest)
    return [*parts, *more]


def _same_patch(one: Mapping, other: Mapping) -> bool:
    prints = {entry.get("fingerprint") for entry in (one, other)} - {None}
    return len(prints) < 2 and one["name"] == other["name"]
