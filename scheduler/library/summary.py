"""What became of a job: small plain data, that travels between machines in place of the record."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from ..errors import PlanError
from ..record import Record
from ..record.verdict_words import recommendation
from .jobs import Job

DONE, FAILED, ELSEWHERE, STOPPED = "done", "failed", "elsewhere", "stopped"
STATES = (DONE, FAILED, ELSEWHERE, STOPPED)
MOST_TEXT = 600


@dataclass(frozen=True)
class Summary:
    """id: the job's. state: done; failed, with the sentence why; elsewhere: another run is at it; stopped.
    record: its file's name in the store. calls: model calls made for it in this run. found: the
    store had it before. ratios: error beside the best stock choice, by steps. where: who made it."""

    id: str
    state: str
    record: str = ""
    calls: int = 0
    seconds: float = 0.0
    found: bool = False
    ratios: dict[int, float] = field(default_factory=dict)
    advice: str = ""
    error: str = ""
    where: str = ""

    def to_json(self) -> str:
        """As text."""
        return json.dumps(asdict(self), indent=1, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Summary:
        """Read again; raises PlanError for what is none."""
        try:
            data = json.loads(text)
            ratios = {int(steps): float(ratio) for steps, ratio in data.pop("ratios").items()}
            found = cls(**data, ratios=ratios)
            texts = (found.id, found.record, found.advice, found.error, found.where)
            sound = found.state in STATES and all(isinstance(each, str) for each in texts)
            numbers = (found.calls, found.seconds, *ratios.values())
            if not sound or not all(math.isfinite(each) for each in numbers):
                raise ValueError("not a summary")
            return found
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as problem:
            raise PlanError("A job's summary could not be read; remove its file.") from problem


def done(job: Job, record: Record, name: str, calls: int, seconds: float, found: bool) -> Summary:
    """The summary of a record that was made, or found."""
    return Summary(
        job.id,
        DONE,
        record=name,
        calls=calls,
        seconds=round(seconds, 3),
        found=found,
        ratios=ratios_of(record, job.model.steps),
        advice=recommendation(record)[:MOST_TEXT],
    )


def failed(job: Job, sentence: str, calls: int = 0, seconds: float = 0.0) -> Summary:
    """The summary of a job that could not be done."""
    text = " ".join(sentence.split())[:MOST_TEXT]
    return Summary(job.id, FAILED, calls=calls, seconds=round(seconds, 3), error=text)


def ratios_of(record: Record, steps: tuple[int, ...]) -> dict[int, float]:
    """{steps: the least error of a recipe over the best stock choice's}, where it is known."""
    found: dict[int, float] = {}
    for recipe in record.recipes:
        ratio = _number(recipe.evidence)
        if recipe.steps in steps and ratio is not None:
            found[recipe.steps] = min(ratio, found.get(recipe.steps, math.inf))
    return dict(sorted(found.items()))


def _number(evidence: Mapping) -> float | None:
    ratio = evidence.get("ratio")
    if not isinstance(ratio, (int, float)) or not math.isfinite(ratio):
        return None
    return float(ratio)
