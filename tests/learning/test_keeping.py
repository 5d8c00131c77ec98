"""Runs that somebody drew in full anyway: kept, or refused with one sentence."""

from __future__ import annotations

import pytest

from scheduler.learning import deciding
from scheduler.learning.full_run import full_run
from scheduler.learning.keeping import KEPT, kept
from scheduler.recordings import Recording
from scheduler.store import Store
from tests.learning.studio import SHAPE, Studio, picture, situation


def drawn(steps=24, seed=0, prompt="digit 3"):
    recording = Recording(SHAPE, "flow", "dpmpp_2m", seed=seed, prompt=prompt)
    Studio(seed).draw(full_run(situation(), steps), recording)
    return recording


@pytest.mark.slow
def test_a_kept_run_is_learnt_from_before_the_next_picture(store):
    assert kept(store, situation().key, drawn(20)) == KEPT
    host, _, outcome = picture(store, Studio(seed=1))
    assert outcome.decision.action == deciding.LEARN_FIRST
    assert host.calls - outcome.steps == outcome.learnt.calls <= 40


@pytest.mark.slow
def test_a_run_of_another_setting_is_not_handed_over(store):
    """The same seed was drawn with 20 steps by another node: the artist asks for few steps now."""
    kept(store, situation().key, drawn(20))
    assert picture(store)[2].decision.action == deciding.LEARN_FIRST


@pytest.mark.parametrize("steps, said", [(8, "too coarse"), (None, "no end yet")])
def test_what_cannot_be_learnt_from_is_refused_with_a_sentence(store, steps, said):
    recording = Recording(SHAPE, "flow") if steps is None else drawn(steps)
    told = kept(store, situation().key, recording)
    assert told.startswith("Nothing is learnt from this run: ") and said in told
    assert not store.list_recordings()


def test_a_store_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("in the way")
    told = kept(Store(tmp_path / "file"), situation().key, drawn())
    assert told.startswith("Nothing is learnt from this run: ")
