"""What a record is looked up by: the weights, their patches, the kind of noise, and the conditions
in buckets; and how far two are apart.

Buckets (an edge belongs to the bucket above it):
- cfg and distilled guidance: edges at 1.05, 1.75, 2.5, 3.5, 4.5, 5.5, 6.5, 8.5, 11 and 16. Below
  1.05 there is no guidance.
- resolution: the latent's area (the product of its last two axes, or its last axis where it has
  two) to the nearest power of two: edges at 2^(k + 1/2), so that 832x1216 falls with 1024x1024, and
  768x768 does not. Orientation and aspect do not count.
- frames, of latents with four axes (channels, frames, height, width): to the nearest power of two
  likewise. The noise's range is no bucket: sigma_max must agree to 0.01 % and sigma_min to 1 %, or
  schedules are not exchanged at all.
"""

from __future__ import annotations

import hashlib
import json
import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..fingerprint import Fingerprint
from ..fingerprint.sketch import diffusion_names
from ..record import Record

NAMING = 1  # of digests: another number would give every record another file
GUIDANCE_EDGES = (1.05, 1.75, 2.5, 3.5, 4.5, 5.5, 6.5, 8.5, 11.0, 16.0)
# Relative, but for a patch's strength; hosts keep sigmas in float32.
SAME_MAX = 1e-4
SAME_MIN = 1e-2
SAME_SHIFT = 1e-3
SAME_SCALE = 1e-3  # of the noise
SAME_STRENGTH = 5e-3


@dataclass(frozen=True)
class Key:
    """Everything that a recipe depends on.

    fingerprint: of the weights without patches, or None when unknown. patches: mappings with name,
    strength and perhaps fingerprint (`patch`). latent_shape: one sample's, without batch. sampler:
    the one asked for, or None for any; samplers: those of a record. noise_scale: the standard
    deviation of the noise that the model draws from.
    """

    fingerprint: Fingerprint | None
    process: str
    sigma_min: float
    sigma_max: float
    prediction: str | None = None
    shift: float | None = None
    cfg: float | None = None
    guidance: float | None = None
    latent_shape: tuple[int, ...] | None = None
    patches: tuple[Mapping, ...] = ()
    sampler: str | None = None
    noise_scale: float = 1.0

    @classmethod
    def of(cls, record: Record, sampler: str | None = None) -> Key:
        """The key of a record, for one of its samplers or for all of them."""
        model, under = record.model, record.conditions
        return cls(
            Fingerprint.of_record(model),
            model.parametrisation,
            model.sigma_min,
            model.sigma_max,
            model.prediction,
            model.shift,
            under.cfg,
            under.guidance,
            under.latent_shape,
            model.patches,
            sampler or "+".join(sorted({recipe.sampler for recipe in record.recipes})),
            model.noise_deviation,
        )

    def digest(self) -> str:
        """24 hex digits that name a record's file: equal keys, buckets and all, have equal ones."""
        patches = [
            (p["name"], p.get("fingerprint", ""), round(p["strength"] / SAME_STRENGTH))
            for p in active(self.patches)
        ]
        noise = [
            self.process,
            self.prediction,
            _digits(self.shift),
            _digits(self.sigma_min),
            _digits(self.sigma_max),
        ]
        if self.noise_scale != 1:  # so that others keep the names that they had
            noise.append(_digits(self.noise_scale))
        buckets = [
            guidance_bucket(self.cfg),
            guidance_bucket(self.guidance),
            resolution_bucket(self.latent_shape),
        ]
        whole = [
            NAMING,
            self.fingerprint and self.fingerprint.id,
            sorted(patches),
            noise,
            buckets,
            frame_bucket(self.latent_shape),
        ]
        return hashlib.blake2b(
            json.dumps([*whole, self.sampler]).encode(), digest_size=12
        ).hexdigest()


def patch(name: str, strength: float, names: Iterable[str]) -> dict:
    """A patch (a LoRA) as keys and records carry it: which, how strong, and a fingerprint of the
    weights' names that it changes.

    `names` are the model's weights, with or without a host's prefixes. The name alone would not
    tell two files of one name apart.
    """
    listed = "\n".join(sorted(diffusion_names(names)))
    return {
        "name": name,
        "strength": float(strength),
        "fingerprint": hashlib.blake2b(listed.encode(), digest_size=8).hexdigest(),
    }


def active(patches: Sequence[Mapping]) -> list[Mapping]:
    """Those that change anything."""
    return [entry for entry in patches if abs(entry["strength"]) > SAME_STRENGTH]


def guidance_bucket(value: float | None) -> int | None:
    """The bucket of a cfg or distilled guidance; None for none stated."""
    return None if value is None else bisect_right(GUIDANCE_EDGES, value)


def resolution_bucket(shape: Sequence[int] | None) -> int | None:
    """The nearest power of two of the latent's area; None where no shape is stated."""
    if not shape:
        return None
    return _nearest_power(math.prod(shape[-2:]) if len(shape) > 2 else shape[-1])


def frame_bucket(shape: Sequence[int] | None) -> int | None:
    """The nearest power of two of the number of frames; None for pictures and unstated shapes."""
    return _nearest_power(shape[1]) if shape and len(shape) == 4 else None


def same_noise(one, other) -> bool:
    """Whether two keys (or models' facts) have one process, one scale of noise, and one prediction
    where both state theirs."""
    predictions = {one.prediction, other.prediction} - {None}
    alike = one.process == other.process and same_scale(one, other)
    return alike and len(predictions) < 2


def same_scale(one, other) -> bool:
    """Whether two models' runs begin with noise of one standard deviation."""
    return _near(one.noise_scale, other.noise_scale, SAME_SCALE)


def same_range(one, other) -> bool:
    """Whether schedules of one fit the other as they are."""
    return _near(one.sigma_max, other.sigma_max, SAME_MAX) and _near(
        one.sigma_min, other.sigma_min, SAME_MIN
    )


def same_shift(one: float | None, other: float | None) -> bool:
    """Whether two shifts are one, where both are stated."""
    return one is None or other is None or _near(one, other, SAME_SHIFT)


def _near(one: float, other: float, tolerance: float) -> bool:
    return abs(one - other) <= tolerance * max(abs(one), abs(other))


def _nearest_power(count: int) -> int:
    return math.floor(math.log2(count) + 0.5)


def _digits(value: float | None) -> str | None:
    return None if value is None else f"{value:.3g}"
