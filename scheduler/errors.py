"""The errors, one class for each kind of mistake.

Each says in one sentence what was wrong, what was expected and what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .record import Record


class StepDistillError(Exception):
    """Base of every error StepDistill raises on purpose; its text is one sentence meant for the user."""


class DenoiserError(StepDistillError):
    """The denoiser returned something unusable: NaN or infinite values, another shape or another dtype."""


class SigmaRangeError(StepDistillError):
    """sigma_min, sigma_max or a start sigma does not make a usable range."""


class ScheduleError(StepDistillError):
    """A schedule or grid is not strictly decreasing, not finite, or does not end in exactly 0."""


class StepsError(StepDistillError):
    """The number of steps is below 1 or above what the grid can hold."""


class BudgetError(StepDistillError):
    """The budget of model calls is too small; the text names the least that works."""


class UnknownNameError(StepDistillError):
    """A sampler, schedule, solver or option that StepDistill does not know; the text lists those it does."""


class RecordError(StepDistillError):
    """A record is truncated, mistyped, from a newer version, too large, or inconsistent."""


class RecipeError(StepDistillError):
    """A record has no recipe for the sampler, steps or start that was asked for."""


class RecordingError(StepDistillError):
    """A recording of a run cannot be learnt from, or its file cannot be read; the text says why."""


class LearningError(StepDistillError):
    """Learning broke off with an error of the model's or the computer's; the text names it."""


class SourceError(StepDistillError):
    """A source of records cannot be read, is not what it says it is, or was changed."""


class CheckpointError(StepDistillError):
    """A checkpoint file is not safetensors or has a layout that StepDistill's own modules cannot load."""


class WorkflowError(StepDistillError):
    """A file is not a ComfyUI workflow, or holds none."""


class PlanError(StepDistillError):
    """A plan of a library is no plan: unreadable, unknown keys, wrong values, or nothing to do."""


class OutputError(StepDistillError):
    """A file or folder could not be written."""


class Stopped(StepDistillError):
    """The user asked to stop; what was finished is kept where a resume folder was given.

    by_keyboard: whether by Ctrl-C, rather than by a host's button. record: what stood by then, a
    usable record, or None before the first recipe.
    """

    by_keyboard = False
    record: Record | None = None
