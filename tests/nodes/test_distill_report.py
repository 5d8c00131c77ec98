"""What Distill Schedule reports: a table that is told from the one that is recommended."""

from __future__ import annotations

from tests.nodes.made import OFFSETS, recipe, record
from tests.nodes.pack import module

report = module("nodes.page.distill_report")


def test_a_schedule_alone_is_told_from_the_one_with_offsets():
    alone = recipe(rms=0.3, choice="simple")
    found = report.from_store(record(alone, recipe(rms=0.1, offsets=OFFSETS)), [])
    heads = [part.splitlines()[0] for part in found.split("\n\n")]
    assert "euler, its schedule alone" in heads and "euler with offsets" in heads
    assert "other picture" not in found and "ours/stock: " in found
    assert "schedule alone" not in report.from_store(record(alone), [])
