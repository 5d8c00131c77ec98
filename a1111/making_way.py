"""Pictures go first: a distillation lets those through that wait for the host."""

from __future__ import annotations

import sys
import time

PAUSE = 0.1  # seconds between two looks
PATIENCE = 5.0  # seconds for what waits to begin, once the host is free


class MakingWay:
    """Of one job: who waits, as far as the host's own list of tasks says."""

    def __init__(self) -> None:
        self._ignored: set[str] = set()

    @property
    def asked(self) -> bool:
        """Whether a picture waits for the host."""
        return bool(self._waiting())

    def let_through(self) -> None:
        """Until those that wait have begun; the host must be free. What never begins is not heeded
        again, and stands before us in the host's queue all the same."""
        began = time.monotonic()
        while self._waiting():
            if time.monotonic() - began > PATIENCE:
                self._ignored |= self._waiting()
            time.sleep(PAUSE)

    def _waiting(self) -> set[str]:
        module = sys.modules.get("modules.progress")
        return set(getattr(module, "pending_tasks", ())) - self._ignored
