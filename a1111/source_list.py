"""The sources of other people's records that the user has added, as a part of the page, to be read only."""

from __future__ import annotations

import html
import sys
from pathlib import Path

from ..scheduler.errors import StepDistillError

NONE_YET = "There are no sources of other people's records yet. To add one, in a terminal:"
SOURCE = "FOLDER-OR-ADDRESS"


def sources_html() -> str:
    """One line a source, or how to add one where there is none. Nothing is asked of them."""
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
        told = f"{html.escape(NONE_YET)}<br><code>{html.escape(adding())}</code>"
        return paragraph_of_html(told)
    listed = "<br>".join(
        html.escape(line) for line in ["Sources of other people's records:", *lines]
    )
    return paragraph_of_html(listed)


def adding() -> str:
    """The command that adds a source to this host's store, run by its own Python from our folder."""
    from .stores import store

    command = [sys.executable, "-m", "scheduler", "store", "source", "add", SOURCE]
    given = [*command, "--folder", str(store().folder)]
    return f"cd {_quoted(str(Path(__file__).parents[1]))} && {' '.join(map(_quoted, given))}"


def _quoted(word: str) -> str:
    """As a terminal takes it, here and on Windows."""
    return f'"{word}"' if " " in word else word
