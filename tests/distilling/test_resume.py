"""The parts: finished parts survive a restart, belong to one key, and are never half-written or
trusted when broken."""

from __future__ import annotations

import errno
import json
import stat
from pathlib import Path

import pytest
import torch

from scheduler.distilling.resume import FinishedParts
from scheduler.errors import OutputError

KEY = ("a", 1.5, None)


def never():
    raise AssertionError("done already")


def test_without_a_folder_parts_last_as_long_as_the_run():
    parts = FinishedParts(None, KEY)
    assert parts.finished("a", lambda: {"x": 1}) == {"x": 1} == parts.finished("a", never)
    parts.save_tensors("t", {"x": torch.zeros(2)})
    assert parts.load_tensors("t") is None and parts.earlier == 0
    parts.clear()
    assert parts.finished("a", lambda: {"x": 2}) == {"x": 2}


def test_parts_and_tensors_survive_a_restart(tmp_path):
    value = {"errors": [0.1, 1e-300, 1 / 3], "offsets": None}
    tensors = {"0": torch.randn(2, 3), "1": torch.randn(6).reshape(2, 3).T}
    first = FinishedParts(tmp_path / "new" / "folder", KEY)
    first.finished("a", lambda: value)
    first.save_tensors("t", tensors)
    again = FinishedParts(tmp_path / "new" / "folder", KEY)
    assert again.finished("a", never) == value
    found = again.load_tensors("t")
    assert all(torch.equal(found[key], tensors[key]) for key in tensors)
    assert not [path for path in (tmp_path / "new" / "folder").iterdir() if ".tmp" in path.name]


def test_another_key_finds_nothing(tmp_path):
    first = FinishedParts(tmp_path, KEY)
    first.finished("a", lambda: {"x": 1})
    first.save_tensors("t", {"x": torch.zeros(1)})
    other = FinishedParts(tmp_path, ("a", 1.6, None))
    assert other.load_tensors("t") is None
    assert other.finished("a", lambda: {"x": 2}) == {"x": 2}


def test_what_earlier_runs_spent_is_known_once_a_part(tmp_path):
    spent = [0]

    def work():
        spent[0] += 40
        return {}

    first = FinishedParts(tmp_path, KEY, lambda: spent[0])
    for name in ("a", "b", "a"):
        first.finished(name, work)
    assert first.earlier == 0 and spent == [80]
    again = FinishedParts(tmp_path, KEY, lambda: spent[0])
    for name in ("a", "c", "c", "a"):
        again.finished(name, work)
    assert again.earlier == 40 and spent == [
        120
    ]  # b was not used, and what is made now is not from earlier


def test_a_part_that_stops_midway_is_not_kept(tmp_path):
    parts = FinishedParts(tmp_path, KEY)
    with pytest.raises(KeyboardInterrupt):
        parts.finished("a", lambda: (_ for _ in ()).throw(KeyboardInterrupt()))
    assert FinishedParts(tmp_path, KEY).finished("a", lambda: {"x": 2}) == {"x": 2}


def test_clear_forgets_what_another_model_drew(tmp_path):
    FinishedParts(tmp_path, KEY).finished("a", lambda: {"x": 1})
    parts = FinishedParts(tmp_path, KEY)
    parts.clear()
    assert parts.finished("b", lambda: {}) == {} and parts.finished("a", lambda: {"x": 2}) == {
        "x": 2
    }
    assert FinishedParts(tmp_path, KEY).finished("a", never) == {"x": 2}


# --- answers ---


class Model:
    """Counts how often it is asked."""

    asked = 0

    def __call__(self):
        self.asked += 1
        return torch.full((2, 3), float(self.asked))


def test_an_answer_is_kept_for_the_next_run(tmp_path):
    model, x = Model(), torch.randn(2, 3)
    first = FinishedParts(tmp_path, KEY)
    given = first.answer(0, x, 0.5, model)
    assert model.asked == 1 and first.earlier == 0
    again = FinishedParts(tmp_path, KEY)
    assert torch.equal(again.answer(0, x, 0.5, never), given)
    assert again.earlier == 2  # model calls: a row each


def test_only_the_same_query_of_the_same_set_has_that_answer(tmp_path):
    model, x = Model(), torch.randn(2, 3)
    parts = FinishedParts(tmp_path, KEY)
    parts.answer(0, x, 0.5, model)
    other = x.clone()
    other[1, 2] += 1e-6
    for of, state, sigma in ((1, x, 0.5), (0, other, 0.5), (0, x, 0.5 + 1e-12), (0, x.T, 0.5)):
        before = model.asked
        parts.answer(of, state, sigma, model)
        assert model.asked == before + 1
    before = model.asked
    FinishedParts(tmp_path, "another").answer(0, x, 0.5, model)
    assert model.asked == before + 1


def test_an_answer_has_the_precision_of_its_query(tmp_path):
    x = torch.randn(2, 3, dtype=torch.float64)
    FinishedParts(tmp_path, KEY).answer(0, x, 0.5, lambda: x / 3)
    kept = FinishedParts(tmp_path, KEY).answer(0, x, 0.5, never)
    assert kept.dtype == torch.float64 and torch.equal(kept, x / 3)
    half = x.bfloat16()
    FinishedParts(tmp_path, KEY).answer(0, half, 0.5, lambda: half)
    assert torch.equal(FinishedParts(tmp_path, KEY).answer(0, half, 0.5, never), half)


def test_without_a_folder_answers_are_asked():
    model, x = Model(), torch.randn(2, 3)
    parts = FinishedParts(None, KEY)
    for count in (1, 2):
        parts.answer(0, x, 0.5, model)
        assert model.asked == count and parts.earlier == 0


def test_an_answer_that_failed_is_not_kept(tmp_path):
    x = torch.randn(2, 3)
    with pytest.raises(KeyboardInterrupt):
        FinishedParts(tmp_path, KEY).answer(
            0, x, 0.5, lambda: (_ for _ in ()).throw(KeyboardInterrupt())
        )
    assert not list(tmp_path.iterdir())


def test_broken_answers_are_asked_again(tmp_path):
    model, x = Model(), torch.randn(2, 3)
    FinishedParts(tmp_path, KEY).answer(0, x, 0.5, model)
    (path,) = tmp_path.glob("answer-*.safetensors")
    whole = path.read_bytes()
    for broken in (b"", whole[:-5], b"nonsense"):
        path.write_bytes(broken)
        parts = FinishedParts(tmp_path, KEY)
        parts.answer(0, x, 0.5, model)
        assert parts.earlier == 0 and len(path.read_bytes()) == len(whole)
    assert model.asked == 4


def test_clear_forgets_answers_of_this_key_alone(tmp_path):
    model, x = Model(), torch.randn(2, 3)
    for key in (KEY, "another"):
        FinishedParts(tmp_path, key).answer(0, x, 0.5, model)
    parts = FinishedParts(tmp_path, KEY)
    parts.save_tensors("t", {"x": x})
    parts.clear()
    FinishedParts(tmp_path, "another").answer(0, x, 0.5, never)
    parts.answer(0, x, 0.5, model)
    assert model.asked == 3 and parts.load_tensors("t") is not None


def test_a_full_disk_is_said_in_one_sentence_and_loses_nothing(tmp_path, monkeypatch):
    model, x = Model(), torch.randn(2, 3)
    parts = FinishedParts(tmp_path, KEY)
    parts.answer(0, x, 0.5, model)

    def full(path, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="could not be written: no space left on device; "):
        parts.answer(0, x, 0.4, model)
    assert not [path for path in tmp_path.iterdir() if "tmp" in path.name]
    FinishedParts(tmp_path, KEY).answer(0, x, 0.5, never)


# --- bad input ---

BROKEN = [
    "{",
    "[]",
    "null",
    '{"key": 1}',
    '{"key": "KEY", "parts": 5}',
    '{"key": "KEY", "parts": ["a"]}',
    '{"key": "KEY"}',
    "[" * 9**5,
]


@pytest.mark.parametrize("text", BROKEN)
def test_broken_files_are_replaced(tmp_path, text):
    key = FinishedParts(tmp_path, KEY).key
    (tmp_path / "finished.json").write_text(text.replace("KEY", key), encoding="utf-8")
    parts = FinishedParts(tmp_path, KEY)
    assert parts.finished("a", lambda: {"x": 2}) == {"x": 2}
    assert json.loads((tmp_path / "finished.json").read_text(encoding="utf-8"))["key"] == key
    parts.save_tensors("t", {"x": torch.zeros(1)})
    (path,) = tmp_path.glob("*.safetensors")
    path.write_bytes(path.read_bytes()[:-3])
    assert parts.load_tensors("t") is None


def test_a_folder_that_cannot_be_written(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(OutputError):
        FinishedParts(blocked, KEY)
    assert stat.S_ISREG(blocked.stat().st_mode)


def test_a_kept_answer_serves_the_next_run_once(tmp_path):
    """What a run asked twice costs twice, in whichever run it was asked."""
    x, asked = torch.ones(3, 2), []

    def ask():
        asked.append(1)
        return x * 2

    for run in range(2):
        asked.clear()
        parts = FinishedParts(tmp_path, "key")
        for _ in range(2):
            assert torch.equal(parts.answer(0, x, 0.5, ask), x * 2)
        assert len(asked) == (1 if run else 2) and parts.earlier == (3 if run else 0)
