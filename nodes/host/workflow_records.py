"""The records that a queued workflow carries, and saved pictures with it, for where the store has none.

They stand in what the host writes into pictures (`extra_pnginfo`): in the page's workflow under
"extra", which the page keeps as it is, or, where a prompt came without a workflow, beside it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from .attached import of_others
from .running_prompt import running_extra, running_ids

if TYPE_CHECKING:
    from ...scheduler.lookup.key import Key
    from ...scheduler.lookup.match import Match
    from ...scheduler.record import Record

EXTRA = "stepdistill_records"
MOST = 8
LONGEST = 200_000  # characters of one record
TOLD = (
    "rms",
    "samples",
    "ratio",
    "margin",
    "best_stock",
    "equals_stock_steps",
    "beats_stock_steps",
    "verdict",
    "note",
    "hand_over_step",
    "from_start",
)  # of a recipe's evidence


def put(extra: dict, name: str, data: dict) -> None:
    """Let a prompt carry a record (`slim` data), the latest of its name, and each record once.

    extra: what came with the prompt (the host's extra_data), which is edited in place.
    """
    kept = written(extra, EXTRA)
    others = [(other, each) for other, each in kept.items() if other != name and each != data]
    write(extra, EXTRA, dict([*others, (name, data)][-MOST:]))


def written(extra: dict | None, name: str) -> dict:
    """What stands under a name in the pictures of a prompt, whoever wrote it; {} where nothing does."""
    pnginfo = _part(extra, "extra_pnginfo")
    return _part(pnginfo, name) | _part(_part(_part(pnginfo, "workflow"), "extra"), name)


def write(extra: dict, name: str, data: dict) -> None:
    """Let the pictures of a prompt say something under a name."""
    pnginfo = extra.get("extra_pnginfo")
    if not isinstance(pnginfo, dict):
        pnginfo = extra["extra_pnginfo"] = {}
    holder = pnginfo
    workflow = pnginfo.get("workflow")
    if isinstance(workflow, dict):
        if not isinstance(workflow.get("extra"), dict):
            workflow["extra"] = {}
        holder = workflow["extra"]
    holder[name] = data


def keep_used(record: Record) -> None:
    """Of the records that the running workflow carries, let one that draws be the last to go."""
    extra = running_extra()
    found = listed(extra)
    if extra is None or len(found) < MOST:
        return
    for name, data in found.items():
        if _read(data) is record:
            put(extra, name, data)
            return


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
    """The records that the running workflow carries, as a shelf (lookup/shelves.py). unread: whether
    something that it carries was no record."""

    unread = False

    def matches(self, key: Key, policy: str = "near") -> list[Match]:
        """Those that may serve, exact ones and those with the fewest differences first.

        What is no record is passed over, and noted.
        """
        from ...scheduler.lookup.match import EXACT, GIVEN, WORKFLOW, judged

        carried = [_read(data) for data in _to_draw_by().values()]
        self.unread = None in carried
        found = [judged(record, key, policy) for record in carried if record is not None]
        allowed = [match for match in found if match is not None and match.allowed]
        allowed.sort(key=lambda match: (match.kind != EXACT, len(match.differences)))
        return [replace(match, kind=GIVEN, place=WORKFLOW) for match in allowed]


def shelves() -> tuple[WorkflowRecords, ...]:
    """The shelf of the running workflow's records; none where it carries none."""
    return (WorkflowRecords(),) if _to_draw_by() else ()


def _to_draw_by() -> dict:
    """What the running workflow carries, without what was attached for nodes other than this."""
    extra, ids = running_extra(), running_ids()
    others = of_others(extra, EXTRA, ids[1] if ids is not None else None)
    return {name: data for name, data in listed(extra).items() if name not in others}


def carried(name: str) -> Record | None:
    """The record that the running workflow carries under the name it had in a store, or None."""
    return _read(listed(running_extra()).get(name))


def listed(extra: dict | None) -> dict:
    """The records that a prompt carries, by name."""
    return dict(list(written(extra, EXTRA).items())[-MOST:])


def _read(data: object) -> Record | None:
    try:
        text = json.dumps(data)
    except (TypeError, ValueError, RecursionError):
        return None
    return _record(text) if len(text) <= LONGEST else None


@lru_cache(maxsize=2 * MOST)
def _record(text: str) -> Record | None:
    """A record of what a workflow carries, kept in memory: a run asks for it again and again."""
    from ...scheduler.errors import StepDistillError
    from ...scheduler.record import Record

    try:
        return Record.from_json(text)
    except (StepDistillError, TypeError, ValueError, RecursionError):
        return None


def _part(data: object, name: str) -> dict:
    found = data.get(name) if isinstance(data, dict) else None
    return found if isinstance(found, dict) else {}
