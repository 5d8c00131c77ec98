"""A note in a picture's own file that it was drawn in full, so that it is drawn so again."""

from __future__ import annotations

from ..host.running_prompt import running_extra
from ..host.workflow_records import write, written

NOTES = "stepdistill_in_full"  # {node: seed}
MOST = 100


def note(node: str | None, seed: int) -> None:
    """Let the picture's own file say that this node drew this seed in full."""
    extra = running_extra()
    if extra is None or node is None:
        return
    kept = written(extra, NOTES)
    kept.pop(node, None)
    write(extra, NOTES, dict([*kept.items(), (node, seed)][-MOST:]))


def noted(node: str | None, seed: int) -> bool:
    """Whether what runs was saved with this node's picture of this seed in full."""
    return node is not None and written(running_extra(), NOTES).get(node) == seed
