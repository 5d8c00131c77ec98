"""The records that a queued workflow carries, and saved pictures with it, for where the store has none.

They stand in what the host writes into pictures (`extra_pnginfo`): in the page's workflow under
"extra", which the page keeps as it is, or, where a prompt came without a workflow, beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from .running_prompt import running_extra

if TYPE_CHECKING:
    from ...scheduler.lookup.key import Key
    from ...scheduler.lookup.match import Match
    from ...scheduler.record import Record

EXTRA = "stepdistill_records"
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


def put(extra: dict, name: str, data: dict) -> None:
    """Let a prompt carry a record (`slim` data), the latest of its name.

    extra: what came with the prompt (the host's extra_data), which is edited in place.
    """
    pnginfo = extra.get("extra_pnginfo")
    if not isinstance(pnginfo, dict):
        pnginfo = extra["extra_pnginfo"] = {}
    holder = pnginfo
    if isinstance(pnginfo.get("workflow"), dict):
        holder = pnginfo["workflow"].setdefault("extra", {})
    if not isinstance(holder, dict):
        return
    kept = holder.get(EXTRA)
    kept = dict(kept) if isinstance(kept, dict) else {}
    kept.pop(name, None)
    holder[EXTRA] = dict([*kept.items(), (name, data)][-MOST:])


def slim(record: Record) -> dict | None:
    """A record as plain data with what its recipes' evidence says, but not the tables behind it.

    Without its inner products, the largest part, where it is too long with them; None where it is
    too long all the same.
    """
    recipes = tuple(
        replace(each, evidence={key: each.evidence[key] for key in TOLD if key in each.evidence})
        for each in record.recipes
    )
    short = replace(record, recipes=recipes, evidence={})
    for form in (short, replace(short, gram=None)):
        text = form.to_json()
        if len(text) <= LONGEST:
            return json.loads(text)
    return None


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

    for data in _listed(running_extra()):
        try:
            text = json.dumps(data)
            if len(text) <= LONGEST:
                yield Record.from_json(text)
        except (StepDistillError, TypeError, ValueError, RecursionError):
            continue


def _listed(extra: dict | None) -> list:
    """What a prompt carries, whoever wrote it."""
    pnginfo = _part(extra, "extra_pnginfo")
    carried: list = []
    for holder in (_part(_part(pnginfo, "workflow"), "extra"), pnginfo):
        carried += list(_part(holder, EXTRA).values())[:MOST]
    return carried


def _part(data: object, name: str) -> dict:
    found = data.get(name) if isinstance(data, dict) else None
    return found if isinstance(found, dict) else {}
