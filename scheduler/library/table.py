"""The live table: on a terminal it is drawn over itself; elsewhere each job's line is printed as it ends."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from typing import TextIO

from .account import Account, Row
from .jobs import Job
from .ledger import Progress
from .summary import ELSEWHERE, Summary

HEAD = ("state", "model", "size", "cfg", "steps", "effort", "calls", "seconds", "")
WIDTHS = (9, 24, 9, 5, 7, 8, 6, 7)
EVERY = 0.5  # seconds between two drawings
LEAST_WIDTH = 60
UP, CLEAR = "\x1b[{}A", "\x1b[J"


class Table:
    """An account that shows itself. stream: where to; shown: False for silence."""

    def __init__(self, account: Account, stream: TextIO, shown: bool = True):
        self.account, self.stream, self.shown = account, stream, shown
        self.live = shown and stream.isatty() and os.environ.get("TERM") != "dumb"
        self._drawn, self._last = 0, 0.0
        if shown and not self.live:
            self._print(line(HEAD))

    def began(self, job: Job, where: str) -> None:
        """Handed on, as the rest of local.Watch."""
        self.account.began(job, where)
        self.draw()

    def told(self, job: Job, progress: Progress) -> None:
        self.account.told(job, progress)
        self.draw()

    def ended(self, job: Job, summary: Summary) -> None:
        self.account.ended(job, summary)
        if self.shown and not self.live and summary.state != ELSEWHERE:
            self._print(line(cells(self.account.rows[job.id])))
        self.draw()

    def tick(self) -> None:
        if self.live and self._due():
            self.account.tick()
        self.draw()

    def draw(self, last: bool = False) -> None:
        """Draw it over what was drawn before, now and then."""
        if not self.live or not (last or self._due()):
            return
        self._last = time.monotonic()
        wide, tall = _terminal(self.stream)
        rows = [cells(row) for row in self._rows(tall - 3)]
        widths = narrowed(rows or [HEAD])
        lines = [line(each, widths) for each in (HEAD, *rows)]
        text = "\n".join(each[: wide - 1] for each in [*lines, self.account.sentence()])
        back = UP.format(self._drawn) if self._drawn else ""
        self.stream.write(f"{back}\r{CLEAR}{text}\n")
        self.stream.flush()
        self._drawn = len(lines) + 1

    def close(self) -> None:
        """The end: the table as it stands, and all of it in a line."""
        self.draw(last=True)
        if self.shown and not self.live:
            self._print(self.account.sentence())

    def _due(self) -> bool:
        return time.monotonic() - self._last > EVERY

    def _rows(self, room: int) -> list[Row]:
        """The rows; where they are more than fit, those that wait and those that are done give way."""
        rows = list(self.account.rows.values())
        if len(rows) > room:
            weight = {"running": 0, "failed": 1, "elsewhere": 2, "done": 3}
            chosen = sorted(rows, key=lambda row: weight.get(row.state, 4))[: max(room - 1, 1)]
            rows = [row for row in rows if row in chosen]
        return rows

    def _print(self, text: str) -> None:
        self.stream.write(f"{text}\n")
        self.stream.flush()


def cells(row: Row) -> tuple[str, ...]:
    """The columns of a row, as HEAD names them."""
    job, found = row.job, row.summary
    cfg = "" if job.cfg is None else f"{job.cfg:g}"
    spent = (str(found.calls), f"{found.seconds:.0f}") if found and found.seconds else ("", "")
    about = (row.state, job.title, job.size_text, cfg, job.steps_text, job.effort)
    return (*about, *spent, row.words)


def line(columns: tuple[str, ...], widths: Sequence[int] = WIDTHS) -> str:
    """One line of the table; what stands in a column of width 0 is left out."""
    padded = [
        f"{text[:width]:<{width}}" for text, width in zip(columns, widths, strict=False) if width
    ]
    return "  ".join([*padded, columns[-1]]).rstrip()


def narrowed(rows: Iterable[tuple[str, ...]]) -> list[int]:
    """The widths that these rows need: a terminal is narrow."""
    needed = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    return [
        min(most, max(need, len(name))) if need else 0
        for most, need, name in zip(WIDTHS, needed, HEAD, strict=False)
    ]


def _terminal(stream: TextIO) -> tuple[int, int]:
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return 120, 40
    return max(size.columns, LEAST_WIDTH), max(size.lines, 8)
