"""Waiting for a host without a clock's limit: as long as it works, it is waited for.

A slow or busy machine makes a host slow; only one that does nothing for long is stuck.
"""

from __future__ import annotations

import time
from collections.abc import Callable

IDLE = 90.0  # seconds in which a host that is waited for must have worked at all
LEAST_WORK = 0.3  # seconds of its processor's time in them


def wait_for(question: Callable, pid: int, what: str, pause: float = 0.2):
    """The answer as soon as it is true; AssertionError once the process has ended, or has done
    nothing for IDLE seconds."""
    worked, since = _worked(pid), time.monotonic()
    while True:
        found = question()
        if found:
            return found
        now = _worked(pid)
        if now is None:
            raise AssertionError(f"the host ended before: {what}")
        if worked is None or now > worked + LEAST_WORK:
            worked, since = now, time.monotonic()
        elif time.monotonic() - since > IDLE:
            raise AssertionError(f"the host does nothing, and it is not so: {what}")
        time.sleep(pause)


def _worked(pid: int) -> float | None:
    """Seconds of processor time of a process and its children; None where it has ended."""
    import psutil  # of every WebUI; the tests are collected where there is none

    try:
        parent = psutil.Process(pid)
        if parent.status() == psutil.STATUS_ZOMBIE:
            return None
        family = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return None
    total = 0.0
    for each in family:
        try:
            spent = each.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += spent.user + spent.system
    return total
