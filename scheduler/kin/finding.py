"""Which records are kin of a model: known by the samples of their weights, never by names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ..errors import RecipeError
from ..fingerprint.kinship import OTHER, QUANTISED, SAME
from ..lookup.differences import Difference, differences, filled
from ..lookup.key import Key
from ..lookup.match import EXACT, NEAREST, SOURCE, STORE, Match, kinship_of
from ..lookup.model_facts import ModelFacts
from ..lookup.shelves import Shelf, matches_on
from ..lookup.words import origin_words
from ..record import Recipe, Record
from ..record.inner_products import Gram
from ..samplers.names import DISTILLED
from .carrying import carried

ANY = "any"  # of match.POLICIES: other weights of the same family too
MOST_KIN = 8


@dataclass(frozen=True)
class Kin:
    """A record of a related model, or of the same one under other conditions. match: how it is related
    (`match.kin`: SAME, QUANTISED or RELATED) and in what it differs. model: the one at hand."""

    match: Match
    model: ModelFacts

    @classmethod
    def of(cls, record: Record, model: ModelFacts, key: Key | None = None) -> Kin:
        """A record that somebody says is kin of a model, as far as the weights' samples bear it out: its
        `kinship` is OTHER where they do not, or where one side has none, and a check then runs nothing."""
        asked, found = model.key() if key is None else key, Key.of(record)
        apart = differences(filled(asked, found), found)
        place = STORE if record.origin is None else SOURCE
        kin = kinship_of(asked, found)
        match = Match(record, NEAREST, kin, apart, place=place, origin=record.origin)
        return cls(match, model)

    @property
    def record(self) -> Record:
        return self.match.record

    @property
    def title(self) -> str:
        """What its record is called, and whose it is, where it is from a source."""
        origin = self.match.origin
        title = self.match.title
        return title if origin is None else f"{title} from {origin_words(origin)}"

    @property
    def kinship(self) -> str:
        """SAME, QUANTISED or RELATED (fingerprint/kinship.py); OTHER of what `of` was told wrongly."""
        return OTHER if self.match.kin is None else self.match.kin.kind

    @property
    def gram(self) -> Gram | None:
        """Its model's inner products, of the record as it was made."""
        whole = self.record if self.match.whole is None else self.match.whole
        return whole.gram

    @property
    def known(self) -> bool:
        """Whether it is of the very weights, casts and rounding allowed, and not from somebody else."""
        return self.kinship in (SAME, QUANTISED) and self.match.place == STORE

    @property
    def differences(self) -> tuple[Difference, ...]:
        return self.match.differences

    def recipe(
        self, steps: int, start: float | None = None, sampler: str = DISTILLED
    ) -> Recipe | None:
        """Its recipe of ours for a run of the model at hand, brought to that model's clock where the
        two differ in shift; None where it has none, or stock won. start: the first sigma (None: the
        model's top)."""
        found = carried(self.record, self.model)
        if found is None:
            return None
        try:
            recipe = found.recipe(sampler, steps, start)
        except RecipeError:
            return None
        return recipe if recipe.choice.ours else None


def find_kin(
    store: Shelf | Sequence[Shelf], facts: ModelFacts, key: Key | None = None
) -> list[Kin]:
    """The records whose recipes are worth a check on a model, the nearest first, MOST_KIN at most.

    store: a `Store`, a source, any shelf (lookup/shelves.py), or several in their order. key: the model's
    with the conditions that are known (None: none). Records of unrelated weights, of another kind of noise
    or of latents, and those that fit exactly (they are no kin but its own) are left out; what fits exactly in
    a source of other people's records is not: nobody has checked it here.
    """
    asked = replace(facts.key() if key is None else key, sampler=None)
    shelves = store if isinstance(store, Sequence) else (store,)
    found: list[Kin] = []
    for match in _related(shelves, asked):
        found.append(Kin(match, facts))
        if len(found) == MOST_KIN:
            break
    return found


def _related(shelves: Sequence[Shelf], key: Key) -> Iterator[Match]:
    for match in matches_on(shelves, key, (), ANY):
        own = match.kind == EXACT and match.origin is None
        other = other_channels(match.record, key.latent_shape)
        if match.kin is not None and not own and not other:
            yield match


def other_channels(record: Record, latent_shape: Sequence[int] | None) -> bool:
    """Whether a record was made for latents of another number of channels, whatever their size."""
    made = record.conditions.latent_shape
    return made is not None and latent_shape is not None and made[:1] != tuple(latent_shape[:1])
