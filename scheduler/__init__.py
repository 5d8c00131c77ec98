"""StepDistill: the few-step sampling recipe that best reproduces what a checkpoint would draw with many steps, with evidence."""

from .distill import distill
from .errors import StepDistillError
from .oss import oss_schedules
from .record import Conditions, Record, load_record
from .version import VERSION as __version__

__all__ = ["Conditions", "Record", "StepDistillError", "__version__", "distill", "load_record", "oss_schedules"]
