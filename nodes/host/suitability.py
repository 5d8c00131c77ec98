"""Whether a MODEL can be learnt from at all, before a model call is spent; else why not, in a sentence."""

from __future__ import annotations

from typing import Any

from ...scheduler.errors import DenoiserError
from .step_caches import step_caches

CACHED = (
    "This model carries {}, which answers some steps from memory, so a recipe would be of that and not "
    "of your model; bypass its node while learning."
)


def unsuited(patcher: Any) -> str:
    """Why nothing true can be learnt from a MODEL, a sentence, or ""."""
    caches = step_caches(patcher)
    return CACHED.format(" and ".join(caches)) if caches else ""


def check_suited(patcher: Any) -> None:
    """Raise DenoiserError where nothing true can be learnt from a MODEL."""
    reason = unsuited(patcher)
    if reason:
        raise DenoiserError(reason)
