"""The samplers: stock ones as the hosts define them, the linear multistep rules they are made of,
query offsets, and our own."""

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
