"""One distillation as a graph asks for it: which recipes, with how many model calls and rows."""

from __future__ import annotations

from dataclasses import dataclass

from ..scheduler.errors import StepsError
from ..scheduler.record import Conditions

USUAL = ("distilled", "euler", "dpmpp_2m", "res_multistep", "uni_pc")
EVERY = "all"  # of the usual ones
QUALITY = ("instant", "standard", "thorough")  # efforts, by what each tries
FEWEST_STEPS = 4
KEPT_VECTORS = 2 * 50 + 1  # states and predictions of the finest teacher
SHARE_OF_MEMORY = 0.5
COPIES = 2  # of the teacher's states, while inner products are made of them


@dataclass(frozen=True)
class GraphWish:
    """samplers and steps of the recipes; quality: of QUALITY; conditions: what the record says;
    noise: the model's, as of ModelFacts. own_sigmas: of a step-distilled model, whose own run is
    imitated then."""

    samplers: tuple[str, ...]
    steps: tuple[int, ...]
    quality: str
    conditions: Conditions
    facts: object
    sets: int = 1
    own_sigmas: tuple[float, ...] = ()

    def plan(self, samples: int | None = None):
        """The library's plan for it; samples: rows of each set (None: as many as the budget
        allows). Raises StepDistillError."""
        from ..scheduler.distilling.own_run import own_plan
        from ..scheduler.distilling.planning import plan_request

        if self.own_sigmas:
            return own_plan(self.request(), len(self.own_sigmas) - 1, None, samples)
        return plan_request(self.request(), None, 0, samples, self.quality)

    def request(self):
        """The library's request, of no model yet."""
        from ..scheduler.distilling.request import request_of

        return request_of([lambda x, sigma: x] * self.sets, **self.about)

    @property
    def about(self) -> dict:
        """What both the plan and the distillation take of the model and the recipes."""
        facts, given = self.facts, self.conditions
        ranges = {
            "sigma_max": facts.sigma_max,
            "sigma_min": facts.sigma_min,
            "parametrisation": facts.process,
        }
        return ranges | {
            "latent_shape": given.latent_shape,
            "samplers": self.samplers,
            "steps": self.steps,
            "shift": given.shift,
            "seed": given.seed,
        }


def samplers_of(name: str) -> tuple[str, ...]:
    """The samplers that the node's choice names; raises UnknownNameError, for a stochastic one with
    the sampler to take instead."""
    from ..scheduler.distilling.request import checked_samplers

    if name == EVERY:
        return USUAL
    return tuple(checked_samplers(name))


def steps_of(most: int) -> tuple[int, ...]:
    """The step counts up to `most`: from 4, below which few models draw anything, or from `most`
    where that is less."""
    if most < 1:
        raise StepsError(f"max_steps is {most}; it must be at least 1.")
    return tuple(range(min(FEWEST_STEPS, most), most + 1))


def own_steps_of(most: int, own: int) -> tuple[int, ...]:
    """The step counts for a step-distilled model of `own` steps: from half of them up to `most`, below
    `own`."""
    last = min(most, own - 1)
    return tuple(range(max(min(own // 2, last), 1), last + 1))


def rows_that_fit(elements: int, sets: int, free: int) -> int:
    """Rows of each set whose teacher has room in so many free bytes of the computer's own memory;
    at least 1."""
    a_row = KEPT_VECTORS * COPIES * elements * 4
    return max(1, int(free * SHARE_OF_MEMORY) // (a_row * sets))
