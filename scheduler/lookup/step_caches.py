"""Packs that answer some of a run's steps from memory, known by the names that they leave on a model.

A record of such a run would be of the cache, not of the model. What is not known by its name is found by
behaviour (distilling/consistency.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# Each by what its wrappers, options, functions and modules are called.
KNOWN = {
    "EasyCache": r"easy_?cache",
    "LazyCache": r"lazy_?cache",
    "TeaCache": r"tea_?cache",
    "MagCache": r"mag_?cache",
    "CacheDiT": r"cache_?dit|dit_?cache",
    "WaveSpeed's first block cache": r"wave_?speed",
    "first block cache": r"fb_?cache|first_?block_?cache",
    "Spectrum": r"(?<![a-z])spectrum(?![a-z])",
    "FSampler": r"(?<![a-z])f_?sampler(?![a-z])",
    "DeepCache": r"deep_?cache",
    "TaylorSeer": r"taylor_?seer",
    "ToCa": r"(?<![a-z])toca(?![a-z])",
    "AdaCache": r"ada_?cache",
    "HyperCache": r"hyper_?cache",
    "T-GATE": r"(?<![a-z])t_?gate(?![a-z])",
}
_PATTERNS = {title: re.compile(pattern) for title, pattern in KNOWN.items()}


def named_caches(names: Iterable[object]) -> tuple[str, ...]:
    """The step caches that these names (keys, functions with their modules) give away, each once."""
    found = []
    texts = [_plain(name) for name in names]
    for title, pattern in _PATTERNS.items():
        if any(pattern.search(text) for text in texts):
            found.append(title)
    return tuple(found)


def origin(function: object) -> str:
    """Where a function or an object of a class comes from: its module and name."""
    plain = getattr(function, "func", function)  # of a partial
    plain = getattr(plain, "__func__", plain)  # of a method
    named = plain if hasattr(plain, "__qualname__") else type(plain)
    return f"{getattr(named, '__module__', '')}.{named.__qualname__}"


def _plain(name: object) -> str:
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", str(name)[-300:])
    return re.sub(r"[^a-z0-9]+", "_", f"{text} {name}".lower())
