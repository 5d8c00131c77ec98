"""The records that a workflow carries: written into the workflow that saved pictures keep, read
from it where the store has none."""

from __future__ import annotations

import json
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
    kept, name = extra.get(EXTRA) if isinstance(extra, dict) else None, Key.of(record).digest()
    kept = kept if isinstance(kept, dict) else {}
    kept.pop(name, None)
    text = _slim_text(record)
    if isinstance(extra, dict) and len(text) <= LONGEST:
        extra[EXTRA] = dict([*kept.items(), (name, json.loads(text))][-MOST:])


def _slim_text(record: Record) -> str:
    """`slim` as text, remembered: a run asks for the same record two or three times. Without the
    inner products of a record that would be too long with them."""
    if _last.get("record") is not record:
        text = json.dumps(slim(record))
        if len(text) > LONGEST:
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


def kept(key: Key) -> Match | None:
    """The best match among the records that the running workflow carries, or None. What is no
    record is passed over."""
    from ...scheduler.errors import StepDistillError
    from ...scheduler.lookup.match import EXACT, judged
    from ...scheduler.record import Record

    workflow, found = running_workflow(), []
    listed = (
        workflow.get("extra", {}).get(EXTRA, {})
        if workflow is not None and isinstance(workflow.get("extra"), dict)
        else {}
    )
    for data in list(listed.values())[:MOST] if isinstance(listed, dict) else ():
        try:
            text = json.dumps(data)
            match = judged(Record.from_json(text), key, "near") if len(text) <= LONGEST else None
        except (StepDistillError, TypeError, ValueError, RecursionError):
            continue
        found += [match] if match is not None and match.allowed else []
    return min(found, key=lambda match: (match.kind != EXACT, len(match.words)), default=None)
