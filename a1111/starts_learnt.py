"""Where pictures of a denoising strength began that a record was learnt from: few steps of the same
strength begin there too."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..scheduler.learning.situation import Situation
    from ..scheduler.record import Record

KEY = "learnt_starts"  # in a record's evidence: [{"denoise": ..., "start_sigma": ...}]
SAME = 0.005  # of a denoising strength
MOST = 20


def with_start(
    record: Record, before: Record | None, situation: Situation, strength: float | None
) -> Record:
    """A record that says where a picture of this strength began; a whole run begins at the top."""
    known = [*_listed(before), *_listed(record)]
    if strength is None or situation.start is None:
        found = known
    else:
        entry = {"denoise": float(strength), "start_sigma": float(situation.start)}
        found = [*(each for each in known if abs(each["denoise"] - strength) > SAME), entry]
    unique = [each for k, each in enumerate(found) if each not in found[:k]][-MOST:]
    if unique == _listed(record):
        return record
    return replace(record, evidence=record.evidence | {KEY: unique})


def start_learnt(record: Record, strength: float) -> float | None:
    """The first sigma of pictures of this strength, where the record was learnt from one."""
    near = [each for each in _listed(record) if abs(each["denoise"] - strength) <= SAME]
    return float(near[-1]["start_sigma"]) if near else None


def _listed(record: Record | None) -> list[dict]:
    """What a record says, as far as it can be read."""
    found = record.evidence.get(KEY, []) if record is not None else []
    return [each for each in found if isinstance(each, dict) and _whole(each)]


def _whole(entry: dict) -> bool:
    numbers = (entry.get("denoise"), entry.get("start_sigma"))
    return all(isinstance(each, (int, float)) and each > 0 for each in numbers)
