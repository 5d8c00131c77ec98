"""How well a record fits what is asked: an exact hit, the nearest with its distance in words, or
nothing; and who may use it."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import RecipeError, SigmaRangeError, UnknownNameError
from ..fingerprint.kinship import OTHER, QUANTISED, SAME, Kinship, kinship
from ..record import Record
from .key import Key, differences, range_words, same_noise, same_range

EXACT, NEAREST = "exact", "nearest"
# What a nearest match may be used for: "exact" nothing, "near" the same weights (quantised ones
# too) under other conditions, "any" also other weights of the same family.
POLICIES = ("exact", "near", "any")


@dataclass(frozen=True)
class Match:
    """A record beside what was asked for.

    name: its file in the store, or "". kind: "exact" or "nearest". words: how it differs, one
    clause each, empty when exact. solve: it fits only when solved again from its teacher's inner
    products (another sampler or range). allowed: by the policy.
    """

    record: Record
    kind: str
    kin: Kinship
    words: tuple[str, ...]
    solve: bool = False
    allowed: bool = True
    name: str = ""

    @property
    def sentence(self) -> str:
        """What was found, as a node, an infotext or a log may say it."""
        title = self.record.model.name or self.name or "a record"
        if self.kind == EXACT:
            return f"The record of {title} fits exactly ({self.kin.words})."
        use = "" if self.allowed else "; not used"
        return f"Nearest is the record of {title}: {'; '.join(self.words)}{use}."


def judged(
    record: Record, key: Key, policy: str = "near", solvable: bool = False, name: str = ""
) -> Match | None:
    """The match of a record with a key, or None where it may not be used at all.

    That is: another kind of noise, other weights without kinship, or another range or sampler
    unless `solvable` (its inner products are at hand, and they cover the range). Raises
    UnknownNameError for an unknown policy.
    """
    if policy not in POLICIES:
        raise UnknownNameError(f"Policy {policy!r} is unknown; use one of: {', '.join(POLICIES)}.")
    found = Key.of(record)
    kin = kinship_of(key, found)
    again = _solved_again(key, found, record)
    if (
        kin.kind == OTHER
        or not same_noise(key, found)
        or (again and not (solvable and key.sigma_max <= found.sigma_max * (1 + 1e-4)))
    ):
        return None
    words = [] if kin.kind == SAME else [kin.words]
    words += [*again, *differences(key, found)]
    if not words:
        return Match(record, EXACT, kin, (), name=name)
    if kin.kind == SAME:
        words.insert(0, kin.words)
    allowed = policy == "any" or (policy == "near" and kin.kind in (SAME, QUANTISED))
    return Match(record, NEAREST, kin, tuple(words), bool(again), allowed, name)


def checked_use(
    record: Record, key: Key, anyway: bool = False, solvable: bool = False
) -> tuple[str, ...]:
    """How a record that the user named differs from the model at hand, in words; empty when it
    fits.

    Another checkpoint needs `anyway`. Raises RecipeError without it, and SigmaRangeError for
    another range of noise, which nothing but solving again (`solvable`) can bridge.
    """
    found = Key.of(record)
    if not same_noise(key, found):
        raise SigmaRangeError(
            f"This record is for another kind of noise ({_noise(found)}; your model is {_noise(key)}); distil your own."
        )
    if not same_range(key, found) and not solvable:
        raise SigmaRangeError(
            f"This record was {range_words(key, found)}, and schedules are never stretched; distil for your model."
        )
    kin = kinship_of(key, found)
    if kin.kind not in (SAME, QUANTISED) and not anyway:
        title = record.model.name or "an unnamed model"
        raise RecipeError(
            f"This record is for {title}, yours is {kin.words}; choose 'use anyway' if you want it all the same."
        )
    return tuple([] if kin.kind == SAME else [kin.words]) + tuple(differences(key, found))


def kinship_of(key: Key, found: Key) -> Kinship:
    """How the weights of two keys are related; unknown weights are another model's."""
    if key.fingerprint is None or found.fingerprint is None:
        return Kinship(OTHER, None, "a model that is not known")
    return kinship(key.fingerprint, found.fingerprint)


def _solved_again(key: Key, found: Key, record: Record) -> list[str]:
    words = [] if same_range(key, found) else [range_words(key, found)]
    if key.sampler is not None and all(recipe.sampler != key.sampler for recipe in record.recipes):
        words.append(f"no recipe for {key.sampler}")
    return words


def _noise(key: Key) -> str:
    return (
        key.parametrisation
        if key.prediction in (None, key.parametrisation)
        else f"{key.parametrisation}, {key.prediction}"
    )
