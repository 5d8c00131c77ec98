"""What our dropdown entries and wrappers say where they have no output of their own: in the log,
and on the node that runs."""

from __future__ import annotations

import logging
from threading import Lock

from ..host.running_prompt import tell

KEPT = 500
log = logging.getLogger("stepdistill")

_said: dict[str, None] = {}
_lock = Lock()


def log_once(text: str, warn: bool = False) -> None:
    """A line in the log, the first time that there is just this to say; on the node that runs, every time."""
    tell(text)
    with _lock:
        new = text not in _said
        if new and len(_said) >= KEPT:
            del _said[next(iter(_said))]
        _said[text] = None
    if new:
        log.log(logging.WARNING if warn else logging.INFO, "StepDistill: %s", text)


def problem(what: str, error: BaseException) -> None:
    """Something of ours failed inside the host's own work, which goes on without it."""
    log_once(f"{what} ({type(error).__name__}: {error}).", warn=True)
    log.debug("StepDistill: %s", what, exc_info=error)
