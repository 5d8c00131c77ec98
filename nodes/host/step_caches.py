"""Nodes that answer some of a run's steps from memory, as a MODEL carries them."""

from __future__ import annotations

from typing import Any

from ...scheduler.errors import DenoiserError
from .weights import hooks_of

# They answer from the call before, which is another row's where many are asked at once: a teacher must
# be drawn without them.
STEP_CACHES = ("easycache", "lazycache")


def without_caches(patcher) -> tuple[Any, tuple[str, ...]]:
    """(the MODEL, or a clone of it without its step caches, and their names)."""
    found = step_caches(patcher)
    if not found:
        return patcher, ()
    clone = patcher.clone()
    for kind in list(clone.wrappers):
        for key in found:
            clone.remove_wrappers_with_key(kind, key)
    return clone, found


def step_caches(patcher) -> tuple[str, ...]:
    """The step caches on a MODEL."""
    keys = {key for kinds in patcher.wrappers.values() for key, listed in kinds.items() if listed}
    return tuple(key for key in STEP_CACHES if key in keys)


def foreign_caches(patcher) -> tuple[str, ...]:
    """What other packs hung in that calls itself a cache (TeaCache, MagCache, FBCache, ...), by the name
    of its maker: its memory cannot be taken off without what else is wrapped in it."""
    makers = [maker_of(name) for name in hooks_of(patcher)]
    found = [name for name in makers if "cache" in name.lower() and name not in STEP_CACHES]
    return tuple(dict.fromkeys(found))


def refuse_foreign_caches(patcher) -> None:
    """Raise DenoiserError where nothing could be measured on a MODEL."""
    found = foreign_caches(patcher)
    if found:
        raise DenoiserError(
            f"{', '.join(found)} on the model answers some steps from memory, so that nothing can be "
            "measured on it; take it off here (Compare Schedules takes it as second_model)."
        )


def maker_of(hook: str) -> str:
    """The class or function at the head of a hook's name, "place: Maker.method.<locals>.function"."""
    return hook.split(": ", 1)[-1].split(".")[0]
