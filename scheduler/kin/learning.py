"""`learn_from_kin`: a model's first recipe from a related one's: used where it holds, refined where not,
and learnt from the beginning where it is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from ..denoiser import Denoiser
from ..distilling.meter import Meter, Progress
from ..distilling.plan import Plan
from ..distilling.planning import affordable
from ..distilling.recordings import check_usable, grouped
from ..distilling.request import checked_denoisers
from ..distilling.resume import FinishedParts
from ..distilling.run import key_of, settled_conditions
from ..files import PathLike
from ..fingerprint.kinship import SAME
from ..lookup.differences import CFG
from ..lookup.key import Key
from ..lookup.words import origin_words
from ..record import Recipe, Record, now
from ..record.cfg_range import with_check
from ..recordings import Recording
from ..version import VERSION
from .checking import CHECK_SEED, recipe_of, request_to_check
from .finding import Kin
from .planning import plan_of_learning
from .running import KinRun
from .verdict import KinVerdict


@dataclass(frozen=True)
class FromKin:
    """record: with the model's recipe: a new one, or the kin's own, where it is of the very weights and
    holds at another cfg. verdict: of the check. noted: the kin's own record with that check in it, to be kept
    in its place; None where there is nothing to note."""

    record: Record
    verdict: KinVerdict
    noted: Record | None = None


def learn_from_kin(
    kin: Kin,
    denoise: Denoiser,
    key: Key,
    steps: int,
    start: float | None = None,
    recordings: Sequence[Recording] = (),
    budget: int | None = None,
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
    resume: PathLike | None = None,
    on_plan: Callable[[Plan], None] | None = None,
    on_record: Callable[[Record], None] | None = None,
) -> FromKin:
    """The recipe of `distilled` for a model in so many steps, beginning with its kin's.

    denoise: the model at hand under `key`'s conditions. recordings: runs that it drew; none: a short teacher
    of its own. budget: most model calls where the recipe does not hold (None: the check and REFINED further
    runs); the check itself costs `calls_of_check`. The others as for `distill`. Raises RecipeError where the
    kin has no recipe for that, and what `distill` raises.
    """
    recipe = recipe_of(kin, steps, start)
    assert key.latent_shape is not None  # what is drawn has a size
    runs, denoisers = (
        grouped(recordings, checked_denoisers(denoise)) if recordings else ((), denoise)
    )
    request = request_to_check(recipe, denoisers, kin.model, key.latent_shape, CHECK_SEED)
    check_usable(request, runs)
    request, runs = affordable(request, runs, budget) if runs else (request, runs)
    plan = plan_of_learning(request, recipe, runs, budget)
    conditions = settled_conditions(request, kin.model.conditions(key, prompts=1))
    meter = Meter(plan.calls, progress, should_stop)
    parts = FinishedParts(resume, key_of(request, plan), lambda: meter.done)
    meter.restored = lambda: parts.earlier
    if on_plan is not None:
        on_plan(plan)
    widens = _widens(kin)
    heard = None if widens else on_record
    run = KinRun(request, conditions, plan, meter, parts, torch.device(device), heard, runs)
    run.kin, run.recipe, run.about = kin, recipe, about(kin, recipe)
    record = run.whole(None, every=False)
    return _found(kin, key, record, run.verdict) if widens else FromKin(record, run.verdict)


def about(kin: Kin, recipe: Recipe) -> dict:
    """What a record says of the kin that its recipe is from; the check is added to it."""
    there = kin.record
    assert kin.match.kin is not None
    told = {
        "name": kin.match.title[:300],
        "source": kin.match.origin and origin_words(kin.match.origin)[:400],
        "fingerprint": there.model.fingerprint,
        "kinship": kin.kinship,
        "alike": kin.match.kin.alike,
        "cfg": there.conditions.cfg,
        "latent_shape": there.conditions.latent_shape and list(there.conditions.latent_shape),
        "patches": [f"{each['name']} at {each['strength']:g}" for each in there.model.patches][:20],
        "sampler": recipe.sampler,
        "steps": recipe.steps,
        "created": now(),
        "version": VERSION,
    }
    return {name: value for name, value in told.items() if value is not None}


def _widens(kin: Kin) -> bool:
    """Whether the kin is the model itself at another cfg, and its record lies where it may be changed."""
    other = [each.code for each in kin.differences]
    ours = bool(kin.match.name) and kin.match.origin is None
    return kin.kinship == SAME and other == [CFG] and ours


def _found(kin: Kin, key: Key, record: Record, verdict: KinVerdict) -> FromKin:
    """The kin's record with the check noted; a new one beside it where that failed."""
    there, (made,) = kin.record, record.recipes
    recipe = there.recipe(made.sampler, made.steps, made.start_sigma)
    assert key.cfg is not None
    noted = with_check(there, recipe, key.cfg, verdict.data)
    return FromKin(noted if verdict.holds else record, verdict, noted)
