"""Whether a MODEL can be learnt from at all, before a model call is spent; else why not, in a sentence."""

from __future__ import annotations

from typing import Any

from ...scheduler.errors import DenoiserError
from .guider_facts import second_models
from .step_caches import step_caches

CACHED = (
    "This model carries {}, which answers some steps from memory, so a recipe would be of that and not "
    "of your model; bypass its node while learning."
)


def unsuited(patcher: Any) -> str:
    """Why nothing true can be learnt from a MODEL, a sentence, or ""."""
    caches = step_caches(patcher)
    return CACHED.format(" and ".join(caches)) if caches else ""


def unsuited_guider(guider: Any) -> str:
    """The same for all MODELs that a guider asks."""
    models = (guider.model_patcher, *second_models(guider))
    return next((reason for reason in map(unsuited, models) if reason), "")


def check_suited(guider: Any) -> None:
    """Raise DenoiserError where nothing true can be learnt from what a guider asks."""
    reason = unsuited_guider(guider)
    if reason:
        raise DenoiserError(reason)
