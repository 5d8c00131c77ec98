"""--to vendor: a step-distilled model gets the sigmas that its maker published, in core's own nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .baked import to_baked
from .document import Document
from .facts import SiteFacts, facts_of
from .outcome import Done, Left, Outcome, tried
from .sites import Site

if TYPE_CHECKING:
    from ..record import Record


def to_vendor(document: Document, site: Site) -> Outcome:
    """Bake the preset of a site's model, or leave it and say why."""
    found: list[Record] = []

    def change() -> Done:
        found.append(_preset(site, facts_of(document, site)))
        return Done("baked", "")

    tried_first = tried(site.node, "baked", change)
    return to_baked(document, site, found[0], anyway=True) if found else tried_first


def _preset(site: Site, facts: SiteFacts) -> Record:
    """The preset of the model that a site runs; raises Left where none is for it."""
    from ..fingerprint.step_distilled import detect
    from ..presets import preset  # numpy: for this target alone
    from ..record.counts import ranges

    if "text" in site.spec:
        raise Left("no_gain", "it has explicit sigmas already, which may be its maker's own")
    advice = detect(facts.files)
    if advice is None:
        raise Left(
            "no_recipe",
            "nothing in its files' names says that its model is step-distilled, and only such models "
            "have sigmas of their maker's",
        )
    if advice.preset is None:
        raise Left("no_recipe", f"no sigmas are known here that its maker published: {advice.text}")
    record = preset(advice.preset)
    known = {recipe.steps for recipe in record.recipes}
    if facts.steps not in known:
        raise Left(
            "no_recipe",
            f"the maker's sigmas ({record.model.name}) are for {ranges(known)} steps, and "
            f"{facts.steps} run here; set its steps to one of those first",
        )
    return record
