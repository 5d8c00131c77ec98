"""A note in a picture's file that it was drawn in full, so that the file draws it so again."""

from __future__ import annotations

from ..host.running_prompt import running_extra

EXTRA = "stepdistill_in_full"  # beside the records that pictures carry: {node: seed}
MOST = 100


def note(node: str | None, seed: int) -> None:
    """Let the pictures of the prompt that runs say that this node drew this seed in full."""
    holder = _holder()
    if holder is None or node is None:
        return
    kept = holder.get(EXTRA)
    others = kept.items() if isinstance(kept, dict) else ()
    holder[EXTRA] = dict([*others, (node, seed)][-MOST:])


def noted(node: str | None, seed: int) -> bool:
    """Whether the prompt that runs comes from a picture where this node drew this seed in full."""
    kept = (_holder() or {}).get(EXTRA)
    return isinstance(kept, dict) and node is not None and kept.get(node) == seed


def _holder() -> dict | None:
    """Where the pictures of the running prompt keep what they carry: the page's workflow, or beside
    it; None outside a prompt."""
    extra = running_extra()
    if extra is None:
        return None
    about = extra.setdefault("extra_pnginfo", {})
    workflow = about.get("workflow") if isinstance(about, dict) else None
    holder = workflow.setdefault("extra", {}) if isinstance(workflow, dict) else about
    return holder if isinstance(holder, dict) else None
