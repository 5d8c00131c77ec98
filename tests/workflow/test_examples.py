"""The example workflows as they lie on the canvas."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "example_workflows"
TITLE, GAP, LINES = 30, 8, 100  # pixels: web/js/room.mjs, and LINE.three of line.mjs
FEW = "StepDistillKSampler"


def below(node: dict, nodes: list[dict]) -> list[float]:
    """How far the nodes under a node are from it."""
    (left, top), (width, height) = node["pos"], node["size"]
    return [
        each["pos"][1] - TITLE - GAP - top - height
        for each in nodes
        if each["pos"][1] > top and left - each["size"][0] < each["pos"][0] < left + width
    ]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_a_few_step_ksampler_has_room_for_all_that_its_card_says(path):
    nodes = json.loads(path.read_text("utf-8"))["nodes"]
    room = [far for each in nodes if each["type"] == FEW for far in below(each, nodes)]
    assert all(far >= LINES for far in room)
