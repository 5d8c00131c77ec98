"""StepDistill: few-step sampling recipes, distilled from a checkpoint's own many-step pictures.

With evidence of what they gain.
"""

from importlib import import_module

from .version import VERSION as __version__

# Loaded when first asked for: a host imports this package at its start, and nothing heavy belongs
# there.
_PLACES = {
    "Conditions": "record",
    "Record": "record",
    "Recording": "recordings",
    "SharedFirstAnswer": "samplers.first_answer",
    "StepDistillError": "errors",
    "check_kin": "kin.checking",
    "distill": "distilling.run",
    "distill_pair": "pairs.run",
    "find_kin": "kin.finding",
    "improve": "distilling.improve",
    "learn_from_kin": "kin.learning",
    "load_record": "record",
    "oss_schedules": "search.oss",
}

__all__ = [
    "Conditions",
    "Record",
    "Recording",
    "SharedFirstAnswer",
    "StepDistillError",
    "__version__",
    "check_kin",
    "distill",
    "distill_pair",
    "find_kin",
    "improve",
    "learn_from_kin",
    "load_record",
    "oss_schedules",
]


def __getattr__(name: str):
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f".{_PLACES[name]}", __name__), name)
    globals()[name] = found  # found once, it is a plain attribute
    return found


def __dir__() -> list[str]:
    """The public names, found yet or not; modules that happen to be loaded are no part of them."""
    return [*__all__]
