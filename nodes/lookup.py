"""What a graph on a MODEL gets: the library's one selection, asked with what ComfyUI knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..scheduler.errors import RecipeError, UnknownNameError
from ..scheduler.lookup import words
from ..scheduler.lookup.given import given_match
from ..scheduler.lookup.match import STORE
from ..scheduler.lookup.model_facts import ModelFacts
from ..scheduler.lookup.selection import STOCK, Selection, select
from ..scheduler.lookup.serving import NO_RULE, OWN_STEPS
from ..scheduler.lookup.wanted import COEFFICIENTS, SIGMAS, Wanted
from ..scheduler.record import Record
from ..scheduler.sources import beside
from .host.model_facts import facts_of
from .host.picture_records import attach
from .host.store import store
from .host.workflow_records import WorkflowRecords

IF_MISSING = ("stock", "error")


def find(
    model: Any,
    sampler: str | None,
    steps: int,
    denoise: float = 1.0,
    start_sigma: float | None = None,
    record: Record | None = None,
    offsets: bool = True,
    if_missing: str = "stock",
    cfg: float | None = None,
    latent_shape: Sequence[int] | None = None,
    guidance: float | None = None,
    before: str | None = None,
) -> Selection:
    """The recipe for a sampler (the host's name; None: the record's default) and N steps.

    model: a MODEL, or its ModelFacts. record: the only one to be used; without it the store's, else
    those that the workflow carries. denoise: where start_sigma is None, the start is the model's
    sigma at that part of its clock. offsets: whether the caller can carry more than sigmas. cfg,
    guidance, latent_shape: None where the caller cannot know them. before: the stock scheduler that a
    node had before ours was put in its place. Raises RecipeError (nothing
    serves and if_missing is "error"; another model's record), SigmaRangeError, StepsError.
    """
    if if_missing not in IF_MISSING:
        raise UnknownNameError(
            f"if_missing is {if_missing!r}; use one of: {', '.join(IF_MISSING)}."
        )
    facts = model if isinstance(model, ModelFacts) else facts_of(model)
    carries = COEFFICIENTS if offsets else SIGMAS
    wanted = Wanted.of(facts, sampler, steps, denoise, start_sigma, carries)
    key = facts.key(cfg, latent_shape, guidance)
    given = given_match(record, key) if record is not None else None
    found = select(wanted, facts, key, given, shelves(), before=before)
    if found.match is not None and found.match.place == STORE:
        attach(found.match.record, found.match.name)
    if found.source == STOCK and if_missing == "error":
        raise RecipeError(_with_cure(found))
    return found


def shelves() -> tuple:
    """Where records lie: the store, what the workflow carries, and the sources, to be named: nobody has
    checked what these have on the model at hand."""
    return store(), WorkflowRecords(), beside(store().folder)


def _with_cure(found: Selection) -> str:
    """Why no recipe serves, and what to do."""
    assert found.reason is not None
    cure = "set if_missing to stock"
    if found.reason.code not in (NO_RULE, OWN_STEPS):
        cure += ", or distil with Distill Schedule"
    return f"{words.reason(found.reason).rstrip('.')}; {cure}."
