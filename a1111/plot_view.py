"""A record's error curves as a part of the page, in its own colours."""

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
    """Error against steps in the theme's own colours, as HTML; "" where nothing was measured or
    matplotlib is not there."""
    import tempfile
    from pathlib import Path

    try:
        from ..scheduler.plots.curves import plot_errors

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "errors.svg"
            plot_errors(record, path)
            drawn = path.read_text(encoding="utf-8")
    except (ImportError, StepDistillError):
        return ""
    return in_theme(drawn)


def in_theme(drawn: str) -> str:
    """A plot's SVG with the page's own ink, on its own ground."""
    start = drawn.find("<svg")
    for ours, theirs in INKS:
        drawn = drawn.replace(ours, theirs)
    return (
        f"<div style='overflow-x:auto;max-width:70em'>{drawn[start:]}</div>" if start >= 0 else ""
    )
