"""Numbers of things in words."""

from __future__ import annotations


def counted(steps: int) -> str:
    """ "1 step", "6 steps"."""
    return f"{steps} step{'s' if steps != 1 else ''}"


def model_calls(calls: int) -> str:
    """ "1 model call", "1,068 model calls"."""
    return f"{calls:,} model call{'s' if calls != 1 else ''}"
