"""Claims: one holder at a time, whoever is killed, asleep or late."""

from __future__ import annotations

import os
import threading
import time

import pytest

from scheduler.library.claims import Claim, held

LONG_AGO = 1000.0


def claim(folder, run="one", task="job", **options) -> Claim:
    return Claim(folder, "place.claim", run, task, **options)


def aged(folder) -> None:
    """As if nobody had touched what lies there for long."""
    for path in folder.iterdir():
        os.utime(path, (time.time() - LONG_AGO,) * 2)


def test_one_holder_until_it_is_given_up(tmp_path):
    first, second = claim(tmp_path), claim(tmp_path, "two")
    assert first.take() and not second.take()
    assert first.beat() and str(os.getpid()) in second.holder()
    first.release()
    assert second.take() and not first.beat()
    second.release()
    assert not list(tmp_path.iterdir())


def test_one_of_many_gets_it(tmp_path):
    taken, start = [], threading.Barrier(8)

    def run(k):
        mine = claim(tmp_path, f"run {k}")
        start.wait()
        taken.append(mine.take())

    threads = [threading.Thread(target=run, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert taken.count(True) == 1


def test_what_was_not_touched_for_long_is_taken_over_by_one(tmp_path):
    gone = claim(tmp_path)
    assert gone.take()
    aged(tmp_path)
    second, third = claim(tmp_path, "two"), claim(tmp_path, "three")
    assert second.take() and not third.take()
    assert not gone.beat()  # awake again, it is told
    gone.release()
    assert second.beat() and not third.take()


def test_an_attempt_of_the_same_run_takes_over_at_once_and_another_job_of_it_does_not(tmp_path):
    dead = claim(tmp_path)
    assert dead.take()
    assert not claim(tmp_path, task="other job of the same record").take()
    assert claim(tmp_path).take()
    assert not dead.beat()


def test_held_touches_tells_of_a_loss_and_gives_up(tmp_path):
    beats = []
    mine = claim(tmp_path)
    assert mine.take()
    with held(mine, lambda: beats.append(1), beat=0.01) as lost:
        aged(tmp_path)
        until(lambda: len(beats) > 2)
        assert not lost() and not claim(tmp_path, "two").take()  # it was touched since
        assert claim(tmp_path).take()  # a retry of this very job
        until(lost)
    assert len(list(tmp_path.iterdir())) == 1  # the other one's is left alone


def until(true, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_folder_that_is_full_leaves_no_claim_behind(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fdopen", full)
    with pytest.raises(OSError, match="No space"):
        claim(tmp_path).take()
    monkeypatch.undo()
    assert not list(tmp_path.iterdir())
