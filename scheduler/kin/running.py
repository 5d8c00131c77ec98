"""One run that begins with a kin's recipe, on the machinery of a distillation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..distilling.experiments import Experiments
from ..distilling.run import Run
from ..distilling.searches import Search
from ..distilling.wishes import Wish
from ..fit.candidate import DISTILLED
from ..record import Recipe, Record
from ..record.provenance import KIN
from ..record.verdict_words import CHECKED
from .finding import Kin
from .searching import KinSearch
from .strangers import WAY, goes_another_way, stranger
from .verdict import KinVerdict


class KinRun(Run):
    """A run for one sampler and step count. kin, recipe: whose, and what it has for that. about: the kin,
    for the record."""

    kin: Kin
    recipe: Recipe
    about: Mapping = {}
    refused: KinVerdict | None = None  # of one that turns out to be a stranger

    def check(self) -> KinVerdict:
        """The check alone."""
        why = stranger(self.kin, self.request.latent_shape)
        if why:
            return KinVerdict.of_stranger(why)
        made = self.taught()
        self.meter.phase = self.recipe.sampler
        search = self.search(made, wish_of(self.recipe))
        if self.refused is None:
            search.begin()
        self.searches.append(search)
        return self.verdict

    @property
    def verdict(self) -> KinVerdict:
        if self.refused is not None:
            return self.refused
        (search,) = self.searches
        assert isinstance(search, KinSearch) and search.verdict is not None
        return search.verdict

    def search(self, made: Experiments, wish: Wish) -> Search:
        """One that begins with the kin's recipe; a stranger's is left out of it."""
        why = stranger(self.kin, self.request.latent_shape)
        if not why and goes_another_way(self.kin, made.gram):
            why = WAY
        if why:
            self.refused = KinVerdict.of_stranger(why, self._spent())
            return super().search(made, wish)
        account = self._spent, self.affords_calls
        return KinSearch(made, wish, self.searches, self.recipe, *account, self.kin.known)

    def found(self) -> list[Recipe]:
        """One that holds was not fitted to these rows, but checked on them."""
        recipes = super().found()
        if not self.verdict.holds:
            return recipes
        rows = {CHECKED: self.verdict.rows}
        return [replace(each, evidence=each.evidence | {"rows": rows}) for each in recipes]

    def made_of(self, *about) -> Record:
        """With where its recipe is from, and how that was checked."""
        record = super().made_of(*about)
        kin = [*record.provenance.get(KIN, ()), {**self.about, **self.verdict.data}]
        return replace(record, provenance=record.provenance | {KIN: kin})

    def affords_calls(self, calls: int) -> bool:
        """Whether so many more, of each row, are within the plan."""
        return self._spent() + calls * self.rows <= self.plan.calls

    def _spent(self) -> int:
        return self.meter.done + self.parts.earlier


def wish_of(recipe: Recipe) -> Wish:
    """What a recipe is checked as."""
    shifted = recipe.sampler == DISTILLED or recipe.offsets is not None
    return Wish(recipe.sampler, recipe.steps, shifted)
