"""The sources of other people's records that the user has added, as a part of the page, to be read only."""

from __future__ import annotations

import html

from ..scheduler.errors import StepDistillError


def sources_html() -> str:
    """One line a source, and the command that adds one; "" where the store cannot be read. Nothing is
    asked of them."""
    from ..scheduler.sources import beside
    from ..scheduler.sources.words import adding, source_line
    from .panel_views import paragraph_of_html
    from .stores import store

    try:
        here = beside(store().folder)
        lines = [f"{each.name}: {source_line(each)}" for each in here.all()]
        lines += [f"{name} is not used: {reason}" for name, reason in here.damaged()]
    except (StepDistillError, OSError):
        return ""
    head = "Sources of other people's records:" if lines else "No source of other people's records."
    how = "To add one, type this into a terminal, with its folder or address for ADDRESS:"
    listed = "<br>".join(html.escape(line) for line in [head, *lines, how])
    return paragraph_of_html(f"{listed}<br><code>{html.escape(adding(here.store))}</code>")
