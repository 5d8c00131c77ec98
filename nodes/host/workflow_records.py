"""The records that a workflow carries: saved pictures keep them, for where the store has none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from .running_prompt import running_workflow

if TYPE_CHECKING:
    from ...scheduler.lookup.key import Key
    from ...scheduler.lookup.match import Match
    from ...scheduler.record import Record

EXTRA = "stepdistill_records"  # of the workflow's "extra", which the page keeps as it is
MOST = 4
LONGEST = 200_000  # characters of one record
TOLD = (
    "rms",
    "samples",
    "ratio",
    "margin",
    "best_stock",
    "equals_stock_steps",
    "verdict",
    "note",
)  # of a recipe's evidence


def keep(record: Record) -> None:
    """Let the workflow that runs carry a record, without its tables; nothing happens where no
    workflow came with the prompt."""
    from ...scheduler.lookup.key import Key

    workflow = running_workflow()
    if workflow is None:
        return
    extra = workflow.setdefault("extra", {})
    text = _slim_text(record)
    if not isinstance(extra, dict) or len(text) > LONGEST:
        return
    kept = extra.get(EXTRA)
    kept = dict(kept) if isinstance(kept, dict) else {}
    name = Key.of(record).digest()
    kept.pop(name, None)
    extra[EXTRA] = dict([*kept.items(), (name, json.loads(text))][-MOST:])


def _slim_text(record: Record) -> str:
    """`slim` as text, remembered: a run asks for the same record two or three times."""
    if _last.get("record") is not record:
        text = json.dumps(slim(record))
        if len(text) > LONGEST:  # without its inner products, which are the largest part
            text = json.dumps(slim(replace(record, gram=None)))
        _last.update(record=record, text=text)
    return _last["text"]


_last: dict = {}


def slim(record: Record) -> dict:
    """A record as plain data with what its recipes' evidence says, but not the tables behind it."""
    recipes = tuple(
        replace(each, evidence={key: each.evidence[key] for key in TOLD if key in each.evidence})
        for each in record.recipes
    )
    return json.loads(replace(record, recipes=recipes, evidence={}).to_json())


class WorkflowRecords:
    """The records that the running workflow carries, as a shelf (lookup/shelves.py)."""

    def matches(self, key: Key, policy: str = "near") -> list[Match]:
        """Those that may serve, exact ones and those with the fewest differences first.

        What is no record is passed over.
        """
        from ...scheduler.lookup.match import EXACT, GIVEN, WORKFLOW, judged

        found = [judged(record, key, policy) for record in _carried()]
        allowed = [match for match in found if match is not None and match.allowed]
        allowed.sort(key=lambda match: (match.kind != EXACT, len(match.differences)))
        return [replace(match, kind=GIVEN, place=WORKFLOW) for match in allowed]


def _carried() -> Iterator[Record]:
    from ...scheduler.errors import StepDistillError
    from ...scheduler.record import Record

    for data in _listed(running_workflow()):
        try:
            text = json.dumps(data)
            if len(text) <= LONGEST:
                yield Record.from_json(text)
        except (StepDistillError, TypeError, ValueError, RecursionError):
            continue


def _listed(workflow: dict | None) -> list:
    """What a workflow carries, whoever wrote it."""
    extra = workflow.get("extra") if workflow is not None else None
    records = extra.get(EXTRA) if isinstance(extra, dict) else None
    return list(records.values())[:MOST] if isinstance(records, dict) else []
