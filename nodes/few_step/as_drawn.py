"""What a picture's own file says of how a node drew it where no record says it: in full, with a stock
schedule, or with a recipe that was not fitted for just this. The very same graph draws it so again."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ...scheduler.learning.again import how_drawn
from ..host.attached import is_attached
from ..host.picture_records import attach_note, signature_of
from ..host.running_prompt import running_extra, running_node
from ..host.workflow_records import listed, write, written

NOTES = "stepdistill_drawn"  # {node: {"of": which graph and settings, "how": again.how_drawn}}
MOST = 100


def note(node: str | None, outcome: Any, *settings: object) -> None:
    """Let the picture's own file say how this node drew it, where no record of the file does.

    settings: what decides a picture beside the graph, of nodes that a graph makes while it runs.
    """
    extra = running_extra()
    if extra is None or node is None:
        return
    kept, how = written(extra, NOTES), how_drawn(outcome)
    if how:
        said = {"of": _made_of(settings), "how": how}
        others = [each for each in kept.items() if each[0] != node]
        write(extra, NOTES, dict([*others, (node, said)][-MOST:]))
        attach_note(NOTES, said)
        return
    attach_note(NOTES, None)
    if kept.pop(node, None) is not None:
        write(extra, NOTES, kept)


def noted(node: str | None, *settings: object) -> str:
    """How what runs was drawn before, by the file that it was saved in; "" where that says nothing, or
    is of another graph."""
    extra = running_extra()
    said = written(extra, NOTES).get(node) if node is not None else None
    if not isinstance(said, dict) or is_attached(extra, NOTES, node):
        return ""
    how = said.get("how")
    same = isinstance(how, str) and said.get("of") == _made_of(settings)
    return how if same else ""


def digest(extra: dict | None) -> str:
    """A short text that is another where a prompt carries other records or notes; "" for none."""
    carried = [listed(extra), written(extra, NOTES)]
    if not any(carried):
        return ""
    data = json.dumps(carried, sort_keys=True, default=str).encode()
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def _made_of(settings: tuple) -> str:
    """All that decides what the running node draws, in few characters."""
    node = running_node()
    if node is not None:
        return signature_of(node)
    return hashlib.blake2b(repr(settings).encode(), digest_size=16).hexdigest()
