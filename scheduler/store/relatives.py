"""Which records of an index to try for a key, best first: those of the same weights, then those of
relatives, whose kinship is judged by their full fingerprints."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..fingerprint import Fingerprint
from ..fingerprint.kinship import OTHER, SAME, kinship
from ..lookup.key import Key
from .index import Index
from .scan import Brief

MOST_TRIED = 16  # records that a search looks into, of those that may serve


class Relatives:
    """Kinship between models that ask and records; remembered, because an id is a hash of the samples.

    full: the whole fingerprint of a record's model by its brief; None where it cannot be read.
    """

    def __init__(self, full: Callable[[Brief], Fingerprint | None]):
        self._full = full
        self._kinds: dict[tuple[str, str], str] = {}
        self._last: tuple[Index, Key, list[tuple[float, Brief]]] | None = None

    def nearest(self, index: Index, key: Key) -> list[tuple[float, Brief]]:
        """(distance, record) of those to try, best first; relatives with other ids are sought only
        where no equal id gives an exact hit."""
        if key.fingerprint is None:
            return []
        found = index.ranked(key, {key.fingerprint.id: SAME})
        if not found or found[0][0] > 0:
            found = index.ranked(key, self._kin(key.fingerprint, index, key))
        return found

    def in_turn(self, index: Index, key: Key) -> Iterator[tuple[float, Brief]]:
        """The same for all records; after those of an exact hit's weights their relatives'."""
        if key.fingerprint is None:
            return
        found = self._same(key.fingerprint, index, key)
        if found and found[0][0] == 0:
            yield from found
        yield from index.ranked(key, self._kin(key.fingerprint, index, key), MOST_TRIED)

    def _same(self, here: Fingerprint, index: Index, key: Key) -> list[tuple[float, Brief]]:
        """Records of these weights, kept from the last time: a picture asks for its recipe twice."""
        last = self._last
        if last is None or last[0] is not index or last[1] != key:
            last = index, key, index.ranked(key, {here.id: SAME}, MOST_TRIED)
            self._last = last
        return last[2]

    def _kin(self, here: Fingerprint, index: Index, key: Key) -> dict[str, str]:
        """{fingerprint: kind of kinship} of all that may be related to a model, itself among them."""
        likely = index.likely(key)
        return {here.id: SAME} | {each.fingerprint: self._kind(here, each) for each in likely}

    def _kind(self, here: Fingerprint, brief: Brief) -> str:
        known = (here.id, brief.fingerprint)
        if known not in self._kinds:
            there = self._full(brief)
            if there is None:
                return OTHER
            self._kinds[known] = kinship(here, there).kind
        return self._kinds[known]
