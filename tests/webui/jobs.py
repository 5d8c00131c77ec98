"""What the tests of jobs ask of the real host."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.webui.patience import wait_for

API = "/stepdistill/v1"
WISH = {
    "prompt": "a cat",
    "cfg": 3,
    "width": 64,
    "height": 64,
    "samplers": ["euler"],
    "steps": [3, 4],
    "quality": "instant",
    "measure": False,
}


def ended(host, stop: Callable[[dict], bool] = lambda progress: False) -> dict:
    """The job's progress once it is over, as long as the host works; interrupted as soon as
    `stop(progress)`."""
    asked: list[dict] = []

    def over() -> dict | None:
        progress = host.get(f"{API}/progress")
        if progress["state"] not in ("waiting", "running"):
            return progress
        if not asked and stop(progress):
            asked.append(host.post(f"{API}/interrupt"))
        return None

    return wait_for(over, host.server.process.pid, "the job ended", 0.1)


def come_to(host, done: int) -> None:
    """Until the job has made so many model calls."""
    pid = host.server.process.pid
    wait_for(lambda: host.get(f"{API}/progress")["done"] >= done, pid, "the job began", 0.05)


@contextmanager
def meanwhile(work: Callable[[], object]) -> Iterator[threading.Thread]:
    """Something that is asked of the host in the background, and is over at the end."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield thread
    thread.join()
