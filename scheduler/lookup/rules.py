"""Which sampler's recipe serves a host's sampler, by the host's name for it: one table for every host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..samplers.names import (
    DISTILLED,
    ON_PATHS,
    RELATIVE,
    SAMPLERS,
    STOCHASTIC,
    ode_sampler_for,
    without_gpu,
)

if TYPE_CHECKING:  # rules are read where there is no numpy
    from ..record import Record

# Kinds of rules.
OWN = "own"  # the sampler's own recipe
ALIAS = "alias"  # the same steps under another name
ALIKE = "alike"  # deterministic, and nearly the same steps
STOCHASTIC_ONE = "stochastic"  # the ODE sampler whose steps are most like its own
OWN_STEPS = "own_steps"  # it chooses its own steps, whatever the schedule
UNKNOWN = "unknown"

ALIASES = {"ddim": "euler"}
LIKE = {"dpm_2": "heun", "heunpp2": "heun", "ipndm_v": "ipndm"}
CHOOSING = ("dpm_fast", "dpm_adaptive")  # their own steps

# Every sampler that something is known of.
KNOWN = frozenset((*SAMPLERS, DISTILLED, *ALIASES, *LIKE, *STOCHASTIC, *CHOOSING))


@dataclass(frozen=True)
class Rule:
    """What serves a sampler.

    sampler: the host's name. serves: the sampler whose recipe is taken, or None where none is.
    kind: of the kinds above.
    """

    sampler: str
    serves: str | None
    kind: str

    @property
    def own(self) -> bool:
        """Whether a recipe of `serves` was fitted, and measured, for this very sampler."""
        return self.kind in (OWN, ALIAS)

    @property
    def on_paths(self) -> str | None:
        """The name of a stochastic sampler's own recipes, measured on paths; they go before those of
        `serves`. None for the others, and where none can be measured."""
        name = without_gpu(self.sampler)
        return name if self.kind == STOCHASTIC_ONE and name in ON_PATHS else None

    @property
    def recipes_of(self) -> tuple[str, ...]:
        """The samplers whose recipes may serve, the best first."""
        return tuple(name for name in (self.on_paths, self.serves) if name is not None)


def rule_for(sampler: str | None) -> Rule:
    """The rule of a host's sampler; every name has one, and so has no name."""
    name = sampler or ""
    if name in SAMPLERS or name == DISTILLED:
        return Rule(name, name, OWN)
    if name in ALIASES:
        return Rule(name, ALIASES[name], ALIAS)
    if name in LIKE:
        return Rule(name, LIKE[name], ALIKE)
    if name in CHOOSING:
        return Rule(name, None, OWN_STEPS)
    ode = ode_sampler_for(name)  # with or without _gpu
    return Rule(name, ode, STOCHASTIC_ONE if ode else UNKNOWN)


def default_sampler(record: Record | None, process: str) -> str:
    """The sampler whose schedule a caller gets that cannot say its own.

    One that hosts are often left at, of those in the record.
    """
    usual = ("euler", RELATIVE) if process == "flow" else (RELATIVE, "euler")
    known = {recipe.sampler for recipe in record.recipes} if record is not None else set()
    return next((name for name in (*usual, *SAMPLERS) if name in known), usual[0])
