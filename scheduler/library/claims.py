"""Who is at a job: a small file that its holder touches as long as it lives, so that two machines that share
nothing but a folder never work at one record at the same time.

A claim is a file `NAME.N`. To take it over from a holder that is gone, the file N + 1 is created, which
a file system lets one alone do; the former holder, should it wake up, sees that and stops. Ages are
compared on the folder's own clock: machines' clocks differ.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

BEAT = 5.0  # seconds between two touches
EXPIRY = 60.0  # seconds without one after which a holder counts as gone


class Claim:
    """One holder's claim of one name. Two claims of the same `run` and `task` are one worker's attempts:
    the later one takes over at once. Raises OSError where the folder cannot be written to."""

    def __init__(self, folder: Path, name: str, run: str, task: str, expiry: float = EXPIRY):
        self.folder, self.name, self.expiry = folder, name, expiry
        self.told: dict[str, str | int] = {"run": run, "task": task, "token": secrets.token_hex(8)}
        self.told |= {"host": socket.gethostname(), "pid": os.getpid()}
        self.number: int | None = None

    def take(self) -> bool:
        """Whether the claim is ours now."""
        numbers = self._numbers()
        top = numbers[-1] if numbers else -1
        if numbers and not (self._is_of_this_attempt(top) or self._expired(top)):
            return False
        try:
            self._create(top + 1)
        except FileExistsError:
            return False
        self.number = top + 1
        below = [number for number in self._numbers() if number < top]
        if any(not self._expired(number) for number in below):  # made while we were looking
            self.release()
            return False
        return True

    def beat(self) -> bool:
        """Touch it; whether it is still ours."""
        if self.number is None or self._read(self.number).get("token") != self.told["token"]:
            return False
        try:
            os.utime(self._path(self.number))
        except OSError:  # the folder is away for a moment
            return os.path.lexists(self._path(self.number))
        return self._numbers()[-1:] == [self.number]

    def release(self) -> None:
        """Give it up, if it is still ours."""
        if self.number is None or self._read(self.number).get("token") != self.told["token"]:
            return
        for number in self._numbers():
            if number <= self.number:
                with suppress(OSError):
                    self._path(number).unlink(missing_ok=True)
        self.number = None

    def holder(self) -> str:
        """Who holds it, for people; "" for nobody."""
        numbers = self._numbers()
        told = self._read(numbers[-1]) if numbers else {}
        return f"{told.get('host', '?')} ({told.get('pid', '?')})" if told else ""

    def _create(self, number: int) -> None:
        path = self._path(number)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(json.dumps(self.told))
        except OSError:
            with suppress(OSError):
                path.unlink()
            raise

    def _is_of_this_attempt(self, number: int) -> bool:
        there = self._read(number)
        return all(there.get(key) == self.told[key] for key in ("run", "task"))

    def _expired(self, number: int) -> bool:
        try:
            return _now(self.folder) - self._path(number).stat().st_mtime > self.expiry
        except FileNotFoundError:  # given up meanwhile
            return True

    def _read(self, number: int) -> dict:
        try:
            found = json.loads(self._path(number).read_text(encoding="utf-8"))
            return found if isinstance(found, dict) else {}
        except (OSError, ValueError):
            return {}

    def _path(self, number: int) -> Path:
        return self.folder / f"{self.name}.{number}"

    def _numbers(self) -> list[int]:
        pattern = re.compile(re.escape(self.name) + r"\.(\d{1,9})")
        found = (pattern.fullmatch(name) for name in os.listdir(self.folder))
        return sorted(int(each[1]) for each in found if each)


@contextmanager
def held(
    claim: Claim, every: Callable[[], None], beat: float = BEAT
) -> Iterator[Callable[[], bool]]:
    """Touch a claim as long as the block runs, and give it up at its end. Gives a function that tells
    whether it was lost. every: is called at each touch."""
    over, lost = threading.Event(), threading.Event()

    def beating() -> None:
        every()
        while not over.wait(beat):
            if not claim.beat():
                lost.set()
                return
            every()

    thread = threading.Thread(target=beating, daemon=True)
    thread.start()
    try:
        yield lost.is_set
    finally:
        over.set()
        thread.join()
        claim.release()


def _now(folder: Path) -> float:
    """The time as the folder's file system has it, or this machine's where nothing can be written there."""
    probe = folder / f".clock-{secrets.token_hex(6)}"
    try:
        probe.touch()
        return probe.stat().st_mtime
    except OSError:
        return time.time()
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)
