"""Recordings: runs that were made anyway, kept to learn from; teachers that cost nothing."""

from .checking import usable
from .merging import merged
from .own_error import own_error
from .recording import Recording
from .running import record_run

__all__ = ["Recording", "merged", "own_error", "record_run", "usable"]
