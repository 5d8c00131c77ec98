"""What is said of learning: below a picture once a session where it is no news, and in the panel."""

from __future__ import annotations

from collections import deque
from typing import Any

_last: deque[str] = deque(maxlen=1)
_below: deque[str] = deque(maxlen=200)  # sentences that stood below a picture


def comment(p: Any, sentence: str) -> None:
    """Something below the picture, on hosts that have a place for it."""
    if hasattr(p, "comment"):
        p.comment(f"StepDistill: {sentence}")


def note(p: Any, sentence: str, panel: str = "") -> None:
    """Say something of a picture's learning: in the panel, the console and, the first time, below the
    picture. p: the host's processing. panel: what the panel says in its place."""
    from .host import say

    if is_news(sentence):
        comment(p, sentence)
    remember(panel or sentence)
    say(sentence)


def remember(sentence: str) -> None:
    _last.append(sentence)


def last_note() -> str:
    """The newest, or ""."""
    return _last[-1] if _last else ""


def is_news(sentence: str) -> bool:
    """Whether a sentence has not stood below a picture yet; then it is taken to stand there now."""
    if sentence in _below:
        return False
    _below.append(sentence)
    return True


def forget() -> None:
    """As in a new session."""
    _last.clear()
    _below.clear()
