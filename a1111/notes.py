"""What is said of pictures: each picture's own lines, below it and in the panel, where those of the
latest stand."""

from __future__ import annotations

from typing import Any

LINES = "stepdistill_lines"  # of the host's processing
RESULT = "stepdistill_result"  # what the host has made of it, once it is drawn
DRAWN = "stepdistill_drawn"  # whether it is there, so that the panel may speak of it

_latest: list[str] = []
_changes = 0


def begin(p: Any) -> None:
    """A picture is going to be drawn: what the panel says of an earlier one is over."""
    _follow([])
    setattr(p, LINES, [])


def finished(p: Any) -> None:
    """The picture is there: the panel says what was noted of it, and what comes yet."""
    setattr(p, DRAWN, True)
    _follow(getattr(p, LINES, []))


def drawn(p: Any, result: Any) -> None:
    """The picture is there, and takes comments of its own. result: the host's Processed."""
    setattr(p, RESULT, result)


def tell(p: Any, sentence: str, panel: str = "") -> None:
    """Say something of a picture, once: below it, on hosts that have a place for that, and in the
    panel. p: the host's processing. panel: what the panel says in its place."""
    lines = getattr(p, LINES, None)
    if lines is None:  # of somebody who runs no scripts, such as an extension for its own ends
        comment(p, sentence)
        return
    shown = panel or sentence
    if shown in lines:
        return
    lines.append(shown)
    if getattr(p, DRAWN, False):
        _follow(lines)
    comment(p, sentence)


def comment(p: Any, sentence: str) -> None:
    """Something below the picture alone."""
    text = f"StepDistill: {sentence}"
    if hasattr(p, "comment"):
        p.comment(text)
    result = getattr(p, RESULT, None)
    if result is not None:  # which has taken the comments that there were
        result.comments = f"{getattr(result, 'comments', '') or ''}{text}\n"


def note(p: Any, sentence: str, panel: str = "") -> None:
    """The same, and in the console."""
    from .host import say

    tell(p, sentence, panel)
    say(sentence)


def remember(sentence: str) -> None:
    """Something for the panel alone."""
    _follow([sentence])


def last_note() -> str:
    """What was said of the latest picture, or ""."""
    return " ".join(_latest)


def changes() -> int:
    """How often what is said of the latest picture has changed: a page that was opened since then
    has not seen that picture."""
    return _changes


def forget() -> None:
    """As in a new session."""
    _follow([])


def _follow(lines: list[str]) -> None:
    global _latest, _changes
    _latest = lines
    _changes += 1
