"""Who did what for a record, when, on which rows, and with how many model calls: the stages of its
making, and the plans behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone

from ..version import VERSION

OWN = "own"  # the grid of a teacher that is a step-distilled model's own run
RECORDING, RECIPES, REFINEMENT, EVIDENCE = "recording", "recipes", "refinement", "evidence"
KIN = "kin"  # related models' recipes that its own were begun with, each with its check


def now() -> str:
    """The time in UTC, as provenance's "created" wants it."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Stages:
    """The stages that have ended, each with the model calls since the one before.

    spent: tells the calls made so far.
    """

    def __init__(self, spent: Callable[[], int]):
        self.done: list[dict] = []
        self._spent, self._before = spent, 0

    def end(self, stage: str, **about: object) -> bool:
        """Note that a stage, or a piece of one, has ended; one that made no call is left out.
        about: sampler, steps, rows (how many), seed (of their noise). Returns whether it made any."""
        calls, self._before = self._spent() - self._before, self._spent()
        if not calls:
            return False
        last = self.done[-1] if self.done else {}
        if last.get("stage") == stage and all(last.get(k) == v for k, v in about.items()):
            self.done.pop()  # the same stage went on
            calls += last["calls"]
        self.done.append({"stage": stage, "calls": calls, "created": now(), **about})
        return True


def provenance_of(stages: Sequence[Mapping], plan: Mapping, seconds: float) -> dict:
    """The provenance of a record just made: the calls of its stages, and the plan that it was made
    by. plan: as the schema's PLAN, without its time."""
    created = now()
    measured = sum(each["calls"] for each in stages if each["stage"] == EVIDENCE)
    return {
        "version": VERSION,
        "created": created,
        "model_calls": sum(each["calls"] for each in stages) - measured,
        "evidence_calls": measured,
        "seconds": round(seconds, 1),
        "plans": [{"created": created, **plan}],
        "stages": list(stages),
    }
