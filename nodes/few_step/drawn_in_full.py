"""A note in the workflow that a picture was drawn in full, so that its file draws it so again."""

from __future__ import annotations

from ..host.running_prompt import running_workflow

EXTRA = "stepdistill_in_full"  # of the workflow's "extra": {node: seed}
MOST = 100


def note(node: str | None, seed: int) -> None:
    """Let the picture's own file say that this node drew this seed in full."""
    extra = _extra(make=True)
    if extra is None or node is None:
        return
    kept = extra.get(EXTRA)
    kept = dict(kept) if isinstance(kept, dict) else {}
    extra[EXTRA] = dict([*kept.items(), (node, seed)][-MOST:])


def noted(node: str | None, seed: int) -> bool:
    """Whether the workflow that runs was saved with this node's picture of this seed in full."""
    kept = (_extra() or {}).get(EXTRA)
    return isinstance(kept, dict) and node is not None and kept.get(node) == seed


def _extra(make: bool = False) -> dict | None:
    workflow = running_workflow()
    if workflow is None:
        return None
    extra = workflow.setdefault("extra", {}) if make else workflow.get("extra")
    return extra if isinstance(extra, dict) else None
