"""The records that may serve, read from where they lie only as far as they are looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from .differences import filled
from .key import Key
from .match import GIVEN, SOURCE, Match, judged


class Shelf(Protocol):
    """A place where records lie: a store, or a workflow that carries some."""

    def matches(self, key: Key, policy: str = "near") -> Iterable[Match]:
        """The records that may serve, the nearest first; those that the policy forbids too."""
        ...


class Matches:
    """Matches that are read once, and only as far as somebody goes through them."""

    def __init__(self, found: Iterable[Match]):
        self._rest = iter(found)
        self._read: list[Match] = []

    def __iter__(self) -> Iterator[Match]:
        yield from self._read
        for match in self._rest:
            self._read.append(match)
            yield match

    @property
    def allowed(self) -> Iterator[Match]:
        """Those that the policy lets serve."""
        return (match for match in self if match.allowed)

    @property
    def refused(self) -> Match | None:
        """The nearest, where the policy forbids it: there to be named."""
        return next((match for match in self if not match.allowed), None)


def matches_on(
    shelves: Sequence[Shelf], key: Key, samplers: Sequence[str], policy: str
) -> Iterator[Match]:
    """The matches of every shelf, one shelf after another.

    On each, records with recipes for the first of the samplers come first, then those for the next,
    then the others. Conditions that the key
    leaves open are taken as each record's own.
    """
    asked = [replace(key, sampler=name) for name in (*samplers, None)]
    for shelf in shelves:
        seen = set()
        for each in asked:
            for match in shelf.matches(each, policy):
                known = match.name or id(match.record)
                if known not in seen:
                    seen.add(known)
                    yield from _settled(match, key, policy)


def _settled(match: Match, key: Key, policy: str) -> Iterator[Match]:
    """The match without differences that are none: what the caller cannot know, and the sampler. After
    one that serves by checks, its record as it was made: for the recipes that were not checked."""
    record = match.record if match.whole is None else match.whole
    asked = filled(replace(key, sampler=None), Key.of(record))
    again = judged(record, asked, policy, match.name)
    if again is None:
        yield match
        return
    yield _placed(again, match)
    rest = judged(record, asked, policy, match.name, checks=False) if again.by_check else None
    if rest is not None:
        yield _placed(rest, match)


def _placed(again: Match, match: Match) -> Match:
    kind = GIVEN if match.kind == GIVEN else again.kind
    # A source's record stays forbidden, however well it fits.
    allowed = again.allowed and (match.allowed or match.place != SOURCE)
    return replace(again, kind=kind, place=match.place, origin=match.origin, allowed=allowed)
