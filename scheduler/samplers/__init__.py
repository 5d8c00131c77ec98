"""The samplers: stock ones as the hosts define them, and our own.

With the linear multistep rules that they are made of, and query offsets.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .multistep import LINEAR, LinearRule
from .names import SAMPLERS, ode_sampler_for

if TYPE_CHECKING:
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
    """What runs needs torch, which is loaded with the first of it: names are read without."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(".stock", __name__), name)
    globals()[name] = found
    return found
