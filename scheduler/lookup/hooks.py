"""What is hung into a model beside its weights, in the options that ComfyUI and Forge keep for that.

Guidance functions, attention and block patches and wrappers change what the model answers: FreeU,
dynamic thresholding, rescaled guidance and the like. Each counts as a patch, by its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .key import patch

FUNCTIONS = (
    "sampler_cfg_function",
    "sampler_pre_cfg_function",
    "sampler_post_cfg_function",
    "sampler_calc_cond_batch_function",
    "model_function_wrapper",
)
WINDOWS = "context_handler"
OURS = "stepdistill"
LONGEST = 120


def hook_names(model_options: Mapping, wrappers: Iterable[object] = ()) -> tuple[str, ...]:
    """The names of what other nodes or extensions hung into a model, sorted; ours are left out.

    wrappers: the keys of what is kept elsewhere.
    """
    named = (f"wrapper: {key}" for key in wrappers if _is_others(key))
    return tuple(sorted({*_functions(model_options), *named}))


def hook_patches(names: Iterable[str]) -> tuple[dict, ...]:
    """Hooks as keys and records carry them: patches of strength 1."""
    return tuple(patch(name, 1.0, ()) for name in names)


def _functions(options: Mapping) -> Iterator[str]:
    inside = options.get("transformer_options") or {}
    places = {place: options.get(place) for place in FUNCTIONS}
    places |= inside.get("patches") or {}
    places |= inside.get("patches_replace") or {}
    for place, found in places.items():
        for each in _listed(found):
            yield f"{place}: {_called(each)}"
    if options.get(WINDOWS) is not None:
        yield f"context windows: {_windows(options[WINDOWS])}"


def _windows(handler: Any) -> str:
    """Which frames are drawn together: what a model answers depends on it."""
    named = [
        getattr(getattr(handler, name, None), "name", "")
        for name in ("context_schedule", "fuse_method")
    ]
    numbers = [getattr(handler, f"context_{name}", "") for name in ("length", "overlap", "stride")]
    flags = [name for name in ("closed_loop", "freenoise") if getattr(handler, name, False)]
    words = " ".join(part for part in (*named, "/".join(map(str, numbers)), *flags) if part)
    return (words if any(named) else _called(handler))[:LONGEST]


def _listed(found: Any) -> list:
    if found is None:
        return []
    if isinstance(found, Mapping):
        return list(found.values())
    return list(found) if isinstance(found, (list, tuple)) else [found]


def _is_others(key: object) -> bool:
    return isinstance(key, str) and not key.startswith(OURS)


def _called(function: Any) -> str:
    """A function's or class's name, the same in every session; never an address."""
    named = function if hasattr(function, "__qualname__") else type(function)
    return str(named.__qualname__)[:LONGEST]
