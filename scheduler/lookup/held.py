"""What an object of another pack is set to, as text that is the same in every session: what it answers
may depend on all of it.

Settings are numbers, words, flags, names of functions, and lists of them. Models, weights and
conditioning are none: they are known in other ways. Nor is what a function writes into while it runs.
"""

from __future__ import annotations

import dis
import hashlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import CodeType
from typing import Any

from .step_caches import origin

DEPTH = 3
MOST = 1000  # entries of a list, and numbers of a tensor with one axis
SIZE = 6  # bytes of a digest


def number(value: Any) -> float | None:
    """A setting that is a number or a flag, else None."""
    return float(value) if isinstance(value, (int, float)) else None


def digest(settings: Iterator[str]) -> str:
    """Settings in short; "" for none."""
    listed = sorted(settings)
    if not listed:
        return ""
    return hashlib.blake2b("\n".join(listed).encode(), digest_size=SIZE).hexdigest()


def settings_of(value: Any, path: str = "", depth: int = DEPTH) -> Iterator[str]:
    """Lines "where=what" of a value and what it holds."""
    if isinstance(value, (bool, str, bytes, type(None))):
        yield f"{path}={value!r}"
    elif isinstance(value, (int, float)):
        yield f"{path}={float(value):.6g}"
    elif isinstance(value, (list, tuple, set, frozenset)):
        yield from _of_list(value, path, depth)
    elif isinstance(value, Mapping):
        for name in sorted(value, key=str):
            yield from settings_of(value[name], f"{path}.{name}", depth - 1)
    elif hasattr(value, "detach") or hasattr(value, "tolist"):
        if getattr(value, "ndim", 2) <= 1 and len(value.reshape(-1)) <= MOST:
            yield from settings_of(value.tolist(), path, depth)
    elif depth > 0:
        yield from _of_object(value, path, depth)


def closed_over(function: Any) -> Iterator[str]:
    """What a function was made with: the settings in its closure and its defaults, but those that it
    writes into."""
    plain = getattr(function, "func", function)
    plain = getattr(plain, "__func__", plain)
    code = getattr(plain, "__code__", None)
    if code is None:
        return
    cells = zip(code.co_freevars, plain.__closure__ or (), strict=True)
    for name, cell in cells:
        value = _content(cell)
        if name not in _written(code) and _is_setting(value):
            yield from settings_of(value, name)
    for place, value in enumerate(plain.__defaults__ or ()):
        if _is_setting(value):
            yield from settings_of(value, f"default {place}")


def _of_list(value: Any, path: str, depth: int) -> Iterator[str]:
    listed = sorted(value, key=str) if isinstance(value, (set, frozenset)) else value
    for place, each in enumerate(list(listed)[:MOST]):
        yield from settings_of(each, f"{path}.{place}", depth - 1)


def _of_object(value: Any, path: str, depth: int) -> Iterator[str]:
    yield f"{path}: {origin(value)}"
    if hasattr(value, "get_model_object") or hasattr(value, "named_parameters"):
        return
    if hasattr(value, "__code__") or hasattr(value, "__func__"):
        yield from (f"{path}.{line}" for line in closed_over(value))
        return
    own = getattr(value, "__dict__", None)
    if isinstance(own, dict):
        public = {name: each for name, each in own.items() if not str(name).startswith("_")}
        yield from settings_of(public, path, depth)


def _is_setting(value: Any) -> bool:
    """Whether it can only be what it was made as: numbers, words, and lists of them."""
    if isinstance(value, (list, tuple)):
        return all(isinstance(each, (int, float, str)) for each in value)
    return isinstance(value, (int, float, str))


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None


@lru_cache(maxsize=256)
def _written(code: CodeType) -> frozenset[str]:
    """The names of its surroundings that a function, or one inside it, writes into."""
    own = {each.argval for each in dis.get_instructions(code) if each.opname == "STORE_DEREF"}
    inner = (_written(each) for each in code.co_consts if isinstance(each, CodeType))
    return frozenset(own.union(*inner))
