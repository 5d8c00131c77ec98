"""The starter source: small, whole, of the bundled checkpoints, and made as it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduler.checkpoints import load_checkpoint
from scheduler.checkpoints.load import BUNDLED
from scheduler.fingerprint import Fingerprint, fingerprint_file
from scheduler.fingerprint.kinship import SAME, kinship
from scheduler.record import load_record
from tools import make_starter_source as tool

STARTER = Path(__file__).parents[2] / "starter"


def test_the_starter_source_is_whole_and_small(sources):
    source = sources.add(str(STARTER))
    assert not source.note.left_out
    assert {each["file"] for each in source.entries.values()} == {
        f"{name}.json" for name in tool.MADE
    }
    assert (source.index.name, source.by) == (tool.NAME, tool.BY)
    assert sum(path.stat().st_size for path in STARTER.iterdir()) < 1_000_000


@pytest.mark.parametrize("model", sorted(BUNDLED))
def test_its_records_are_of_the_bundled_checkpoints_and_measured(model):
    here = fingerprint_file(BUNDLED[model])
    checkpoint = load_checkpoint(model)
    for path in sorted(STARTER.glob(f"{model}-*.json")):
        record = load_record(path)
        assert kinship(here, Fingerprint.of_record(record.model)).kind == SAME
        assert record.conditions.latent_shape == tuple(checkpoint.latent_shape)
        assert record.evidence["rows"]["held_out"] >= 4
        assert {each.steps for each in record.recipes} == {4, 6, 8}


def test_the_command_makes_what_is_missing_and_the_index(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(tool, "command", lambda words: asked.append(words) or 0)
    (tmp_path / "eps-cfg-1.json").write_text("there already")
    assert tool.make(tmp_path, ["eps-cfg-1", "flow-cfg-3"]) == 0
    assert [words[:4] for words in asked] == [
        ["distill", "flow", "--cfg", "3"],
        ["store", "publish", str(tmp_path), "--name"],
    ]
    assert asked[0][-1] == str(tmp_path / "flow-cfg-3.json")
