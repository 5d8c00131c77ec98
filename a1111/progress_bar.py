"""The host's own progress bar, lent to model calls that draw no picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .names import TITLE


@contextmanager
def shown(what: str, planned: int) -> Iterator[Callable[[int, int, str], None]]:
    """Somebody who hears how far the calls are, and shows it; the bar is put back afterwards."""
    from modules import shared

    state = shared.state
    before = {
        name: getattr(state, name, None) for name in ("textinfo", "sampling_steps", "sampling_step")
    }

    def heard(done: int, calls: int, phase: str) -> None:
        state.sampling_steps, state.sampling_step = max(calls, 1), done
        state.textinfo = f"{TITLE}: {what}: {done} of {calls}"

    heard(0, planned, "")
    try:
        yield heard
    finally:
        for name, value in before.items():
            setattr(state, name, value)
