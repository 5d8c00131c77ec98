"""The sigma at which each sampler of the running prompt left its latent, and so where the next goes
on. Noted as it runs, since a node whose result is cached does not run again."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from threading import Lock

from ..host.running_prompt import MOST_NODES, RunningNode, is_link, running_node
from .stock_half import stock_end

KEPT = 256
LATENTS = ("latent_image", "latent", "samples", "samples_from", "samples1")

_left: OrderedDict[str, float] = OrderedDict()
_lock = Lock()


def note(sigma: float) -> None:
    """The node that runs now leaves its latent at this sigma (0: without noise)."""
    node = running_node()
    if node is None:
        return
    name = _signature(node.prompt, node.id)
    with _lock:
        _left.pop(name, None)
        _left[name] = float(sigma)
        while len(_left) > KEPT:
            _left.popitem(last=False)


def handed_over() -> float | None:
    """The sigma that the running node's latent was left at by another sampler.

    None where it comes from none, was left without noise, or nothing is known of it.
    """
    node = running_node()
    if node is None:
        return None
    for before in _latents_before(node):
        sigma = _left.get(_signature(node.prompt, before))
        if sigma is None and _samples(node.prompt[before]):
            sigma = stock_end(node.prompt, before)
            return sigma if sigma else None
        if sigma is not None:
            return sigma or None
    return None


def _latents_before(node: RunningNode) -> Iterator[str]:
    """The nodes that a node's latent comes through, nearest first."""
    waiting = [node.id]
    seen: set[str] = set()
    while waiting and len(seen) < MOST_NODES:
        here = waiting.pop(0)
        if here in seen or here not in node.prompt:
            continue
        seen.add(here)
        if here != node.id:
            yield here
        inputs = node.prompt[here].get("inputs", {})
        waiting += [inputs[name][0] for name in LATENTS if is_link(inputs.get(name))]


def _samples(node: Mapping) -> bool:
    inputs = node.get("inputs", {})
    return "latent_image" in inputs and ("sigmas" in inputs or "scheduler" in inputs)


def _signature(prompt: Mapping[str, Mapping], name: str) -> str:
    """A node with all that it depends on, as the host's cache tells nodes apart."""
    found: dict[str, Mapping] = {}
    waiting = [name]
    while waiting:
        here = waiting.pop()
        if here in found or here not in prompt:
            continue
        node = prompt[here]
        inputs = node.get("inputs", {})
        found[here] = {"class": node.get("class_type"), "inputs": inputs}
        waiting += [value[0] for value in inputs.values() if is_link(value)]
    text = json.dumps([name, found], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
