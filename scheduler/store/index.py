"""Ranks a store's records against what is asked, all at once: columns of numbers, one row a record,
so that 10,000 take milliseconds."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..fingerprint.kinship import QUANTISED, RELATED, SAME
from ..lookup.key import SAME_MAX, SAME_MIN, Key, frame_bucket, guidance_bucket, resolution_bucket
from .scan import Brief, outline, patches_text

# How far records are from what is asked, for ranking only: what is then said and allowed is judged
# on the record itself (matching.py).
KIN_DISTANCE = {SAME: 0.0, QUANTISED: 5.0, RELATED: 50.0}
SOLVE_RANGE, SOLVE_SAMPLER, OTHER_PATCHES, UNSTATED = 20.0, 3.0, 10.0, 1.5
LIKELY = 8  # relatives to be judged by their full fingerprints, at most
COMMON = 0.6  # of an outline's weights must be known by name and shape
# of these must be close: where matrices are quantised out of recognition, vectors (half of an
# outline) are left
ALIKE = 0.45
CLOSE = 0.15  # relative difference of values that may be one value quantised


class Index:
    """The briefs of a store as columns."""

    def __init__(self, briefs: Iterable[Brief], sidecars: Iterable[str]):
        self.briefs = sorted(
            briefs, key=lambda brief: brief.created, reverse=True
        )  # stable ranks: the newest of equals first
        beside = {name.removesuffix(".safetensors") + ".json" for name in sidecars}
        self.solvable = np.array(
            [brief.solvable or brief.file in beside for brief in self.briefs], dtype=bool
        )
        self.prints, self.print_codes = _coded(brief.fingerprint for brief in self.briefs)
        self.noise, self.noise_codes = _coded(brief.noise for brief in self.briefs)
        self.patches, self.patch_codes = _coded(brief.patches for brief in self.briefs)
        numbers = [
            [np.nan if value is None else value for value in brief.numbers] for brief in self.briefs
        ]
        self.low, self.high, self.shift, self.cfg, self.guidance = (
            np.array(numbers, dtype=np.float64).reshape(-1, 5).T
        )
        self.buckets = _columns(
            [_buckets(*brief.numbers[3:], brief.latent_shape) for brief in self.briefs]
        )
        self.samplers = {
            name: np.array([name in brief.samplers for brief in self.briefs])
            for name in self._names()
        }
        self.outlines = {
            brief.fingerprint: brief for brief in reversed(self.briefs) if brief.fingerprint
        }
        self._tables = _outline_tables(self.outlines.values())

    def _names(self) -> set[str]:
        return {name for brief in self.briefs for name in brief.samplers}

    def likely(self, key: Key) -> list[Brief]:
        """One record of each fingerprint with another id that may be of the same or related
        weights, likeliest first."""
        mine, found = dict(outline(key.fingerprint.samples)), []
        for hashes, values, prints in self._tables:
            common = [(column, mine[name]) for column, name in enumerate(hashes) if name in mine]
            if len(common) < COMMON * max(len(hashes), len(mine), 1) or not common:
                continue
            columns, wanted = zip(*common, strict=True)
            theirs = values[:, columns]
            close = (
                np.abs(theirs - wanted) <= CLOSE * np.maximum(np.abs(theirs), np.abs(wanted))
            ).sum(axis=1)
            best = np.argsort(-close, kind="stable")[:LIKELY]
            found += [
                (int(close[row]), prints[row]) for row in best if close[row] >= ALIKE * len(columns)
            ]
        names = [
            name
            for _, name in sorted(found, key=lambda pair: -pair[0])[:LIKELY]
            if name != key.fingerprint.id
        ]
        return [self.outlines[name] for name in names]

    def ranked(self, key: Key, kinds: dict[str, str], most: int = 6) -> list[tuple[float, Brief]]:
        """(distance, record) of those nearest to a key, best first; 0 is an exact hit. kinds:
        {fingerprint: kind of kinship} of all kin."""
        if not any(name in self.outlines for name in kinds):
            return []
        kin = np.array([KIN_DISTANCE.get(kinds.get(name), np.inf) for name in self.prints])
        mine = patches_text(key)
        patches = np.array([0.0 if text == mine else OTHER_PATCHES for text in self.patches])
        distance = kin[self.print_codes] + patches[self.patch_codes] + self._noise_distance(key)
        distance += self._sampler_distance(key) + self._condition_distance(key)
        best = np.argsort(distance, kind="stable")[:most]
        return [
            (float(distance[row]), self.briefs[row]) for row in best if np.isfinite(distance[row])
        ]

    def _noise_distance(self, key: Key) -> np.ndarray:
        other = [
            noise[0] != key.parametrisation or len({noise[1], key.prediction} - {None}) > 1
            for noise in self.noise
        ]
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
        asked = _columns([_buckets(key.cfg, key.guidance, key.latent_shape)])[:, 0]
        apart = [
            np.where(_equal(column, value), 0.0, 1.0)
            for column, value in zip(self.buckets, asked, strict=True)
        ]
        cfg, guidance = _guidance_gap(self.cfg, key.cfg), _guidance_gap(self.guidance, key.guidance)
        sizes = [
            0.5 * _gap(column, value)
            for column, value in zip(self.buckets[2:], asked[2:], strict=True)
        ]
        shift = 2 * np.abs(np.log(self.shift / (np.nan if key.shift is None else key.shift)))
        shift = np.where(np.isnan(shift) | (shift < 2e-3), 0.0, shift)
        return (
            apart[0] * (1 + cfg) + apart[1] * (1 + guidance) + sum(apart[2:]) + sum(sizes) + shift
        )


def _coded(values: Iterable) -> tuple[list, np.ndarray]:
    """The different values, and for each row the place of its value among them."""
    places: dict = {}
    codes = np.array([places.setdefault(value, len(places)) for value in values], dtype=np.int64)
    return list(places), codes


def _buckets(cfg: float | None, guidance: float | None, shape) -> list[float]:
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


def _equal(column: np.ndarray, value: float) -> np.ndarray:
    return (column == value) | (np.isnan(column) & np.isnan(value))


def _near(column: np.ndarray, value: float, tolerance: float) -> np.ndarray:
    return np.abs(column - value) <= tolerance * np.maximum(np.abs(column), abs(value))


def _outline_tables(briefs: Iterable[Brief]) -> list[tuple[tuple[int, ...], np.ndarray, list[str]]]:
    """For each architecture: the hashes of its outline, the values (fingerprints, hashes), and the
    fingerprints."""
    groups: dict[tuple[int, ...], list[Brief]] = {}
    for brief in briefs:
        groups.setdefault(tuple(digest for digest, _ in brief.outline), []).append(brief)
    tables = []
    for hashes, members in groups.items():
        values = np.array(
            [[value for _, value in brief.outline] for brief in members], dtype=np.float64
        ).reshape(len(members), -1)
        tables.append((hashes, values, [brief.fingerprint for brief in members]))
    return tables
