"""Limits in seconds that follow the machine's speed."""

from __future__ import annotations

from tests import speed


def test_limits_grow_with_a_slow_machine_and_end(monkeypatch):
    monkeypatch.setattr(speed, "_work", lambda: None)
    assert speed.scaled(3.0) == 3.0  # never below what an idle machine has
    monkeypatch.setattr(speed, "REFERENCE", 1e-12)
    assert speed.scaled(3.0) == 3.0 * speed.SLOWEST


def test_a_stopwatch_tells_too_slow(monkeypatch):
    monkeypatch.setattr(speed, "slowness", lambda: 2.0)
    watch = speed.Stopwatch()
    watch._began -= 3.0
    assert watch.within(2.0) and not watch.within(1.0)
