"""The names that Load Record takes, and the records that they stand for."""

from __future__ import annotations

from collections.abc import Iterable

from ...scheduler.sources import by_hand
from ..host.store import store
from ..host.workflow_records import carried

NO_RECORDS = "(no records yet: run Distill Schedule)"
MOST_EXPECTED = 100
PUBLISHED = "published: "

expected: dict[str, None] = {}  # names of records that queued prompts carry


def choices() -> list[str]:
    """What Load Record's list holds: the store's records, those of sources, the published tables."""
    return [*(record_names() or [NO_RECORDS]), *source_entries(), *published_names()]


def record_names() -> list[str]:
    """The names of the store's records, the newest first; empty where the store cannot be read: the
    host asks at every page load."""
    try:
        return [brief.file.removesuffix(".json") for brief in store().records()]
    except Exception:
        return []


def source_entries() -> list[str]:
    """The records of sources, which nobody has checked here; empty where none can be read."""
    try:
        return by_hand.entries(_sources())
    except Exception:  # the host asks at every page load
        return []


def published_names() -> list[str]:
    """What papers and vendors have published, by name, as records to be had without distilling."""
    from ...scheduler.presets import PRESETS

    return [PUBLISHED + name for name in PRESETS]


def expect(names: Iterable[str]) -> None:
    """Names of records that a prompt which is being queued carries: Load Record may name them."""
    expected.update(dict.fromkeys(names))
    while len(expected) > MOST_EXPECTED:
        del expected[next(iter(expected))]


def found(name: str):
    """(the store's record of a name, or the one that the workflow carries, where it is from in
    words); raises ValueError with a sentence."""
    if name in published_names():
        return _published(name), ""
    reason = why_not(name)
    if reason is None:
        return _held(name), ""
    record = carried(name)
    if record is None:
        raise ValueError(reason)
    return record, "The record that this workflow carries; the store has none of this name. "


def _published(name: str):
    from ...scheduler.presets import preset

    return preset(name.removeprefix(PUBLISHED))


def why_not(name: str) -> str | None:
    """A sentence that says why a record cannot be loaded, or None."""
    from ...scheduler.errors import RecordError, SourceError, UnknownNameError

    if name in published_names():
        return None
    if name == NO_RECORDS:
        return (
            "The store has no records yet; run Distill Schedule first, "
            "or paste a record into Record from Text."
        )
    try:
        _held(name)
    except UnknownNameError as problem:
        broken = dict(store().problems())
        reason = broken.get(name) or broken.get(f"{name}.json")
        return f"The record {name} cannot be used: {reason}" if reason else str(problem)
    except (RecordError, SourceError) as problem:
        return f"The record {name} cannot be used: {problem}"
    return None


def content(name: str) -> bytes:
    """What an entry's record is, in bytes: of the store its file; raises StepDistillError."""
    return (
        _held(name).to_json().encode()
        if by_hand.is_entry(name)
        else store().path(name).read_bytes()
    )


def _held(name: str):
    """The record of an entry, of the store or of a source; raises StepDistillError."""
    if by_hand.is_entry(name):
        return by_hand.record_of(_sources(), name)
    return store().load(name)


def _sources():
    from ...scheduler.sources import beside

    return beside(store().folder)
