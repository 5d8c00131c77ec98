"""What ran, said on the card of the node that led to it: Apply and Distilled Sampler are made before the
sampler runs, which alone knows all of its conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..host.running_prompt import running_ids, running_node
from .card_data import LONGEST_INFO, shown
from .progress import send

if TYPE_CHECKING:
    from ...scheduler.lookup.selection import Selection

EVENT = "stepdistill.ran"
KEPT = 100  # nodes

# {node: (the prompt that runs, {sampler's id: what ran there})}
_said: dict[str, tuple[str, dict[str, str]]] = {}


def tell_ran(node: str | None, found: Selection, info: str) -> None:
    """Show on a node's card which recipe a sampler after it runs, beside those of other samplers in the
    same prompt. Nothing happens outside a prompt."""
    ids = running_ids()
    if node is None or ids is None:
        return
    text = _with_others(node, *ids, info)
    send(EVENT, {"node": node, "shown": shown(found, info=text[:LONGEST_INFO])})


def _with_others(node: str, prompt: str, sampler: str, info: str) -> str:
    known, texts = _said.pop(node, ("", {}))
    texts = texts if known == prompt else {}
    running = running_node()
    kind = "" if running is None else f"{running.class_type} "
    texts[sampler] = f"{kind}{sampler}: {info}"
    while len(_said) >= KEPT:
        _said.pop(next(iter(_said)))
    _said[node] = prompt, texts
    return info if len(texts) == 1 else "\n".join(texts.values())
