"""One picture on its way: decided, drawn, kept, learnt from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..counted import counted
from ..denoiser import Denoiser
from ..distilling.meter import Progress
from ..errors import RecordingError, StepDistillError
from ..kin.words import apart
from ..lookup.match import Match
from ..lookup.selection import Selection
from ..lookup.shelves import Shelf
from ..lookup.starts import at_start
from ..record.verdict_words import answers_at_once
from ..recordings import Recording
from ..store import Store
from . import deciding
from .again import drawn_before, drawn_so
from .at_hand import not_learnt_from
from .bend import MOST as MOST_STEPS
from .bend import bend_of
from .choosing import (
    AT_ONCE,
    NAME_ITS_RUN,
    OneRecord,
    base_record,
    chosen,
    fitted,
    recognised,
    settled,
)
from .deciding import Decision, Obstacle, decide
from .fitting import (
    Learnt,
    calls_from_kin,
    calls_own,
    calls_to_learn,
    improved,
    kept_runs,
    kin_of,
    learn,
)
from .full_run import full_run
from .host import Handed, Host
from .keeping import unwritable
from .modes import FROM_PICTURES
from .outcome import Announcement, Outcome
from .situation import AT_THE_BEND, Situation
from .unharmed import unharmed

NOTHING_TO_IMPROVE = "There is no recipe of this model to improve yet."
NOTHING_LEFT = (
    "Its maker's noise levels are few, and all of them were tried: nothing is left to improve."
)
STOPPED = "Improving was stopped; the recipe stays as it was."
STOPPED_BETTER = "Improving was stopped; the better recipe that it had found by then draws."
ROWS = 1  # of a batch that are recorded: one picture brings a recipe, and what it costs


@dataclass(frozen=True)
class Source:
    """Where recipes come from."""

    store: Store
    carried: tuple[Shelf, ...]
    given: Match | None
    newest: bool
    before: str = ""  # how this very picture was drawn (again.py)

    def settled(self, situation: Situation) -> Situation:
        own = (self.store,)
        shelves = (*own, *self.carried) if self.newest else (*self.carried, *own)
        return settled(situation, shelves, self.given)

    def chosen(self, situation: Situation) -> Selection | None:
        """What is there for a picture; None where its steps are not known yet."""
        if situation.steps == AT_THE_BEND:
            return None
        return chosen(situation, (self.store,), self.carried, self.given, self.newest)


class Picture:
    """One picture on its way."""

    def __init__(
        self,
        host: Host,
        source: Source,
        situation: Situation,
        mode: str,
        obstacle: Obstacle | None,
    ):
        self.host, self.store, self.source = host, source.store, source
        self.mode, self.obstacle = mode, obstacle
        self.situation = source.settled(recognised(situation, source.store))

    def made(self, improve_calls: int, handed: Handed | None) -> tuple[Any, Outcome]:
        """The picture, handed over where it was drawn in full before its learning was stopped."""
        again = drawn_so(self.situation, self.source.before, self.source.carried)
        if again is not None and not improve_calls:
            return self._drawn(Decision(deciding.AS_FOUND, obstacle=drawn_before()), again, 0)
        found = self.source.chosen(self.situation)
        decision = self.decided(found)
        there = None if handed is None else self._at_hand(decision, handed)
        news = self._news(decision)
        drawn, outcome = there or self._drawn(decision, found, improve_calls)
        return drawn, replace(outcome, news=news)

    def _at_hand(self, decision: Decision, handed: Handed) -> tuple[Any, Outcome] | None:
        learns = decision.learns or decision.action == deciding.LEARN_FIRST
        if self.mode != FROM_PICTURES or not learns:
            return None
        full = full_run(self.situation)
        runs = not_learnt_from(self.store, self.situation, self._kept_runs(), full)
        picture = handed(full, runs) if runs else None
        if picture is None:
            return None
        return picture, Outcome(Decision(deciding.AT_HAND), self.situation, full)

    def _drawn(
        self, decision: Decision, found: Selection | None, improve_calls: int
    ) -> tuple[Any, Outcome]:
        if decision.action == deciding.LEARN_FIRST:
            return self._learn_first(decision)
        if decision.action == deciding.IN_FULL:
            return self._in_full(decision)
        assert found is not None
        own = bool(self.situation.own_sigmas)
        if improve_calls and decision.action == deciding.FEW and not own:
            return self._improve_first(decision, found, improve_calls)
        self.host.tell(self.foretold(decision, found))
        nothing = NOTHING_LEFT if own else NOTHING_TO_IMPROVE
        problem = nothing if improve_calls else ""
        outcome = Outcome(decision, self.situation, found, problem=problem)
        return self.host.draw(found, None), outcome

    def foretold(self, decision: Decision, found: Selection | None) -> Announcement:
        """What is about to happen after a decision, of a recipe that was found."""
        if decision.action == deciding.LEARN_FIRST:
            rows = sum(each.rows for each in self._kept_runs())
            return self._announced(decision, self.situation.steps, self._planned(rows), rows=rows)
        if decision.action == deciding.IN_FULL:
            steps = full_run(self.situation).recipe.steps
            planned = self._planned(ROWS) if decision.learns else 0
            return self._announced(decision, steps, planned, rows=ROWS)
        assert found is not None
        return self._announced(decision, found.recipe.steps, found=found)

    def decided(self, found: Selection | None) -> Decision:
        first = decide(self.situation, found, self.mode, False, self.obstacle)
        if not first.learns and first.action != deciding.LEARN_FIRST:
            return first
        stuck = unwritable(self.store)
        if stuck is not None:
            return decide(self.situation, found, self.mode, False, stuck)
        return decide(self.situation, found, self.mode, bool(self._kept_runs()))

    def _kept_runs(self) -> list[Recording]:
        return kept_runs(self.store, self.situation, self.host.prompt())

    # --- the ways ---

    def _in_full(self, decision: Decision) -> tuple[Any, Outcome]:
        """Drawn in full; then its run is kept and learnt from."""
        full = full_run(self.situation)
        self.host.tell(self.foretold(decision, None))
        if not decision.learns:
            return self.host.draw(full, None), Outcome(decision, self.situation, full)
        recording = self._recording(full)
        picture = self.host.draw(full, recording)
        return picture, self._learnt_from(decision, full, recording)

    def _learnt_from(self, decision: Decision, full: Selection, recording: Recording) -> Outcome:
        """What was learnt from a picture that is drawn; an interruption ends this and not the picture."""
        try:
            unharmed(lambda: self._keep(recording), self.host.interruption)
        except StepDistillError as problem:
            return Outcome(decision, self.situation, full, problem=str(problem))
        here = self.situation
        runs = self._kept_runs() or [recording]
        try:
            learnt = self._learn(runs)
        except StepDistillError as problem:
            return Outcome(decision, here, full, problem=str(problem), kept=True)
        except self.host.interruption:
            return self._stopped(Outcome(decision, here, full, stopped=True))
        if self._at_once(learnt):
            return Outcome(decision, here, full, problem=AT_ONCE.format(NAME_ITS_RUN))
        return Outcome(decision, here, full, learnt, kept=True)

    def _keep(self, recording: Recording) -> None:
        """Of a step-distilled model's own run nothing: its few levels say nothing to another distillation."""
        here = self.situation
        if not here.own_sigmas:
            self.store.keep_recording(here.key, recording, here.facts.name[:300])
        if here.steps == AT_THE_BEND:
            self.situation = here.with_steps(bend_of(recording.gram, here.start_sigma))

    def _stopped(self, outcome: Outcome) -> Outcome:
        """Before the first recipe its run waits for the next picture; after it, this one serves."""
        here = outcome.situation
        found = self.source.chosen(here)
        ready = decide(here, found, self.mode).action == deciding.FEW
        steps = found.recipe.steps if ready and found is not None else 0
        return replace(outcome, ready=steps, kept=not here.own_sigmas)

    def _learn_first(self, decision: Decision) -> tuple[Any, Outcome]:
        """A recipe for this picture, from kept runs of its prompt or a teacher of its own; where that
        fails it is drawn in full."""
        runs = self._kept_runs()
        self.host.tell(self.foretold(decision, None))
        try:
            learnt = self._learn(runs)
            if self._at_once(learnt):
                raise StepDistillError(AT_ONCE.format(NAME_ITS_RUN))
        except StepDistillError as problem:
            return self._in_full_instead(problem)
        found = full_run(self.situation)
        if learnt.ours:
            found = chosen(self.situation, (self.store, OneRecord(learnt.record)))
        return self.host.draw(found, None), Outcome(decision, self.situation, found, learnt)

    def _in_full_instead(self, problem: StepDistillError) -> tuple[Any, Outcome]:
        """Kept runs that the model did not draw are no reason not to learn from a new one."""
        learns = isinstance(problem, RecordingError)
        picture, outcome = self._in_full(Decision(deciding.IN_FULL, learns))
        if outcome.learnt is None and not outcome.problem:
            outcome = Outcome(outcome.decision, self.situation, outcome.found, problem=str(problem))
        return picture, outcome

    def _improve_first(
        self, decision: Decision, found: Selection, calls: int
    ) -> tuple[Any, Outcome]:
        """The recipe improved with a stated number of calls, then the picture drawn with it."""
        here = self.situation
        self.host.tell(self._announced(decision, found.recipe.steps, calls, improving=True))
        before = base_record(self.store, here) or found.record
        assert before is not None
        was = found.recipe

        def work(denoise: Denoiser, heard: Progress) -> Learnt:
            runs = self._kept_runs()
            prompt = self.host.prompt()
            return improved(self.store, here, before, denoise, calls, runs, heard, prompt)

        try:
            learnt = self._asked(calls, work)
        except StepDistillError as problem:
            outcome = Outcome(decision, here, found, problem=str(problem))
            return self.host.draw(found, None), outcome
        except self.host.interruption:
            found = chosen(here, (self.store,))
            better = found.recipe != was
            outcome = Outcome(decision, here, found, problem=STOPPED_BETTER if better else STOPPED)
            return self.host.draw(found, None), outcome
        found = chosen(here, (self.store, OneRecord(learnt.record)))
        outcome = Outcome(decision, here, found, learnt, improved=True, before=was)
        return self.host.draw(found, None), outcome

    def _learn(self, runs: Sequence[Recording]) -> Learnt:
        here = self.situation
        planned = self._planned(sum(each.rows for each in runs))

        def work(denoise: Denoiser, heard: Progress) -> Learnt:
            return learn(self.store, here, denoise, runs, heard, self.host.prompt())

        return self._asked(planned, work)

    def _asked(self, planned: int, work: Callable[[Denoiser, Progress], Learnt]) -> Learnt:
        return unharmed(lambda: self.host.with_model(planned, work), self.host.interruption)

    def _at_once(self, learnt: Learnt) -> bool:
        """Whether what was learnt tells a step-distilled model, of which many steps are no truth."""
        return not self.situation.own_sigmas and answers_at_once(learnt.record)

    def _planned(self, rows: int) -> int:
        """The most model calls that learning takes, from so many recorded rows."""
        if self.situation.own_sigmas:
            return calls_own(self.situation)
        steps = self.situation.steps or MOST_STEPS  # where the curve bends is seen after the run
        return calls_to_learn(self.situation, rows, steps)

    def _news(self, decision: Decision) -> str:
        """What is learnt of a model that is known under these conditions: another start, else other steps."""
        here = self.situation
        learns = decision.learns or decision.action == deciding.LEARN_FIRST
        record = base_record(self.store, here) if learns and not here.own_sigmas else None
        if record is None:
            return ""
        if here.start is not None and not fitted(record, here):
            return at_start(record, here.start)
        known = here.steps == AT_THE_BEND or any(
            each.steps == here.steps for each in fitted(record, here)
        )
        return "" if known else f"in {counted(here.steps)}"

    def _recording(self, full: Selection) -> Recording:
        key = self.situation.key
        assert key.latent_shape is not None
        recipe = full.recipe
        return Recording(
            key.latent_shape,
            key.process,
            recipe.sampler,
            name=f"{recipe.sampler} {recipe.choice}",
            prompt=self.host.prompt(),
        )

    def _announced(
        self,
        decision: Decision,
        steps: int,
        calls: int = 0,
        improving: bool = False,
        rows: int | None = None,
        found: Selection | None = None,
    ) -> Announcement:
        """rows: recorded ones that something is learnt from, where that is about to happen."""
        news = self._news(decision)
        told = Announcement(
            decision, self.situation, steps, calls, improving, found=found, news=news
        )
        known = self.situation.steps != AT_THE_BEND and calls > 0 and rows is not None
        kin = kin_of(self.store, self.situation) if known else None
        if kin is not None:
            spent = calls_from_kin(rows or 0, self.situation)
            told = replace(told, kin=kin.title, kin_own=apart(kin), kin_calls=spent)
        return told
