"""What was last said of learning, for the panel of every page."""

from __future__ import annotations

from collections import deque

_said: deque[str] = deque(maxlen=1)


def remember(sentence: str) -> None:
    _said.append(sentence)


def last_note() -> str:
    """The newest, or ""."""
    return _said[-1] if _said else ""
