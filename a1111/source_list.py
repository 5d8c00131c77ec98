"""The sources of other people's records that the user has added, as a part of the page, to be read only."""

from __future__ import annotations

import html

from ..scheduler.errors import StepDistillError


def sources_html() -> str:
    """One line a source; "" where there is none. Nothing is asked of them."""
    from ..scheduler.sources import beside
    from ..scheduler.sources.words import source_line
    from .panel_views import paragraph_of_html
    from .stores import store

    try:
        here = beside(store().folder)
        lines = [f"{each.name}: {source_line(each)}" for each in here.all()]
        lines += [f"{name} is not used: {reason}" for name, reason in here.damaged()]
    except (StepDistillError, OSError):
        return ""
    if not lines:
        return ""
    listed = "<br>".join(
        html.escape(line) for line in ["Sources of other people's records:", *lines]
    )
    return paragraph_of_html(listed)
