"""Wishes for a better recipe, which the next run of a node fulfils: of the page's Improve."""

from __future__ import annotations

from threading import Lock

MOST_CALLS = 100_000
KEPT = 1000  # nodes

_calls: dict[str, tuple[int, str | None]] = {}  # and whose wish it is
_counts: dict[str, int] = {}
_lock = Lock()


def wish(node: str, calls: int, client: str | None = None) -> None:
    """Let the next run of a node first spend so many model calls on its recipe. client: the page that
    wishes it, whose prompts alone fulfil it; None: any."""
    with _lock:
        while len(_counts) >= KEPT and node not in _counts:
            oldest = next(iter(_counts))
            _counts.pop(oldest)
            _calls.pop(oldest, None)
        _calls[node] = calls, client
        _counts[node] = _counts.get(node, 0) + 1


def taken(node: str | None, client: str | None = None) -> int:
    """The calls that were wished for, once; 0 where none were. client: whose prompt runs; None: not known.
    Nodes of several pages have the same ids."""
    with _lock:
        calls, whose = _calls.get(node, (0, None)) if node is not None else (0, None)
        if not calls or (client is not None and whose not in (None, client)):
            return 0
        del _calls[str(node)]
        return calls


def count(node: str | None) -> int:
    """How often something was wished of a node: for IS_CHANGED."""
    with _lock:
        return _counts.get(node, 0) if node is not None else 0
