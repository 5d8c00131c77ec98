"""ComfyUI's workflow files: swapped, baked, and put back."""

from .document import Document, open_workflow, parse
from .outcome import CODES, Outcome
from .sites import survey
from .swapping import TARGETS, Report, swap

__all__ = [
    "CODES",
    "TARGETS",
    "Document",
    "Outcome",
    "Report",
    "open_workflow",
    "parse",
    "survey",
    "swap",
]
