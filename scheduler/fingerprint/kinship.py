"""Whether two fingerprints are of the same weights.

Judged on sampled values, with the tolerance that casts between formats need.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .identity import Fingerprint
from .number_formats import ABSOLUTE, EIGHT_BITS, RAW, RELATIVE, coarsest
from .sketch import RUN

SAME, QUANTISED, RELATED, OTHER = "same", "quantised", "related", "other"
SHARED = 0.75  # of the sampled tensors must be sampled on both sides, with equal shapes
LEAST_ROWS = 8  # of telling values, where most weights cannot be compared
SLACK = 1.15  # a file in float16 that a host casts to bfloat16 was rounded twice
# Of the rows where both sides have one precision: no cast explains more differences (two casts in a
# row change one value in 16).
LEAST_EXACT = 0.6
# Mean cosine of the runs; unrelated weights have 0.
ALIKE_QUANTISED = 0.98
ALIKE_RELATED = 0.8


@dataclass(frozen=True)
class Kinship:
    """How two models' weights are related.

    kind: SAME (casts allowed), QUANTISED (the same, coarsened), RELATED (a finetune or merge) or
    OTHER. alike: mean cosine of the runs, or None where it could not be taken. words: the same as a
    clause, the first model being "here", the second "the record's".
    """

    kind: str
    alike: float | None
    words: str


@lru_cache(maxsize=256)  # keyed by ids and, where these are equal, by samples
def kinship(here: Fingerprint, there: Fingerprint) -> Kinship:
    """How the weights of two fingerprints are related; without samples on both sides the ids decide."""
    if not here.samples or not there.samples:
        if here.id == there.id:
            return Kinship(SAME, None, "the same file")
        return Kinship(OTHER, None, "another model")
    names = [name for name in here.samples if _shape(here, name) == _shape(there, name)]
    if len(names) < SHARED * max(len(here.samples), len(there.samples)):
        return Kinship(OTHER, None, "a model of another architecture")
    return _judged(_Side(here, names), _Side(there, names))


class _Side:
    """The samples of some names as arrays.

    values (n, RUN); formats (n,), as declared, and the coarsest that the values prove; which rows
    are matrices, and which coarsely quantised.
    """

    def __init__(self, fingerprint: Fingerprint, names: list[str]):
        samples = [fingerprint.samples[name] for name in names]
        self.values = np.zeros((len(names), RUN), dtype=np.float32)
        for row, sample in zip(self.values, samples, strict=True):
            found = sample["values"][:RUN]
            row[: len(found)] = found
        self.formats = np.array([sample["dtype"] for sample in samples])
        self.matrix = np.array([len(sample["shape"]) > 1 for sample in samples])
        self.coarse = np.isin(self.formats, (RAW, *EIGHT_BITS))
        self.proved = np.array(
            [coarsest(row, dtype) for row, dtype in zip(self.values, self.formats, strict=True)]
        )

    def tolerances(self) -> tuple[np.ndarray, np.ndarray]:
        """Relative and absolute, (n, 1) each, by the format that the values prove."""
        relative = np.array([RELATIVE[name] for name in self.proved])
        absolute = np.array([ABSOLUTE[name] for name in self.proved])
        return relative[:, None], absolute[:, None]

    def usual(self) -> str:
        """The format of most matrices."""
        formats = self.formats[self.matrix].tolist() or self.formats.tolist()
        return Counter(formats).most_common(1)[0][0]


def _judged(here: _Side, there: _Side) -> Kinship:
    plain = ~here.coarse & ~there.coarse
    readable = (here.formats != RAW) & (there.formats != RAW)
    exact = (here.values == there.values).all(axis=1) & (readable | (here.formats == there.formats))
    close = exact | (plain & _within(here, there))
    mixed = (here.coarse | there.coarse) & ~exact  # quantised on one side, or otherwise quantised
    seen = mixed & readable
    alike = _alike(here, there, here.matrix & (plain | seen | exact))
    cast = ""
    if here.usual() != there.usual():
        cast = f" ({here.usual()} here, {there.usual()} in the record)"
    if close.all() and _explained(exact, plain & (here.proved == there.proved)):
        return Kinship(SAME, alike, f"the same weights{cast}")
    if mixed.any() and close[~mixed].all() and _quantised(here, there, close & ~mixed, seen):
        return Kinship(QUANTISED, alike, f"the same weights, otherwise quantised{cast}")
    if alike is not None and alike >= ALIKE_RELATED:
        percent = f"{100 * min(alike, 0.999):.1f} %"
        return Kinship(RELATED, alike, f"other weights of the same family ({percent} alike)")
    return Kinship(OTHER, alike, "other weights of the same architecture")


def _within(here: _Side, there: _Side) -> np.ndarray:
    r1, a1 = here.tolerances()
    r2, a2 = there.tolerances()
    size = np.maximum(np.abs(here.values), np.abs(there.values))
    return (np.abs(here.values - there.values) <= SLACK * (r1 + r2) * size + a1 + a2).all(axis=1)


def _explained(exact: np.ndarray, one_precision: np.ndarray) -> bool:
    """Whether casts alone explain the differences.

    A finetune that moved weights by a unit in the last place is within tolerance too.
    """
    return one_precision.sum() < LEAST_ROWS or bool(exact[one_precision].mean() >= LEAST_EXACT)


def _quantised(here: _Side, there: _Side, proved: np.ndarray, seen: np.ndarray) -> bool:
    """Whether the quantised rows point the same way; scales of their own do not matter.

    Where they cannot be read: whether enough others are equal.
    """
    if (seen & here.matrix).sum() >= LEAST_ROWS:
        alike = _alike(here, there, seen & here.matrix)
        return alike is not None and alike >= ALIKE_QUANTISED
    telling = proved & ~np.isin(here.values, (0.0, 1.0)).all(axis=1)
    return bool(telling.sum() >= LEAST_ROWS)


def _alike(here: _Side, there: _Side, rows: np.ndarray) -> float | None:
    """The mean cosine between both sides' runs, over the rows that are not zero on both."""
    one = here.values[rows].astype(np.float64)
    two = there.values[rows].astype(np.float64)
    size_one = np.linalg.norm(one, axis=1)
    size_two = np.linalg.norm(two, axis=1)
    told = (size_one > 0) | (size_two > 0)
    if not told.any():
        return None
    cosines = (one * two).sum(axis=1)[told] / np.maximum(size_one * size_two, 1e-60)[told]
    return float(cosines.mean())


def _shape(fingerprint: Fingerprint, name: str) -> list[int] | None:
    sample = fingerprint.samples.get(name)
    return None if sample is None else list(sample["shape"])
