"""Recipes for Hugging Face's diffusers: a scheduler class that runs them, and distilling through a
pipeline's own call. An extra: nothing of diffusers is imported before a name of this package is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .distilled_scheduler import StepDistillScheduler
    from .distilling import distill_pipeline
    from .facts import facts_of_pipeline, key_of_pipeline
    from .recording import PipelineRecording

_PLACES = {
    "PipelineRecording": "recording",
    "StepDistillScheduler": "distilled_scheduler",
    "distill_pipeline": "distilling",
    "facts_of_pipeline": "facts",
    "key_of_pipeline": "facts",
}

__all__ = [
    "PipelineRecording",
    "StepDistillScheduler",
    "distill_pipeline",
    "facts_of_pipeline",
    "key_of_pipeline",
]


def __getattr__(name: str):
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f".{_PLACES[name]}", __name__), name)
    globals()[name] = found
    return found
