"""`improve`: goes on from any record, with new rows or recordings, further step counts, another start.

What the record has is run among the starts, so that on the new rows nothing gets worse; a recipe is
replaced only where its successor beats it there by the guard's rule, with the wider margin of rows
that the successor was fitted to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch

from ..denoiser import Denoiser
from ..errors import RecordError, Stopped
from ..files import PathLike
from ..fit.candidate import Candidate, candidate_of
from ..record import SAME_START, Gram, Recipe, Record
from ..record.provenance import RECORDING
from ..recordings import Recording
from ..search.gram import merge
from .experiments import Experiments
from .guard import wins
from .meter import Meter, Progress
from .plan import Plan
from .planning import affordable, plan_request
from .recordings import check_usable, grouped, start_of
from .request import checked_denoisers, request_of
from .resume import FinishedParts
from .run import Run, key_of
from .searches import Search
from .wishes import Wish

NEW_SEED = 10_007  # added to the seed for each stage of recording: rows that no fit has seen


def improve(
    record: Record,
    denoise: Denoiser | Sequence[Denoiser],
    budget: int | None = None,
    recordings: Sequence[Recording] = (),
    steps: Sequence[int] | int | None = None,
    start_sigma: float | None = None,
    samplers: Sequence[str] | str | None = None,
    effort: str = "instant",
    samples: int | None = None,
    seed: int | None = None,
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
    resume: PathLike | None = None,
    on_plan: Callable[[Plan], None] | None = None,
    on_record: Callable[[Record], None] | None = None,
) -> Record:
    """A better record: the given one is left as it is.

    denoise: the record's model, as for `distill`. budget: most model calls (None: the effort's).
    recordings: runs to learn from in place of new rows of a teacher. steps, samplers: of these (None:
    what the record holds from this start, or the first of them); those that it lacks are added.
    start_sigma: where recipes begin (None: where the recordings did, else the model's top). seed: of
    the new rows (None: one that the record has not used). The others as for `distill`.

    Recipes that nothing beats stay as they are, evidence included. Raises RecordError for a record
    that does not say its latent's shape, and what `distill` raises; Stopped carries the record as
    it stood by then.
    """
    conditions, model = record.conditions, record.model
    if conditions.latent_shape is None:
        raise RecordError(
            "This record does not say the shape of its latents, so nothing can be added to it; "
            "distil anew."
        )
    runs, denoisers = (
        grouped(recordings, checked_denoisers(denoise)) if recordings else ((), denoise)
    )
    if recordings and start_sigma is None:
        start_sigma = start_of(runs, model.sigma_max)
    kept = _kept(record, start_sigma or model.sigma_max)
    request = request_of(
        denoisers,
        conditions.latent_shape,
        model.sigma_max,
        model.sigma_min,
        model.parametrisation,
        samplers=samplers or list(dict.fromkeys(each.sampler for each in kept)) or "distilled",
        steps=sorted({each.steps for each in kept}) or 6 if steps is None else steps,
        shift=conditions.shift,
        seed=_unused_seed(record) if seed is None else seed,
        start_sigma=start_sigma,
        noise_scale=conditions.noise_scale,
        streams=conditions.streams,
    )
    check_usable(request, runs)
    request, runs = affordable(request, runs, budget) if runs else (request, runs)
    plan = plan_request(request, budget, 0, samples, effort, runs)
    meter = Meter(plan.calls, progress, should_stop)
    parts = FinishedParts(resume, key_of(request, plan), lambda: meter.done)
    meter.restored = lambda: parts.earlier
    if on_plan is not None:
        on_plan(plan)
    run = _Improving(request, conditions, plan, meter, parts, torch.device(device), on_record, runs)
    run.before, run.kept = record, kept
    try:
        return run.whole(None, every=False)
    except Stopped as stop:
        stop.record = stop.record or record
        raise


class _Improving(Run):
    """A run whose finds are merged into an earlier record. kept: its recipes from this start."""

    before: Record
    kept: Sequence[Recipe]

    def given(self, wish: Wish) -> Sequence[Candidate]:
        """The record's own recipe for a wish, as a candidate."""
        return [
            candidate_of(each)
            for each in self.kept
            if (each.sampler, each.steps) == (wish.sampler, wish.steps)
            and each.choice.ours
            and (each.offsets is not None) == wish.shifted
            and self.affords(wish)
        ]

    def made_of(
        self,
        made: Experiments | None,
        recipes: Sequence[Recipe],
        searches: Sequence[Search],
        summary: dict,
    ) -> Record:
        """The earlier record with what is better, and what is new."""
        merged = {_identity(each): each for each in self.before.recipes}
        changed = set()
        for recipe in recipes:
            name = _identity(recipe)
            if name not in merged or _beaten(searches, recipe, merged[name]):
                merged[name] = recipe
                changed.add(name)
        fresh = super().made_of(made, recipes, searches, summary)
        return replace(
            self.before,
            recipes=tuple(merged.values()),
            evidence=_evidence_without(self.before.evidence, changed),
            provenance=_provenance(self.before.provenance, fresh.provenance),
            gram=_gram(self.before, made),
        )


def _beaten(searches: Sequence[Search], recipe: Recipe, before: Recipe) -> bool:
    """Whether a recipe is to take the place of an earlier one, which was run beside it."""
    if not before.choice.ours:
        return recipe.choice.ours
    if not recipe.choice.ours:
        return False  # one set of rows is no reason to drop what was proved on others
    search = next(
        each
        for each in searches
        if (each.wish.sampler, each.wish.steps) == (recipe.sampler, recipe.steps)
        and each.wish.shifted == (recipe.offsets is not None)
    )
    old, new = search.errors_of(before), search.ours
    if old is None or new is None:
        return False
    return bool(wins(new.errors, old, search.made.unseen))


def _kept(record: Record, start_sigma: float) -> list[Recipe]:
    return [
        each for each in record.recipes if abs(each.start_sigma / start_sigma - 1) <= SAME_START
    ]


def _identity(recipe: Recipe) -> tuple:
    start = float(f"{recipe.start_sigma:.4g}")
    return recipe.sampler, recipe.steps, start, recipe.offsets is not None


def _unused_seed(record: Record) -> int:
    stages = record.provenance.get("stages", ())
    recorded = sum(each.get("stage") == RECORDING for each in stages)
    return (record.conditions.seed or 0) + NEW_SEED * max(recorded, 1)


def _evidence_without(evidence: dict, changed: set[tuple]) -> dict:
    """A record's summary without the points of recipes that are others now."""
    if not changed:
        return evidence
    counts = {str(steps) for _, steps, _, _ in changed}
    found = dict(evidence)
    for name in ("curve",):
        curves = evidence.get(name, {})
        found[name] = {
            key: {n: error for n, error in curve.items() if str(n) not in counts}
            for key, curve in curves.items()
        }
    for name in ("knee", "recommendation"):
        found.pop(name, None)
    return found


def _provenance(before: dict, new: dict) -> dict:
    """The earlier provenance, with the calls, the plan and the stages of now."""
    found = dict(before)
    for name in ("model_calls", "evidence_calls", "seconds"):
        found[name] = before.get(name, 0) + new.get(name, 0)
    found["plans"] = [*new.get("plans", ()), *before.get("plans", ())]  # the newest first
    found["stages"] = [*before.get("stages", ()), *new.get("stages", ())]
    return found


def _gram(before: Record, made: Experiments | None) -> Gram | None:
    """Both teachers' inner products where they are on one grid, else those that reach higher, of
    more rows."""
    if made is None:
        return before.gram
    old, new = before.gram, made.gram
    if old is None or new.sigmas[0] > old.sigmas[0] * (1 + 1e-6):
        return new
    return merge([old, new]) if np.array_equal(old.sigmas, new.sigmas) else old
