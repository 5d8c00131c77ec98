"""The samplers: stock ones as the hosts define them, and our own.

With the linear multistep rules that they are made of, and query offsets.
"""

from .multistep import LINEAR, LinearRule
from .stock import SAMPLERS, check_sampler, model_calls, ode_sampler_for, sample, sample_linear

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
