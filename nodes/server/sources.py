"""The sources of other people's records that the user has added, for the page's list; nothing is asked of
them."""

from __future__ import annotations

from collections.abc import Mapping


def sources(query: Mapping) -> dict:
    """The sources at hand, and what is damaged of them."""
    from ...scheduler.sources import beside
    from ...scheduler.sources.words import adding, source_row
    from ..host.store import store

    here = beside(store().folder)
    return {
        "sources": [source_row(each) for each in here.all()],
        "adding": adding(here.store),
        "problems": [list(each) for each in here.damaged()],
    }
