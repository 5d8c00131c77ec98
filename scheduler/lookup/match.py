"""How well a record fits what is asked, and who may use it: an exact hit, near, or not at all."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..errors import UnknownNameError
from ..fingerprint.kinship import OTHER, QUANTISED, SAME, Kinship, kinship
from ..record import Recipe, Record
from ..record.cfg_range import SAME_CFG, at_cfg, made_at, span
from ..record.pair_half import half_of_patches
from .differences import NO_RECIPE, RANGE, Difference, differences, range_difference
from .guiders import is_second
from .key import SAME_MAX, Key, guidance_bucket, same_noise

EXACT, NEAREST, GIVEN = "exact", "nearest", "given"
# Where a record was found: in the store, handed over by the user, carried by the workflow, or in a
# source of other people's records.
STORE, INPUT, WORKFLOW, SOURCE = "store", "input", "workflow", "source"
# What a nearest match may be used for: "exact" nothing, "near" the same weights (quantised ones
# too) under other conditions, "any" also other weights of the same family.
POLICIES = ("exact", "near", "any")


@dataclass(frozen=True)
class Origin:
    """Whose record it is: the source's name, who says so in their own words, and the key that they
    signed with, in short, or ""."""

    source: str
    by: str
    signed: str = ""


@dataclass(frozen=True)
class Match:
    """A record beside what was asked for.

    kind: EXACT, NEAREST, or GIVEN for one that the user named. kin: how its weights are related to
    those at hand, None where that is not known. allowed: by the policy; of a source's record, which
    nobody has checked here, only where the user asked for that. name: its file in the store or the
    source, or "". place: where it was found; origin: of a source's. by_check: the cfgs between which its
    recipes were checked, where it serves by that; the record is then that of the cfg asked for, `whole`
    as it was made. asked: what was asked for, of which the record may differ within a bucket.
    """

    record: Record
    kind: str
    kin: Kinship | None
    differences: tuple[Difference, ...] = ()
    allowed: bool = True
    name: str = ""
    place: str = STORE
    origin: Origin | None = None
    by_check: tuple[float, float] | None = None
    whole: Record | None = None
    asked: Key | None = None

    @property
    def other_range(self) -> bool:
        """Whether its range of noise is another, so that only its inner products count."""
        return any(each.code == RANGE for each in self.differences)

    @property
    def solve(self) -> bool:
        """Whether it fits only when solved again from its teacher's inner products."""
        return any(each.code in (RANGE, NO_RECIPE) for each in self.differences)

    @property
    def as_made(self) -> Record:
        """Its record as it was made."""
        return self.record if self.whole is None else self.whole

    def made_at(self, recipe: Recipe | None = None) -> float | None:
        """The cfg that its record, or a recipe of it, was made at."""
        if recipe is None:
            return self.as_made.conditions.cfg
        return made_at(self.as_made, recipe)

    def at_other_cfg(self, recipe: Recipe | None = None) -> bool:
        """Whether that is another than runs, be it one of the same bucket."""
        made, here = self.made_at(recipe), self.asked.cfg if self.asked is not None else None
        return made is not None and here is not None and abs(made - here) > SAME_CFG

    @property
    def same_weights(self) -> bool:
        """Whether its weights are those at hand, casts allowed."""
        return self.kin is not None and self.kin.kind == SAME

    @property
    def title(self) -> str:
        """What the record is called: its model's name, else its file's."""
        return self.record.model.name or self.name or "an unnamed model"


def judged(
    record: Record, key: Key, policy: str = "near", name: str = "", checks: bool = True
) -> Match | None:
    """The match of a record with a key, or None where it may not be used at all.

    That is: another kind of noise, other weights without kinship, one half of a pair for a model by
    itself, or another range or sampler unless it can be solved for (its inner products cover the
    range). checks: whether it may serve at a cfg between those at which its recipes were checked, with
    these alone. Raises UnknownNameError for an unknown policy.
    """
    if policy not in POLICIES:
        raise UnknownNameError(f"Policy {policy!r} is unknown; use one of: {', '.join(POLICIES)}.")
    found = Key.of(record)
    kin = kinship_of(key, found)
    checked = at_asked_cfg(record, key, found) if checks and kin.kind == SAME else None
    if checked is not None:
        match = judged(checked, key, policy, name)
        if match is not None:
            return by_check(match, record)
    again = (*range_difference(key, found), *_no_recipe(record, key.sampler))
    covered = solvable(record) and key.sigma_max <= found.sigma_max * (1 + SAME_MAX)
    if kin.kind == OTHER or not same_noise(key, found) or (again and not covered):
        return None
    if half_of_patches(key.patches) != half_of_patches(found.patches):
        return None
    apart = (*again, *differences(key, found))
    if kin.kind == SAME and not apart:
        return Match(record, EXACT, kin, name=name, asked=key)
    theirs = any(
        is_second(each.name) for each in apart
    )  # other weights, though not the model's own
    near = policy == "near" and kin.kind in (SAME, QUANTISED) and not theirs
    allowed = near or policy == "any"
    return Match(record, NEAREST, kin, apart, allowed=allowed, name=name, asked=key)


def at_asked_cfg(record: Record, key: Key, found: Key) -> Record | None:
    """A record of another cfg as one of that asked for, where its recipes were checked around it."""
    if key.cfg is None or guidance_bucket(key.cfg) == guidance_bucket(found.cfg):
        return None
    return at_cfg(record, key.cfg)


def by_check(match: Match, record: Record) -> Match:
    """The match of such a record, with what it says of its checks. record: as it was made."""
    spans = [span(each, match.record.conditions.cfg) for each in match.record.recipes]
    ends = [each for each in spans if each is not None]
    between = max(low for low, _ in ends), min(high for _, high in ends)
    return replace(match, by_check=between, whole=record)


def same_key(asked: Key, found: Key) -> bool:
    """Whether all that a recipe depends on is the same, as for an exact hit; samplers aside."""
    if kinship_of(asked, found).kind != SAME or not same_noise(asked, found):
        return False
    return not (*range_difference(asked, found), *differences(asked, found))


def solvable(record: Record) -> bool:
    """Whether a record holds inner products that cover its model's range."""
    gram = record.gram
    return gram is not None and bool(gram.sigmas[0] >= record.model.sigma_max * (1 - SAME_MAX))


def kinship_of(key: Key, found: Key) -> Kinship:
    """How the weights of two keys are related; unknown weights are another model's."""
    if key.fingerprint is None or found.fingerprint is None:
        return Kinship(OTHER, None, "a model that is not known")
    return kinship(key.fingerprint, found.fingerprint)


def _no_recipe(record: Record, sampler: str | None) -> tuple[Difference, ...]:
    if sampler is None or any(recipe.sampler == sampler for recipe in record.recipes):
        return ()
    return (Difference(NO_RECIPE, name=sampler),)
