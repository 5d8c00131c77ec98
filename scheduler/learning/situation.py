"""One picture that is about to be drawn, as far as a recipe depends on it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..lookup.key import Key
from ..lookup.makers_run import MakersRun
from ..lookup.model_facts import ModelFacts
from ..lookup.starts import same_start, start_for
from ..lookup.wanted import Wanted
from ..samplers.names import DISTILLED

FEW_ALREADY = (
    "Nothing is learnt of a model that has few steps already: take those that its maker names."
)
NOT_WHOLE = (
    "Its maker's sigmas begin at {:.4g}, this model's noise at {:.4g}: connect a whole schedule to "
    "Maker's Sigmas."
)
AT_THE_BEND = 0  # steps: as many as where the error curve bends


@dataclass(frozen=True)
class Situation:
    """Of which model, under which conditions, in how many steps and from where.

    key: the model's, with guidance and size. steps: asked for; AT_THE_BEND: not yet known. start:
    the first sigma, or None for the model's sigma_max.
    """

    facts: ModelFacts
    key: Key
    steps: int
    start: float | None = None

    @classmethod
    def of(cls, facts: ModelFacts, key: Key, steps: int, denoise: float = 1.0) -> Situation:
        """denoise: the share of the model's clock that is left to run. Raises SigmaRangeError."""
        return cls(facts, key, steps, start_for(facts, denoise))

    @property
    def start_sigma(self) -> float:
        return self.facts.sigma_max if self.start is None else self.start

    @property
    def wanted(self) -> Wanted:
        """The few-step run as a selection asks for it; raises StepsError where the steps are not
        known."""
        return Wanted.of(self.facts, DISTILLED, self.steps, start_sigma=self.start)

    @property
    def own_run(self) -> MakersRun | None:
        """Of a step-distilled model: the run that it was made for."""
        if self.facts.makers_run is None and self.facts.advice:
            return MakersRun(why_not=FEW_ALREADY)
        own, top = self.facts.makers_run, self.facts.sigma_max
        if own is not None and own.sigmas and not same_start(own.sigmas[0], top):
            return MakersRun(why_not=NOT_WHOLE.format(own.sigmas[0], top))
        if own is not None and not own.named and (self.key.cfg or 0.0) > own.most_cfg:
            return None  # somebody who guides it takes it for another: its answers tell
        return own

    @property
    def own_sigmas(self) -> tuple[float, ...]:
        """Of that run; () of any other model."""
        return self.own_run.sigmas if self.own_run is not None else ()

    def with_steps(self, steps: int) -> Situation:
        return replace(self, steps=steps)

    def starts_at(self, sigma: float) -> bool:
        """Whether a run from this sigma is one from the start."""
        return same_start(sigma, self.start_sigma)
