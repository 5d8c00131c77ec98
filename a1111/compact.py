"""A recipe as a word in a picture's parameters: numbers enough to draw it again where the record is
not known.

A word is URL-safe base64 of: a version byte, N, a byte that says what follows, four bytes of a hash of the
weights, the denoising strength, the sampler and the choice (each a length byte and text), and then
in float32 the N first sigmas, the offsets where there are any, and the coefficients, four a step.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..scheduler.lookup.model_facts import ModelFacts
    from ..scheduler.record import Recipe

VERSION = 1
OFFSETS, COEFFICIENTS = 1, 2  # bits
HEAD = "<BBB4sf"
A_STEP = 4  # coefficients
MOST_STEPS, MOST_NAME = 100, 60
MOST_WORDS, MOST_LENGTH = 4, 4096  # of what is pasted
SAME_STRENGTH = 1e-4


@dataclass(frozen=True)
class Held:
    """A recipe that parameters hold. weights: of which model; strength: of which denoising."""

    recipe: Recipe
    weights: bytes
    strength: float


def rounded(recipe: Recipe, facts: ModelFacts) -> Recipe:
    """A recipe in the numbers that a word carries, so that what is pasted draws the same."""
    from ..scheduler.lookup.starts import same_start

    sigmas = [*map(_single, recipe.sigmas)]
    if same_start(sigmas[0], facts.sigma_max):  # hosts scale noise by that very number
        sigmas[0] = facts.sigma_max
    offsets = recipe.offsets and tuple(map(_single, recipe.offsets))
    rows = recipe.coefficients
    coefficients = rows and tuple(tuple(map(_single, row)) for row in rows)
    return replace(
        recipe,
        start_sigma=sigmas[0],
        sigmas=tuple(sigmas),
        offsets=offsets,
        coefficients=coefficients,
    )


def word(recipe: Recipe, facts: ModelFacts, strength: float = 1.0) -> str:
    """A recipe as text without spaces; "" for one that has no place in it."""
    names = [str(each).encode() for each in (recipe.sampler, recipe.choice)]
    rows = recipe.coefficients or ()
    odd = any(len(row) != A_STEP for row in rows) or any(len(name) > MOST_NAME for name in names)
    if odd or recipe.steps > MOST_STEPS:
        return ""
    bits = OFFSETS * (recipe.offsets is not None) + COEFFICIENTS * (recipe.coefficients is not None)
    numbers = [*recipe.sigmas[:-1], *(recipe.offsets or ()), *(c for row in rows for c in row)]
    data = struct.pack(HEAD, VERSION, recipe.steps, bits, weights_of(facts), strength)
    data += b"".join(bytes([len(name)]) + name for name in names)
    data += struct.pack(f"<{len(numbers)}f", *numbers)
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def held(text: str) -> list[Held]:
    """The recipes in pasted text; what is none is left out."""
    words = str(text)[: MOST_WORDS * MOST_LENGTH].split()[:MOST_WORDS]
    return [found for found in map(_held, words) if found is not None]


def weights_of(facts: ModelFacts) -> bytes:
    """By which a word knows its model again."""
    known = facts.fingerprint.id if facts.fingerprint is not None else facts.name
    return hashlib.blake2b(known.encode(), digest_size=4).digest()


def _held(text: str) -> Held | None:
    from ..scheduler.errors import StepDistillError
    from ..scheduler.record import Choice, Recipe
    from ..scheduler.sigmas import check_schedule

    try:
        data = base64.urlsafe_b64decode(text[:MOST_LENGTH] + "=" * (-len(text) % 4))
        version, steps, bits, weights, strength = struct.unpack_from(HEAD, data)
        if version != VERSION or not 1 <= steps <= MOST_STEPS:
            return None
        sampler, at = _text(data, struct.calcsize(HEAD))
        choice, at = _text(data, at)
        shifted, fitted = bool(bits & OFFSETS), bool(bits & COEFFICIENTS)
        count = steps * (1 + shifted + A_STEP * fitted)
        numbers = struct.unpack(f"<{count}f", data[at:])
        sigmas = (*numbers[:steps], 0.0)
        check_schedule(sigmas)
        offsets = numbers[steps : 2 * steps] if shifted else None
        rest = numbers[steps * (1 + shifted) :]
        rows = tuple(rest[k * A_STEP : (k + 1) * A_STEP] for k in range(steps)) if fitted else None
        if not all(abs(each) < 1e6 for each in numbers):
            return None
        made = Recipe(sampler, steps, sigmas[0], sigmas, offsets, rows, Choice.read(choice))
    except (binascii.Error, struct.error, ValueError, IndexError, StepDistillError):
        return None
    return Held(made, weights, strength)


def _text(data: bytes, at: int) -> tuple[str, int]:
    end = at + 1 + data[at]
    return data[at + 1 : end].decode(), end


def _single(number: float) -> float:
    return struct.unpack("<f", struct.pack("<f", number))[0]
