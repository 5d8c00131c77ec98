"""How slow this machine is at this moment, so that limits in seconds mean the same on every one."""

from __future__ import annotations

import time

REFERENCE = 0.02  # seconds of `_work` on an idle core of 2023
SLOWEST = 20.0  # a machine that is slower still fails


def slowness() -> float:
    """1 on an idle machine of today, more on a slower or a busy one: measured, in 20 ms and more."""
    began = time.perf_counter()
    _work()
    return min(max((time.perf_counter() - began) / REFERENCE, 1.0), SLOWEST)


def scaled(seconds: float) -> float:
    """A limit of so many seconds as this machine, at this moment, needs it."""
    return seconds * slowness()


class Stopwatch:
    """How long something takes, and its limit by the machine's speed before and after."""

    def __init__(self):
        self._slowness = slowness()
        self._began = time.monotonic()

    def within(self, seconds: float) -> bool:
        """Whether it took no longer than so many seconds of an idle machine."""
        taken = time.monotonic() - self._began
        return taken < seconds * max(self._slowness, slowness())


def _work() -> int:
    total = 0
    for number in range(500_000):
        total += number % 7
    return total
