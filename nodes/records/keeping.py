"""Keeping a record that came from elsewhere in the store, once."""

from __future__ import annotations

from contextlib import suppress

from ..host.store import store

IN_ITS_PLACE = (
    " (in the place of an earlier record of this model under the same conditions, whose recipes for "
    "other steps and starts stay)"
)


def keep(record) -> tuple[str, str]:
    """Put a record into the store, unless it lies there already with its inner products: (its
    file's name, what else must be said)."""
    name = stored_name(record)
    if name:
        return name, ""
    before = {brief.file for brief in store().records()}
    name = store().put(record)
    return name, IN_ITS_PLACE if name in before else ""


def stored_name(record) -> str | None:
    """The name of the store's file that holds this very record, or None."""
    created, title = record.provenance.get("created"), record.model.name or ""
    for brief in store().records():
        if (brief.created, brief.title) != (created, title):
            continue
        with suppress(Exception):  # changed or removed meanwhile
            if record.is_within(store().load(brief.file)):
                return brief.file
    return None
