"""What answers some of a run's steps from memory, as a MODEL carries it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ...scheduler.lookup.step_caches import named_caches, origin
from .weights import hooks_of

# The host's own, which come off whole with their wrappers. They answer from the call before, which is
# another row's where many are asked at once: a teacher must be drawn without them.
REMOVABLE = {"easycache": "EasyCache", "lazycache": "LazyCache"}
HOSTS = re.compile(r"^comfy\.|comfy_extras[./\\]")  # its extra nodes go by their file
FORWARDS = ("forward", "_forward", "forward_orig")  # of the network, which some replace


def without_caches(patcher) -> tuple[Any, tuple[str, ...]]:
    """(the MODEL, or a clone of it without the host's own step caches, and their names)."""
    found = [key for key in REMOVABLE if key in _wrapper_keys(patcher)]
    if not found:
        return patcher, ()
    clone = patcher.clone()
    for kind in list(clone.wrappers):
        for key in found:
            clone.remove_wrappers_with_key(kind, key)
    return clone, tuple(REMOVABLE[key] for key in found)


def step_caches(patcher) -> tuple[str, ...]:
    """The step caches on a MODEL: those known by name, and what another pack hung in that calls itself a
    cache, by the name of its maker."""
    known = named_caches(_names(patcher))
    makers = [maker_of(name) for name in hooks_of(patcher)]
    others = [name for name in makers if "cache" in name.lower() and not named_caches([name])]
    return tuple(dict.fromkeys([*known, *others]))


def maker_of(hook: str) -> str:
    """The class or function at the head of a hook's name, "place: Maker.method.<locals>.function"."""
    return hook.split(": ", 1)[-1].split(".")[0]


def _names(patcher) -> Iterator[str]:
    yield from _wrapper_keys(patcher)
    options = getattr(patcher, "model_options", None) or {}
    # of the host's own the wrappers alone tell: LazyCache keeps its memory under EasyCache's name
    set_options = (key for key in options.get("transformer_options") or {} if key not in REMOVABLE)
    yield from (key for key in set_options if isinstance(key, str))
    origins = map(origin, _functions(patcher, options))
    yield from (each for each in origins if not HOSTS.search(each))  # which have keys of their own
    yield from (key for key in getattr(patcher, "injections", {}) if isinstance(key, str))
    yield from (key for key in getattr(patcher, "attachments", {}) if isinstance(key, str))


def _wrapper_keys(patcher) -> set[str]:
    kinds = patcher.wrappers.values()
    return {
        key for each in kinds for key, listed in each.items() if listed and isinstance(key, str)
    }


def _functions(patcher, options: dict) -> Iterator[Any]:
    """Whatever others let run in the model's place or around it."""
    if options.get("model_function_wrapper") is not None:
        yield options["model_function_wrapper"]
    for kinds in patcher.wrappers.values():
        for listed in kinds.values():
            yield from listed
    yield from getattr(patcher, "object_patches", {}).values()
    network = getattr(getattr(patcher, "model", None), "diffusion_model", None)
    own = getattr(network, "__dict__", {})
    yield from (own[name] for name in FORWARDS if name in own)
