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


def known(kind: object) -> dict:
    """The entry of a node's kind, empty for one that is not known."""
    return KINDS.get(kind, {}) if isinstance(kind, str) else {}
