"""Unrelated models that are said to be kin of a bundled checkpoint, both ways: as their weights are, and with
the base's weights stated in a source of somebody else's, where what they draw alone gives them away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from benchmarks.kin_subjects import (
    CFG,
    STEPS,
    KinSubject,
    claimed,
    facts_of,
    own_record,
    picture,
    strangers,
    subject_of,
)
from benchmarks.subjects import BEDS, Subject
from scheduler.checkpoints import load_checkpoint
from scheduler.errors import StepDistillError
from scheduler.fingerprint.kinship import SAME
from scheduler.kin import Kin, KinVerdict, check_kin
from scheduler.kin.strangers import apart
from scheduler.lookup.match import SOURCE
from scheduler.record import Record
from scheduler.recordings import Recording

Told = tuple[
    str, int, float | None, float | None
]  # what was said, calls, ratio, how far apart the ways are


class Kept(Protocol):
    """Figures by name, made once."""

    def get(self, name: str, make: Callable[[], dict]) -> dict: ...


def strangers_table(name: str, seeds: Sequence[int], folder: Path, kept: Kept) -> str:
    """Every stranger's line, and how many were refused."""
    base = subject_of(load_checkpoint(name), name, CFG)
    records = [own_record(base, seed)[0] for seed in seeds]
    lines = [
        f"\n== said to be kin of {name}: by its weights; with the base's weights stated in a source: ratio, "
        "verdict, distance of the ways"
    ]
    every: list[Told] = []
    honest: list[Told] = []
    for label, of in _unrelated(name, folder):
        make = partial(_both_ways, base, records, of, seeds)
        found = kept.get(f"strangers 2 {name} {label} {list(seeds)}", make)
        for way, (by_weights, stated) in found.items():
            honest += by_weights
            every += stated
            said = sorted({f"{code} after {calls} calls" for code, calls, *_ in by_weights})
            lines.append(f"  {_way(way, name, label)}: {', '.join(said)}; {_told(stated)}")
    lines.append(f"refused by weights: {_refused(honest)}; with stated weights: {_refused(every)}")
    return "\n".join(lines)


def _unrelated(name: str, folder: Path) -> Iterator[tuple[str, Subject]]:
    base = load_checkpoint(name)
    for label, model in strangers(name, folder / "models"):
        yield label, subject_of(model, label, CFG)
    for label, make in BEDS.items():
        bed = make()
        if bed.parametrisation == base.parametrisation:
            for cfg in (1.0, CFG):
                yield f"{label} at {cfg:g}", KinSubject(label, cfg, bed, bed.classes)


def _both_ways(
    base: Subject, records: Sequence[Record], of: Subject, seeds: Sequence[int]
) -> dict[str, tuple[list[Told], list[Told]]]:
    """{"on it": ..., "its": ...}: the base's recipe on the stranger's pictures, and the other way round."""
    theirs = [_own_or_none(of, seed) for seed in seeds]
    there = [(each, of, seed) for each, seed in zip(records, seeds, strict=True)]
    back = [(each, base, seed) for each, seed in zip(theirs, seeds, strict=True) if each]
    return {way: _checked(each) for way, each in (("on it", there), ("its", back))}


def _checked(claims: Sequence[tuple[Record, Subject, int]]) -> tuple[list[Told], list[Told]]:
    by_weights, stated = [], []
    for record, of, seed in claims:
        run, denoise = picture(of, seed + 10)
        for kin, found in (
            (Kin.of(record, facts_of(of.model, of.name)), by_weights),
            (claimed(record, of, SAME, SOURCE), stated),
        ):
            if kin.recipe(STEPS) is None:  # of another range of noise
                found.append(("refuse (noise)", 0, None, None))
                continue
            found.append(_said(check_kin(kin, denoise, STEPS, recordings=(run,)), kin, run))
    return by_weights, stated


def _said(verdict: KinVerdict, kin: Kin, run: Recording) -> Told:
    why = f" ({verdict.stranger})" if verdict.stranger else ""
    far = None if kin.gram is None else apart(kin.gram, run.gram, kin.model.process)
    return f"{verdict.code}{why}", verdict.calls, verdict.ratio, far


def _own_or_none(of: Subject, seed: int) -> Record | None:
    try:
        record, _ = own_record(of, seed)
    except StepDistillError:
        return None
    return record if record.recipe("distilled", STEPS).choice.ours else None


def _way(way: str, name: str, label: str) -> str:
    return f"{name}'s recipe on {label}" if way == "on it" else f"recipe of {label} on {name}"


def _told(stated: Sequence[Told]) -> str:
    parts = []
    for code, _, ratio, far in stated:
        numbers = [f"{each:.2f}" for each in (ratio, far) if each is not None]
        parts.append(" ".join([code, *numbers]))
    return ", ".join(parts) or "nothing to check"


def _refused(found: Sequence[Told]) -> str:
    count = sum(code.startswith("refuse") for code, *_ in found)
    others = sorted(code for code, *_ in found if not code.startswith("refuse"))
    rest = f", {len(others)} not: {', '.join(others)}" if others else ""
    return f"{count} of {len(found)}{rest}"
