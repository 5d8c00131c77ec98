"""Ranks a store's records against what is asked, all at once: columns of numbers, one row a record,
so that 10,000 take milliseconds.

The distance of a record is a sum of penalties, one for each way in which it differs from what is
asked: 0 is an exact hit, infinity cannot be used at all. It only decides in which order records are
tried; what is then said and allowed is judged on the record itself (lookup/match.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeVar

import numpy as np

from ..fingerprint import Fingerprint
from ..fingerprint.kinship import QUANTISED, RELATED, SAME
from ..lookup.key import (
    SAME_MAX,
    SAME_MIN,
    Key,
    frame_bucket,
    guidance_bucket,
    resolution_bucket,
    same_noise,
)
from .scan import Brief, outline, patches_text

# Penalties. Other weights weigh more than anything that may differ with the same ones; a schedule
# that must be solved again for another range weighs more than other conditions.
KIN_DISTANCE = {SAME: 0.0, QUANTISED: 5.0, RELATED: 50.0}
SOLVE_RANGE = 20.0
OTHER_PATCHES = 10.0
SOLVE_SAMPLER = 3.0
UNSTATED = 1.5  # a condition that only one side states
BY_CHECK = 0.01  # of another cfg, but checked around it: after those of its own
OTHER_BUCKET = 1.0  # of guidance, resolution or frames; a gap adds to it
A_DOUBLING = 0.5  # of the latent's area, or of the frames
A_SHIFT = 2.0  # for a shift e times as large
SAME_SHIFT = 2e-3  # below, in log shift, they are one

LIKELY = 8  # relatives to be judged by their full fingerprints, at most
COMMON = 0.6  # of an outline's weights must be known by name and shape
# of these must be close: where matrices are quantised out of recognition, vectors (half of an
# outline) are left
ALIKE = 0.45
CLOSE = 0.15  # relative difference of values that may be one value quantised

Value = TypeVar("Value")


class _Noise(NamedTuple):
    process: str
    prediction: str | None
    noise_scale: float


class Index:
    """The briefs of a store as columns.

    sidecars: the files of inner products that stand beside records of version 1.
    """

    def __init__(self, briefs: Iterable[Brief], sidecars: Iterable[str]):
        # Ranks are stable: of equally near records the newest comes first.
        self.briefs = sorted(briefs, key=lambda brief: brief.created, reverse=True)
        beside = {name.removesuffix(".safetensors") + ".json" for name in sidecars}
        solvable = [brief.solvable or brief.file in beside for brief in self.briefs]
        self.solvable = np.array(solvable, dtype=bool)
        self.prints, self.print_codes = _coded(brief.fingerprint for brief in self.briefs)
        self.noise, self.noise_codes = _coded(brief.noise for brief in self.briefs)
        self.patches, self.patch_codes = _coded(brief.patches for brief in self.briefs)
        numbers = np.array([brief.numbers for brief in self.briefs], dtype=np.float64)
        self.low, self.high, self.shift, self.cfg, self.guidance = numbers.reshape(-1, 5).T
        spans = [brief.cfg_span or (np.nan, np.nan) for brief in self.briefs]
        self.from_cfg, self.to_cfg = np.array(spans, dtype=np.float64).reshape(-1, 2).T
        self.buckets = _columns([_buckets_of(brief) for brief in self.briefs])
        names = {name for brief in self.briefs for name in brief.samplers}
        self.samplers = {
            name: np.array([name in brief.samplers for brief in self.briefs]) for name in names
        }
        self.outlines = {
            brief.fingerprint: brief for brief in reversed(self.briefs) if brief.fingerprint
        }
        self._tables = _outline_tables(self.outlines.values())

    def likely(self, key: Key) -> list[Brief]:
        """One record of each fingerprint with another id that may be of the same or related
        weights, likeliest first."""
        if key.fingerprint is None:
            return []
        mine = _outline_of(key.fingerprint)
        found = [pair for table in self._tables for pair in _alike(mine, *table)]
        best = sorted(found, key=lambda pair: -pair[0])[:LIKELY]
        return [self.outlines[name] for _, name in best if name != key.fingerprint.id]

    def ranked(self, key: Key, kinds: dict[str, str], most: int = 6) -> list[tuple[float, Brief]]:
        """(distance, record) of those nearest to a key, best first; 0 is an exact hit. kinds:
        {fingerprint: kind of kinship} of all kin."""
        if not any(name in self.outlines for name in kinds):
            return []
        distance = self._kin_distance(kinds) + self._patch_distance(key)
        distance += self._noise_distance(key) + self._sampler_distance(key)
        distance += self._condition_distance(key)
        best = np.argsort(distance, kind="stable")[:most]
        return [
            (float(distance[row]), self.briefs[row]) for row in best if np.isfinite(distance[row])
        ]

    # Each of these gives one penalty a record. What many records share (weights, noise, patches) is
    # judged once and spread by codes.

    def _kin_distance(self, kinds: Mapping[str, str]) -> np.ndarray:
        penalties = [KIN_DISTANCE.get(kinds.get(name, ""), np.inf) for name in self.prints]
        return np.array(penalties)[self.print_codes]

    def _patch_distance(self, key: Key) -> np.ndarray:
        mine = patches_text(key)
        penalties = [0.0 if text == mine else OTHER_PATCHES for text in self.patches]
        return np.array(penalties)[self.patch_codes]

    def _noise_distance(self, key: Key) -> np.ndarray:
        """Another kind of noise cannot be used; another range only by solving again, from inner
        products that reach up to it."""
        other = [not same_noise(key, _Noise(*each)) for each in self.noise]
        refused = np.array(other)[self.noise_codes]
        same = _near(self.high, key.sigma_max, SAME_MAX) & _near(self.low, key.sigma_min, SAME_MIN)
        covers = self.solvable & (key.sigma_max <= self.high * (1 + SAME_MAX))
        return np.where(refused | ~(same | covers), np.inf, np.where(same, 0.0, SOLVE_RANGE))

    def _sampler_distance(self, key: Key) -> np.ndarray:
        if key.sampler is None:
            return np.zeros(len(self.briefs))
        has = self.samplers.get(key.sampler, np.zeros(len(self.briefs), dtype=bool))
        return np.where(has, 0.0, np.where(self.solvable, SOLVE_SAMPLER, np.inf))

    def _condition_distance(self, key: Key) -> np.ndarray:
        """Nothing within a bucket; beyond it more, the further away. A gap of guidance counts only
        where the bucket is another, a gap of size always counts (it is one of buckets)."""
        asked = _columns([_buckets(key.cfg, key.guidance, key.latent_shape)])[:, 0]
        cfg, guidance, area, frames = (
            np.where(_equal(column, value), 0.0, OTHER_BUCKET)
            for column, value in zip(self.buckets, asked, strict=True)
        )
        cfg *= 1 + _guidance_gap(self.cfg, key.cfg)
        cfg = np.where(self._checked_at(key.cfg), np.minimum(cfg, BY_CHECK), cfg)
        guidance *= 1 + _guidance_gap(self.guidance, key.guidance)
        area += A_DOUBLING * _gap(self.buckets[2], asked[2])
        frames += A_DOUBLING * _gap(self.buckets[3], asked[3])
        return cfg + guidance + area + frames + _shift_gap(self.shift, key.shift)

    def _checked_at(self, cfg: float | None) -> np.ndarray:
        """Whether some recipe was checked at cfgs around this one."""
        if cfg is None:
            return np.zeros(len(self.briefs), dtype=bool)
        return (self.from_cfg <= cfg) & (cfg <= self.to_cfg)


@lru_cache(maxsize=16)
def _outline_of(fingerprint: Fingerprint) -> dict[int, float]:
    """The outline of a model that asks, for it asks again and again."""
    return dict(outline(fingerprint.samples))


def _coded(values: Iterable[Value]) -> tuple[list[Value], np.ndarray]:
    """The different values, and for each row the place of its value among them."""
    places: dict[Value, int] = {}
    codes = np.array([places.setdefault(value, len(places)) for value in values], dtype=np.int64)
    return list(places), codes


def _buckets_of(brief: Brief) -> list[float]:
    return _buckets(brief.numbers[3], brief.numbers[4], brief.latent_shape)


def _buckets(cfg: float | None, guidance: float | None, shape: Sequence[int] | None) -> list[float]:
    found = (
        guidance_bucket(cfg),
        guidance_bucket(guidance),
        resolution_bucket(shape),
        frame_bucket(shape),
    )
    return [np.nan if value is None else float(value) for value in found]


def _columns(rows: list[list[float]]) -> np.ndarray:
    return np.array(rows, dtype=np.float64).reshape(-1, 4).T


def _guidance_gap(column: np.ndarray, asked: float | None) -> np.ndarray:
    """Ratios count, and a record made at less guidance than is used is the worse one: distil at or
    above the guidance in use."""
    ratio = np.log((column + 0.5) / (np.nan if asked is None else asked + 0.5))
    return np.where(np.isnan(ratio), UNSTATED, np.where(ratio < 0, -2 * ratio, ratio))


def _gap(column: np.ndarray, asked: float) -> np.ndarray:
    gap = np.abs(column - asked)
    return np.where(np.isnan(gap), np.where(_equal(column, asked), 0.0, UNSTATED), gap)


def _shift_gap(column: np.ndarray, asked: float | None) -> np.ndarray:
    """An unstated shift differs from none."""
    gap = np.abs(np.log(column / (np.nan if asked is None else asked)))
    return np.where(np.isnan(gap) | (A_SHIFT * gap < SAME_SHIFT), 0.0, A_SHIFT * gap)


def _equal(column: np.ndarray, value: float) -> np.ndarray:
    return (column == value) | (np.isnan(column) & np.isnan(value))


def _near(column: np.ndarray, value: float, tolerance: float) -> np.ndarray:
    return np.abs(column - value) <= tolerance * np.maximum(np.abs(column), abs(value))


def _alike(
    mine: Mapping[int, float], hashes: Sequence[int], values: np.ndarray, prints: Sequence[str]
) -> list[tuple[int, str]]:
    """(how many sampled values are close, fingerprint) of the models of one architecture that may
    be kin; mine: the outline of the model at hand."""
    common = [(column, mine[digest]) for column, digest in enumerate(hashes) if digest in mine]
    if not common or len(common) < COMMON * max(len(hashes), len(mine)):
        return []
    columns = [column for column, _ in common]
    wanted = np.array([value for _, value in common])
    theirs = values[:, columns]
    largest = np.maximum(np.abs(theirs), np.abs(wanted))
    close = (np.abs(theirs - wanted) <= CLOSE * largest).sum(axis=1)
    best = np.argsort(-close, kind="stable")[:LIKELY]
    return [(int(close[row]), prints[row]) for row in best if close[row] >= ALIKE * len(columns)]


def _outline_tables(briefs: Iterable[Brief]) -> list[tuple[tuple[int, ...], np.ndarray, list[str]]]:
    """For each architecture: the hashes of its outline, the values (fingerprints, hashes), and the
    fingerprints."""
    groups: dict[tuple[int, ...], list[Brief]] = {}
    for brief in briefs:
        groups.setdefault(tuple(digest for digest, _ in brief.outline), []).append(brief)
    tables = []
    for hashes, members in groups.items():
        rows = [[value for _, value in brief.outline] for brief in members]
        values = np.array(rows, dtype=np.float64).reshape(len(members), -1)
        tables.append((hashes, values, [brief.fingerprint for brief in members]))
    return tables
