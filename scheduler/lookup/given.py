"""A record that the user named, beside the model at hand or by itself."""

from __future__ import annotations

from ..errors import RecipeError, SigmaRangeError
from ..fingerprint.kinship import OTHER, SAME
from ..record import Record
from .differences import UNNAMED, Difference, differences, filled, range_difference
from .key import Key, same_noise
from .made_words import difference
from .match import GIVEN, INPUT, Match, at_asked_cfg, by_check, kinship_of, solvable
from .model_facts import facts_of_record
from .selection import Selection, select
from .wanted import SIGMAS, Wanted


def given_match(record: Record, key: Key, name: str = "", place: str = INPUT) -> Match:
    """The match of a record that the user named.

    What the key leaves open is taken as the record's; a record that names no checkpoint is used too
    (`Match.kin` is None then, and it says so). Raises RecipeError for another model's, and
    SigmaRangeError for another kind or range of noise, which nothing but its inner products can
    bridge.
    """
    if not isinstance(record, Record):
        raise RecipeError(
            f"The input 'record' got a {type(record).__name__}; "
            "connect the output of a StepDistill node that has a record."
        )
    found = Key.of(record)
    checked = at_asked_cfg(record, key, found)
    if checked is not None and kinship_of(key, found).kind == SAME:
        return by_check(given_match(checked, key, name, place), record)
    if not same_noise(key, found):
        raise SigmaRangeError(
            f"This record is for another kind of noise ({_noise(found)}; your model is "
            f"{_noise(key)}); distil your own."
        )
    known = key.fingerprint is not None and found.fingerprint is not None
    kin = kinship_of(key, found) if known else None
    if kin is not None and kin.kind == OTHER:
        title = record.model.name or "an unnamed model"
        raise RecipeError(
            f"This record is for {title}, and yours is {kin.words}; "
            "take a record of your own model, or distil one."
        )
    again = range_difference(key, found)
    if again and not solvable(record):
        raise SigmaRangeError(
            f"This record was {difference(again[0])}, and schedules are never stretched; "
            "distil for your model."
        )
    unnamed = () if known else (Difference(UNNAMED),)
    asked = filled(key, found)
    apart = (*unnamed, *again, *differences(asked, found))
    return Match(record, GIVEN, kin, apart, name=name, place=place, asked=asked)


def select_from(
    record: Record,
    sampler: str | None,
    steps: int,
    denoise: float = 1.0,
    start_sigma: float | None = None,
    carries: str = SIGMAS,
    cfg: float | None = None,
) -> Selection:
    """The selection from one record for the model that it was made for, where none is at hand.

    Raises StepsError and SigmaRangeError.
    """
    facts = facts_of_record(record)
    wanted = Wanted.of(facts, sampler, steps, denoise, start_sigma, carries)
    found = Key.of(record)
    apart = differences(filled(facts.key(cfg), found), found)
    return select(wanted, facts, given=Match(record, GIVEN, None, apart, place=INPUT))


def _noise(key: Key) -> str:
    parts = [key.process]
    if key.prediction not in (None, key.process):
        parts.append(key.prediction)
    if key.noise_scale != 1:
        parts.append(f"{key.noise_scale:g} times the usual noise")
    return ", ".join(parts)
