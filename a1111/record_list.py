"""What lists of records offer; loads nothing before it is asked, for pages are built at the host's start."""

from __future__ import annotations

from ..scheduler.errors import StepDistillError
from .names import AUTOMATIC, STOCK_ONLY


def listed() -> list[str]:
    """The records to choose from; a store that cannot be read has none."""
    from .stores import choices

    try:
        return choices()
    except (StepDistillError, OSError):
        return [AUTOMATIC, STOCK_ONLY]
