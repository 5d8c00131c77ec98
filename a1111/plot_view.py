"""A record as curves in a part of the page, in its own colours."""

from __future__ import annotations

from ..scheduler.errors import StepDistillError
from ..scheduler.record import Record

# The plots' own ink and ground, and the page's in their place.
INKS = (
    ("#222222", "currentColor"),
    ("#6b6b6b", "currentColor"),
    ("#ffffff", "none"),
    ("#cfcfcf", "#8886"),
)


def record_plot(record: Record) -> str:
    """Error against steps in the theme's own colours, as HTML, or its schedule where no error was
    measured on other pictures than those that it was learnt from; "" where matplotlib is not there."""
    import tempfile
    from functools import partial
    from pathlib import Path

    try:
        from ..scheduler.plots.curves import plot_errors, plot_schedules

        measured = record.evidence.get("curve")
        plot = plot_errors if measured else partial(plot_schedules, narrow=True)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "record.svg"
            plot(record, path)
            drawn = path.read_text(encoding="utf-8")
    except (ImportError, StepDistillError):
        return ""
    return in_theme(drawn)


def in_theme(drawn: str) -> str:
    """A plot's SVG with the page's own ink, on its own ground."""
    start = drawn.find("<svg")
    for ours, theirs in INKS:
        drawn = drawn.replace(ours, theirs)
    if start < 0:
        return ""
    fitting = drawn[start:].replace("<svg", "<svg style='max-width:100%;height:auto'", 1)
    return f"<div style='max-width:70em'>{fitting}</div>"
