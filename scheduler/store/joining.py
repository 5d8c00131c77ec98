"""What a record keeps of the one whose place in the store it takes: recipes for other runs, and what
goes with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ..lookup.starts import same_start
from ..record import Gram, Recipe, Record

STARTS, LEARNT_STARTS = "starts", "learnt_starts"  # of a record's evidence
NOTE = "note"  # of its provenance: the artist's own words
MOST_PLANS, MOST_STAGES, MOST_STARTS = 100, 1000, 50  # as the schema has them
HIGHER = 1e-6  # relative: a start above another's


def joined(record: Record, before: Record) -> Record:
    """A record with the recipes of an earlier one of the same key for runs that it has none for:
    other step counts, and the starts of image to image; and its note. Its own go first."""
    if NOTE in before.provenance and NOTE not in record.provenance:
        told = record.provenance | {NOTE: before.provenance[NOTE]}
        record = replace(record, provenance=told)
    others = [each for each in before.recipes if not _has(record.recipes, each)]
    if not others:
        return record
    return replace(
        record,
        recipes=(*record.recipes, *others),
        evidence=_evidence(record, before, others),
        provenance=_provenance(record.provenance, before.provenance, record),
        gram=_further(record.gram, before.gram),
    )


def same_run(one: Recipe, other: Recipe) -> bool:
    """Whether two recipes serve the same run."""
    same = (one.sampler, one.steps) == (other.sampler, other.steps)
    shifted = (one.offsets is None) == (other.offsets is None)
    return same and shifted and same_start(one.start_sigma, other.start_sigma)


def _has(recipes: Iterable[Recipe], wanted: Recipe) -> bool:
    return any(same_run(each, wanted) for each in recipes)


def _further(own: Gram | None, before: Gram | None) -> Gram | None:
    """Its own inner products, unless the earlier ones reach higher: those serve more starts."""
    if own is None or before is None:
        return before if own is None else own
    return before if before.sigmas[0] > own.sigmas[0] * (1 + HIGHER) else own


def _evidence(record: Record, before: Record, others: Iterable[Recipe]) -> dict:
    """Its own summary, and what the earlier one says of the starts of the recipes that stay."""
    found = dict(record.evidence)
    starts = [each.start_sigma for each in others]
    for key in (STARTS, LEARNT_STARTS):
        own = found.get(key, [])
        kept = [each for each in before.evidence.get(key, []) if _begins(each, starts)]
        more = [each for each in kept if not _listed(each, own)]
        if more:
            found[key] = [*more, *own][-MOST_STARTS:]
    return found


def _begins(entry: object, starts: Iterable[float]) -> bool:
    start = entry.get("start_sigma") if isinstance(entry, Mapping) else None
    return start is not None and any(same_start(start, each) for each in starts)


def _listed(entry: Mapping, own: Iterable[Mapping]) -> bool:
    """Whether a record says something itself of the same start, or the same strength."""
    name = "denoise" if "denoise" in entry else "start_sigma"
    return any(each.get(name) == entry[name] for each in own)


def _provenance(own: dict, before: dict, record: Record) -> dict:
    """Its own, with the earlier stages, and the plans of step counts that it has none for."""
    counts = {each.steps for each in record.recipes}
    plans = [plan | {"steps": sorted(set(plan["steps"]) - counts)} for plan in _plans(before)]
    plans = [plan for plan in plans if plan["steps"] and plan not in _plans(own)]
    stages = [each for each in before.get("stages", ()) if each not in own.get("stages", ())]
    return own | {
        "plans": [*_plans(own), *plans][:MOST_PLANS],
        "stages": [*stages, *own.get("stages", ())][-MOST_STAGES:],
    }


def _plans(provenance: dict) -> list[dict]:
    return list(provenance.get("plans", ()))
