"""The run that a step-distilled model was made for, in few steps on its maker's sigmas: the only one of it
that is worth imitating."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import RecipeError, StepDistillError
from ..fingerprint.step_distilled import BY_WEIGHTS, Advice
from ..record.provenance import OWN
from . import SIMPLE

if TYPE_CHECKING:
    from ..record import Record
    from ..sigmas.noise_table import NoiseTable

TRAILING = "sgm_uniform"  # where makers of eps models put their steps
SAME_TABLE = 0.01  # relative, of sigma_max
EULER = "euler"  # what makers publish their steps for
NOISY = (
    "Its maker's sampler adds noise on the way, which leaves no path to imitate in fewer steps: draw with "
    "its maker's sampler and steps."
)
STEPS_UNKNOWN = (
    "How many steps its maker made it for is not in its name; put Maker's Sigmas after its loader, and fewer "
    "steps are learnt."
)


def own_run(record: Record) -> bool:
    """Whether a record was learnt from such a run."""
    return (record.teacher or {}).get("grid") == OWN


@dataclass(frozen=True)
class MakersRun:
    """sigmas: from sigma_max to 0; none where they are not known, and why_not says why, a sentence.
    most_cfg: above it, what is drawn is no longer what the model was made for. named: whether somebody
    said so, and not the weights' shape alone, which finetunes for many steps share."""

    sigmas: tuple[float, ...] = ()
    why_not: str = ""
    most_cfg: float = 2.0
    named: bool = True

    @property
    def steps(self) -> int:
        return max(len(self.sigmas) - 1, 0)


def given_run(sigmas: Sequence[float]) -> MakersRun:
    """Of sigmas that the artist has. Raises ScheduleError."""
    from ..sigmas import check_schedule

    return MakersRun(tuple(float(each) for each in check_schedule(sigmas)))


def makers_run(advice: Advice | None, process: str, table: NoiseTable) -> MakersRun | None:
    """Of a model that is known by its name: its maker's published sigmas, else the steps that are named
    on the schedule that makers use; None where the name says nothing."""
    if advice is None:
        return None
    if advice.noisy:
        return MakersRun((), NOISY, advice.most_cfg)
    if advice.own_steps is None:
        return MakersRun((), STEPS_UNKNOWN, advice.most_cfg)
    sigmas = _published(advice, table) or _usual(advice.own_steps, process, table)
    return MakersRun(sigmas, "", advice.most_cfg, advice.because != BY_WEIGHTS)


def _published(advice: Advice, table: NoiseTable) -> tuple[float, ...]:
    """Where they are for this model's noise levels: of a flow, for its shift."""
    from ..presets import preset, preset_recipe

    if advice.preset is None or advice.own_steps is None:
        return ()
    try:
        recipe = preset_recipe(advice.preset, advice.own_steps, EULER)
    except RecipeError:
        return ()
    theirs = preset(advice.preset).model
    other_top = abs(theirs.sigma_max / table.sigma_max - 1) > SAME_TABLE
    other_shift = theirs.shift is not None and theirs.shift != getattr(table, "shift", None)
    return () if other_top or other_shift else recipe.sigmas


def _usual(steps: int, process: str, table: NoiseTable) -> tuple[float, ...]:
    from ..sigmas import stock_schedule

    name = SIMPLE if process == "flow" else TRAILING
    try:
        return tuple(float(each) for each in stock_schedule(name, table, steps))
    except StepDistillError:  # a table with fewer levels
        return ()
