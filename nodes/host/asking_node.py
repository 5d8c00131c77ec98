"""What the node that asks for a schedule will do with it, by its own widgets.

A scheduler entry is told the number of steps alone.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from ...scheduler.lookup.starts import WHOLE
from ..names import DISTILLED
from .running_prompt import RunningNode, text_input

# They ask for one step more, and leave out the last sigma above 0.
DROPPING = frozenset(("dpm_2", "dpm_2_ancestral", "uni_pc", "uni_pc_bh2"))


@dataclass(frozen=True)
class Use:
    """sampler: by the host's name, or None. steps, denoise: of what the host will keep. drops: it
    leaves out the last sigma above 0. cfg: the guidance scale, or None where the node has none."""

    sampler: str | None
    steps: int
    denoise: float = 1.0
    drops: bool = False
    cfg: float | None = None


def use_of(node: RunningNode | None, asked: int) -> Use:
    """What `asked` steps are for. Where the widgets do not explain the number, nothing but the
    sampler is believed."""
    sampler = _sampler(node)
    drops = sampler in _dropping() and text_input(node, "sampler_name") is not None
    steps = _number(node, "steps", int)
    denoise = _number(node, "denoise", float)
    cfg = _number(node, "cfg", float)
    partial = denoise is not None and 0 < denoise < WHOLE
    if partial and steps is not None and steps > 0 and int(steps / denoise) + drops == asked:
        return Use(sampler, steps, denoise, drops, cfg)
    if drops and asked > 1 and steps == asked - 1:
        return Use(sampler, asked - 1, 1.0, True, cfg)
    return Use(sampler, asked, cfg=cfg)


def _sampler(node: RunningNode | None) -> str | None:
    """The sampler on the node itself, or on the node that runs its sigmas."""
    named = text_input(node, "sampler_name", "sampler")
    if named in _samplers() or node is None:
        return named if named in _samplers() else None
    for other in node.prompt.values():
        inputs = other.get("inputs", {})
        link = inputs.get("sampler")
        known = isinstance(link, list) and link and link[0] in node.prompt
        if known and [node.id, 0] in inputs.values():
            return _sampler_node(node.prompt[link[0]])
    return None


def _sampler_node(node: Mapping) -> str | None:
    if node.get("class_type") == "StepDistillSampler":
        return DISTILLED
    name = node.get("inputs", {}).get("sampler_name")
    return name if name in _samplers() else None


def _number(node: RunningNode | None, name: str, kind: type) -> float | None:
    value = None if node is None else node.inputs.get(name)
    return kind(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _samplers() -> list[str]:
    host = sys.modules.get("comfy.samplers")
    return list(getattr(host, "SAMPLER_NAMES", ()))


def _dropping() -> frozenset[str] | set[str]:
    host = sys.modules.get("comfy.samplers")
    return getattr(getattr(host, "KSampler", None), "DISCARD_PENULTIMATE_SIGMA_SAMPLERS", DROPPING)
