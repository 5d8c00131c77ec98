"""The samplers: stock ones as the hosts define them, and our own.

With the linear multistep rules that they are made of, and query offsets.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .names import SAMPLERS, ode_sampler_for

if TYPE_CHECKING:
    from .multistep import LINEAR, LinearRule
    from .stock import check_sampler, model_calls, sample, sample_linear

__all__ = [
    "LINEAR",
    "SAMPLERS",
    "LinearRule",
    "check_sampler",
    "model_calls",
    "ode_sampler_for",
    "sample",
    "sample_linear",
]


def __getattr__(name: str):
    """What runs needs numpy and torch, which are loaded with the first of it: names are read without."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    place = ".multistep" if name in ("LINEAR", "LinearRule") else ".stock"
    found = getattr(import_module(place, __name__), name)
    globals()[name] = found
    return found
