"""What is hung into a model beside its weights, in the options that ComfyUI and Forge keep for that.

Guidance functions, attention and block patches and wrappers change what the model answers: FreeU,
dynamic thresholding, rescaled guidance and the like. Each counts as a patch, by its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .held import closed_over, digest
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


def hook_patches(
    names: Iterable[str], settings: Mapping[str, str] | None = None
) -> tuple[dict, ...]:
    """Hooks as keys and records carry them: patches of strength 1. settings: of those that were made
    with any (`hook_settings`), by name."""
    made = settings or {}
    return tuple(patch(name, 1.0, (made[name],) if made.get(name) else ()) for name in names)


def hook_settings(model_options: Mapping) -> dict[str, str]:
    """What the functions in a model's options were made with (scales, layers, ...), in short, by their
    hooks' names."""
    found: dict[str, list[str]] = {}
    for place, each in _placed(model_options):
        found.setdefault(f"{place}: {_called(each)}", []).extend(closed_over(each))
    return {name: digest(iter(lines)) for name, lines in found.items() if lines}


def _functions(options: Mapping) -> Iterator[str]:
    for place, each in _placed(options):
        yield f"{place}: {_called(each)}"
    if options.get(WINDOWS) is not None:
        yield f"context windows: {_windows(options[WINDOWS])}"


def _placed(options: Mapping) -> Iterator[tuple[str, Any]]:
    inside = options.get("transformer_options") or {}
    places = {place: options.get(place) for place in FUNCTIONS}
    places |= inside.get("patches") or {}
    places |= inside.get("patches_replace") or {}
    for place, found in places.items():
        for each in _listed(found):
            yield place, each


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
