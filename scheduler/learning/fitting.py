"""The recipe that comes of recorded runs, or of a stated number of model calls, and its place in the
store."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import torch

from ..denoiser import Denoiser
from ..distilling.effort import INSTANT, budget_for
from ..distilling.improve import improve
from ..distilling.meter import Progress
from ..distilling.own_run import distill_own_run, own_calls
from ..distilling.plan import plan_for
from ..distilling.run import distill
from ..errors import BudgetError, OutputError, RecordError, UnknownNameError
from ..kin import Kin, KinVerdict, find_kin
from ..kin.learning import learn_from_kin
from ..kin.planning import calls_of_check
from ..kin.words import apart
from ..lookup.match import EXACT
from ..record import Recipe, Record
from ..record.cfg_range import stamped, with_checks_from
from ..recordings import Recording
from ..samplers.names import DISTILLED
from ..sources import beside
from ..store import Store
from ..store.joining import joined, same_run
from .choosing import OfItsKind, base_record, fitted
from .former import keep_former
from .full_run import FULL_STEPS
from .situation import Situation
from .unfinished import answers_folder, finished, is_begun

# Of the first recipe, for one run: its three starts and three to four runs more, 39 calls at 6 steps.
# On the bundled flow checkpoint the error is 9 % less than with 30 calls, and 20 % more than with 72.
CALLS_A_STEP = 6.5
MOST_NOW = 97  # "under a hundred" with the calls that tell the time
ELEMENTS = 1 << 16  # of a latent, where none is known
MOST_ROWS = 2  # runs that a recipe is fitted to at once

_putting = threading.Lock()


@dataclass(frozen=True)
class Learnt:
    """record: with the new recipe. recipe: the new one, or what stayed (changed: False). calls: model
    calls made. problem: why it could not be put into the store, or "". kin: what a check of a related
    model's recipe found, where it began with one; kin_title: whose; kin_own: where it was
    made and what runs, of the very model's (kin/words.py). full_steps: of a run in full."""

    record: Record
    recipe: Recipe
    calls: int
    changed: bool = True
    problem: str = ""
    kin: KinVerdict | None = None
    kin_title: str = ""
    kin_own: tuple[str, str] | None = None
    full_steps: int = FULL_STEPS

    @property
    def ours(self) -> bool:
        """Whether a recipe of ours has beaten stock on the rows that it was fitted to."""
        return self.recipe.choice.ours

    @property
    def pays_after(self) -> int | None:
        """After how many pictures the calls are earned back beside runs in full."""
        saved = self.full_steps - self.recipe.steps
        return -(-self.calls // saved) if saved > 0 else None


def calls_own(situation: Situation) -> int:
    """The most model calls of a recipe in fewer steps than a step-distilled model's own run."""
    return own_calls(len(situation.own_sigmas) - 1, situation.steps)


def calls_from(recordings: int, steps: int, elements: int = ELEMENTS, below: bool = False) -> int:
    """The most model calls of a recipe fitted to so many recorded rows, as its plan has them. elements: of
    a latent. below: the recipe begins below where the recordings do."""
    budget = int(CALLS_A_STEP * steps) * max(recordings, 1)
    return _planned(steps, budget, elements, max(recordings, 1), below)


def calls_now(steps: int, elements: int = ELEMENTS) -> int:
    """The most model calls of a recipe with a teacher of its own."""
    budget = min(MOST_NOW, budget_for(INSTANT, (DISTILLED,), (steps,)))
    return _planned(steps, budget, elements, 0, False)


def _planned(steps: int, budget: int, elements: int, recorded: int, below: bool) -> int:
    try:
        plan = plan_for((DISTILLED,), (steps,), budget, 1, None, elements, recorded, None, below)
    except BudgetError:  # which says itself what is needed, when it is tried
        return budget
    return plan.calls


def calls_to_learn(situation: Situation, rows: int, steps: int | None = None) -> int:
    """The same of a situation, with so many recorded rows from its start, or with none. steps: where it
    does not know them yet."""
    steps = steps or situation.steps
    elements = (
        math.prod(situation.key.latent_shape or ()) if situation.key.latent_shape else ELEMENTS
    )
    return calls_from(rows, steps, elements) if rows else calls_now(steps, elements)


def kin_of(store: Store, situation: Situation) -> Kin | None:
    """The nearest related model's record, in the store or in a source, with a recipe that learning can
    begin with; None where the store has recipes of these very conditions, or there is no kin's."""
    if situation.own_run is not None or base_record(store, situation) is not None:
        return None
    places = beside(store.folder), store
    shelves = [OfItsKind(each, situation) for each in places]
    found = [kin for shelf in shelves for kin in find_kin(shelf, situation.facts, situation.key)]
    # What a source has of these very weights and conditions comes first: one check, and it serves.
    found.sort(key=lambda each: (each.match.kind != EXACT, each.match.origin is not None))
    steps, start = situation.steps, situation.start
    return next((each for each in found if each.recipe(steps, start) is not None), None)


def calls_from_kin(recordings: int, situation: Situation) -> int:
    """The model calls of a check of a kin's recipe: all that is paid where it holds. recordings: rows of
    them, 0 for a teacher of its own."""
    below = situation.start is not None and not recordings
    return calls_of_check(situation.steps, recordings, below)


def kept_runs(store: Store, situation: Situation, prompt: str | None) -> list[Recording]:
    """The newest kept runs from this start that the model at hand can be asked about: those of the
    same prompt."""
    return _runs_from(store, situation, prompt)[:MOST_ROWS]


def runs_to_go_on(store: Store, situation: Situation, prompt: str | None) -> list[Recording]:
    """The runs to learn from where the newest has just been kept: that one, and after a fit that gained
    nothing the one before it, too. While learning that was stopped has answers to go on with, its own
    runs: the newest waits for the next time."""
    found, record = _runs_from(store, situation, prompt), base_record(store, situation)
    again = record is not None and bool(fitted(record, situation))
    rows = MOST_ROWS if again else 1
    waits = len(found) > 1 and is_begun(store, situation, prompt)
    return found[1 : rows + 1] if waits else found[:rows]


def _runs_from(store: Store, situation: Situation, prompt: str | None) -> list[Recording]:
    """All kept runs of a prompt from the situation's start, the newest first."""
    if prompt is None or situation.key.fingerprint is None or situation.own_sigmas:
        return []
    found = store.recordings(situation.key, prompt)
    return [each for each in found if situation.starts_at(each.start_sigma)]


def learn(
    store: Store,
    situation: Situation,
    denoise: Denoiser,
    recordings: Sequence[Recording] = (),
    progress: Progress | None = None,
    prompt: str | None = None,
) -> Learnt:
    """The recipe of a situation: from recorded runs, or with a teacher of its own.

    What the store has of these conditions is added to. The record is put whenever it is better.
    prompt: as of recordings; where learning is stopped, the next of that prompt goes on with the
    calls made. Raises what `distill` does.
    """
    rows = sum(each.rows for each in recordings)
    work = _Work(store, situation, progress, prompt=prompt)
    if situation.own_sigmas:
        return work.own_run(denoise, recordings)
    return work.run(denoise, calls_to_learn(situation, rows), recordings)


def improved(
    store: Store,
    situation: Situation,
    record: Record,
    denoise: Denoiser,
    calls: int,
    kept: Sequence[Recording] = (),
    progress: Progress | None = None,
    prompt: str | None = None,
) -> Learnt:
    """A record improved with so many model calls: on rows of its own where these are affordable, else
    on the kept runs of this prompt. Raises what `improve` does."""
    work = _Work(store, situation, progress, record, prompt)
    try:
        return work.run(denoise, calls, ())
    except BudgetError:
        if not kept:
            raise
    return work.run(denoise, calls, kept)


class _Work:
    """One fit. before: the record that is added to, or None for the store's."""

    def __init__(
        self,
        store: Store,
        situation: Situation,
        progress: Progress | None,
        before: Record | None = None,
        prompt: str | None = None,
    ):
        self.store, self.situation, self.prompt = store, situation, prompt
        self.before = base_record(store, situation) if before is None else before
        self.calls, self.problem = 0, ""
        self.of_kin: dict[str, Any] = {}  # what Learnt says of it
        self._progress = progress

    def run(self, denoise: Denoiser, budget: int, recordings: Sequence[Recording]) -> Learnt:
        here = self.situation
        folder = answers_folder(self.store, here, self.prompt)
        options: dict = {
            "resume": folder,
            "budget": budget,
            "recordings": tuple(recordings),
            "steps": here.steps,
            "samplers": (DISTILLED,),
            "start_sigma": here.start,
            "device": torch.device("cpu"),
            "progress": self._heard,
            "on_record": self._put,
        }
        if self.before is None:
            record = self._first(denoise, options)
        else:
            record = improve(self.before, denoise, **options)
        record = self._put(record)
        finished(folder)
        recipe = record.recipe(DISTILLED, here.steps, here.start)
        changed = self.before is None or recipe not in self.before.recipes
        return Learnt(record, recipe, self.calls, changed, self.problem, **self.of_kin)

    def own_run(self, denoise: Denoiser, recordings: Sequence[Recording]) -> Learnt:
        """Fewer steps than a step-distilled model's own run."""
        here, key = self.situation, self.situation.key
        assert key.latent_shape is not None
        record = distill_own_run(
            denoise,
            key.latent_shape,
            here.own_sigmas,
            here.steps,
            here.facts.sigma_max,
            here.facts.sigma_min,
            here.facts.process,
            conditions=here.facts.conditions(key, prompts=1),
            samples=1,
            progress=self._heard,
            recordings=tuple(recordings),
        )
        record = self._put(joined(record, self.before) if self.before is not None else record)
        recipe = record.recipe(DISTILLED, here.steps)
        own = len(here.own_sigmas) - 1
        return Learnt(record, recipe, self.calls, True, self.problem, full_steps=own)

    def _first(self, denoise: Denoiser, options: dict) -> Record:
        kin = kin_of(self.store, self.situation)
        return (
            self._anew(denoise, options) if kin is None else self._from_kin(kin, denoise, options)
        )

    def _from_kin(self, kin: Kin, denoise: Denoiser, options: dict) -> Record:
        here = self.situation
        names = ("resume", "budget", "recordings", "device", "progress", "on_record")
        how = {name: options[name] for name in names}
        found = learn_from_kin(kin, denoise, here.key, here.steps, here.start, **how)
        self.of_kin = {"kin": found.verdict, "kin_title": kin.title, "kin_own": apart(kin)}
        if found.noted is None:
            return found.record
        noted = self._noted(kin.match.name, found.noted)
        return noted if found.verdict.holds else found.record

    def _noted(self, name: str, record: Record) -> Record:
        """The kin's record as it is by now, with the check; not kept, it is only checked again."""
        with suppress(OutputError, RecordError, UnknownNameError), _putting:
            record = with_checks_from(self.store.load(name), record)
            self.store.put(record)
        return record

    def _anew(self, denoise: Denoiser, options: dict) -> Record:
        facts, key = self.situation.facts, self.situation.key
        assert key.latent_shape is not None
        return distill(
            denoise,
            key.latent_shape,
            facts.sigma_max,
            facts.sigma_min,
            facts.process,
            conditions=facts.conditions(key, prompts=1),
            evidence_budget=0,
            **options,
        )

    def _heard(self, done: int, planned: int, phase: str) -> None:
        self.calls = done
        if self._progress is not None:
            self._progress(done, planned, phase)

    def _put(self, record: Record) -> Record:
        """The record as the store has it now; where it cannot be kept, as it is."""
        about = self.situation.facts.provenance
        record = replace(record, provenance=record.provenance | about) if about else record
        if self.before is not None:  # of a cfg near this one
            record = stamped(record, self.before, self.situation.key.cfg)
        try:
            with _putting:
                whole = _with_others(self.store, self.situation, self.before, record)
                if self.before is not None:
                    keep_former(self.store, self.situation, self.before, whole)
                self.store.put(whole)
        except (OutputError, RecordError) as problem:
            self.problem = str(problem)
            return record
        return whole


def _with_others(
    store: Store, situation: Situation, before: Record | None, record: Record
) -> Record:
    """A record with the recipes that somebody else has put beside `before` meanwhile."""
    there = base_record(store, situation)
    if there is None or there is before:
        return record
    known = set(before.recipes) if before is not None else set()
    mine = [each for each in record.recipes if each not in known]
    others = [each for each in there.recipes if not any(same_run(each, own) for own in mine)]
    if not others:
        return record
    kept = [each for each in record.recipes if not any(same_run(each, o) for o in others)]
    gram = record.gram if record.gram is not None else there.gram
    return replace(record, recipes=(*kept, *others), gram=gram)
