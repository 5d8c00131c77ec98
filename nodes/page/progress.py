"""What the page hears while a node makes many model calls: a bar, previews, the plan, the time
left; and where it is told to stop."""

from __future__ import annotations

import math
import time
from typing import Any

from .log import log
from .price import remember_pace

EVENT = "stepdistill.progress"
USABLE = (
    "The first recipes are in the store and in use; this makes them better. Stopping keeps them."
)
LEAST_PAUSE = 0.1  # seconds between two messages: small models make hundreds of calls in one
FEW = 3  # calls after which the time is estimated; the first one, which may load and compile, is not counted


class Pace:
    """How fast model calls come, and so how long the rest will take."""

    def __init__(self, clock=time.monotonic):
        self.clock, self.began, self.calls, self.evaluations, self.latest = clock, 0.0, 0, 0, 0.0

    def count(self, calls: int) -> None:
        """Note calls just made, in one evaluation."""
        self.evaluations += 1
        self.latest = self.clock()
        if self.evaluations == 1:
            self.began = self.latest
        else:
            self.calls += calls

    def seconds_for(self, calls: int) -> float | None:
        """What so many calls take; None before enough were timed."""
        return (
            None
            if self.evaluations <= FEW
            else calls * (self.latest - self.began) / max(self.calls, 1)
        )


class Teller:
    """Tells of one run: `plan` first, then every evaluation through `heard` (see guided.run);
    `phase` names what is being done.

    patcher: the MODEL, for previews. node: the node's id on the page, or None. previews: False for
    latents that have none. keeps: whether what is finished stays, where the run is stopped. of: what its
    pace is remembered by (pace_key).

    The host's own text below a node is left alone: it would say the same a second time, and stay.
    """

    def __init__(self, patcher, node: str | None, previews: bool = True, of: str = ""):
        self.patcher, self.node, self.previews, self.of = patcher, node, previews, of
        self.keeps = False
        self.phase, self.done, self.planned, self.text = "", 0, 1, ""
        self.pace = Pace()
        self._began, self._asked = self.pace.clock(), 0
        self._told, self._shown = -math.inf, ""  # when, and of which phase, the page last heard
        self._bar = None

    def plan(self, text: str, planned: int) -> None:
        """Say what will be done, before it is begun. How long it takes is told live, and there
        alone, so that no two times stand on a node."""
        self.text, self.planned, self.done = text, max(planned, 1), 0
        self._began, self._asked = self.pace.clock(), 0
        log.info("StepDistill: %s", text)
        self._send(phase="plan", plan=text)

    def usable(self) -> None:
        """What is finished can be used while the rest goes on."""
        self._send(plan=f"{self.text}\n{USABLE}")

    def progress(self, done: int, planned: int, phase: str) -> None:
        """The library's own account: its numbers are right, ours lead by a batch."""
        self.done, self.planned, self.phase = done, planned, phase

    def heard(self, rows: int, drawn: Any, sigma: float) -> None:
        """An evaluation of `rows` samples has ended; raises the host's exception when the user interrupts."""
        self.pace.count(rows)
        self._asked += rows
        self.done = min(self.done + rows, self.planned)
        now = self.pace.latest
        if now - self._told < LEAST_PAUSE and self.phase == self._shown:
            return
        self._told, self._shown = now, self.phase
        self._update(drawn)
        left = self.pace.seconds_for(self.planned - self.done)
        self._send(phase=self.phase, seconds_left=left)

    def finished(self) -> None:
        """All is asked and fitted: what a call took with all that was done beside it is remembered."""
        if self._asked > FEW:
            remember_pace((self.pace.clock() - self._began) / self._asked, self.of)

    def _update(self, drawn) -> None:
        """Move the host's bar, with a preview where there can be one."""
        if self._bar is None:
            self._bar = _bar(self.patcher, self.planned, self.previews)
        self._bar(max(self.done - 1, 0), drawn, drawn, self.planned)

    def _send(self, **data) -> None:
        about = {
            "phase": self.phase,
            "done": self.done,
            "planned": self.planned,
            "seconds_left": None,
            "keeps": self.keeps,
        }
        send(EVENT, {"node": self.node} | about | data)


def say(node: str | None, text: str) -> None:
    """Show a text on a node's card while it runs."""
    send(EVENT, {"node": node, "said": text})


def send(event: str, data: dict) -> None:
    """A message to the page that queued what runs."""
    server = _server()
    if server is not None:
        server.send_sync(event, data, server.client_id)


def _bar(patcher, planned: int, previews: bool):
    """callback(step, x0, x, total) that moves the host's bar."""
    if previews:
        import latent_preview

        return latent_preview.prepare_callback(patcher, planned)
    import comfy.utils

    bar = comfy.utils.ProgressBar(planned)
    return lambda step, x0, x, total: bar.update_absolute(step + 1, total)


def _server():
    """The host's server, or None where there is none (a script that runs nodes by itself)."""
    try:
        from server import PromptServer
    except ImportError:
        return None
    return getattr(PromptServer, "instance", None)
