"""What is known of ComfyUI's nodes: node_kinds.json, of which the page is served what it needs."""

from __future__ import annotations

import json
from pathlib import Path

TABLE = json.loads((Path(__file__).parent / "node_kinds.json").read_text("utf-8"))
KINDS: dict[str, dict] = TABLE["kinds"]
MADE: dict[str, dict] = TABLE["made"]
ENTRY: str = TABLE["entry"]
MEMORY = "stepdistill"  # the key under which a node remembers what it was
CONTROL = "control_after_generate"
SIGMAS = "StepDistillSigmas"
MANUAL = "ManualSigmas"
APPLY = "StepDistillApply"
FROM_TEXT = "StepDistillFromText"
FEW = "StepDistillKSampler"


MOST_LEARNT = 500


def learn(kind: str, widgets: list[str]) -> None:
    """Note a kind of node of another pack, by its widgets in the order of their values.

    It is a dropdown's where it has widgets for a scheduler and a sampler. What is known already
    stays.
    """
    foreign = [name for name, entry in KINDS.items() if entry.get("foreign")]
    if not {"scheduler", "sampler_name"} <= set(widgets) or len(foreign) >= MOST_LEARNT:
        return
    roles = {"scheduler": "scheduler", "sampler": "sampler_name"}
    roles |= {name: name for name in ("steps", "denoise", "cfg") if name in widgets}
    entry = {"role": "dropdown", "widgets": list(widgets), "model": "model", "foreign": True}
    KINDS.setdefault(kind, entry | roles)


def known(kind: object) -> dict:
    """The entry of a node's kind, empty for one that is not known."""
    return KINDS.get(kind, {}) if isinstance(kind, str) else {}
