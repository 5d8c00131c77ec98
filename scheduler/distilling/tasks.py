"""What is tried for one sampler at one step count, as data: the plan prices it, the candidates are
made by it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ..fit.polish import polish_calls
from ..fit.refine import refinement_calls
from ..samplers import model_calls
from ..samplers.multistep import LINEAR
from .effort import Effort, anchors_of

WITH_OFFSETS = ("euler", "dpmpp_2m", "res_multistep")  # their offsets are fitted step by step
# Schedule and offsets are refined at once; the schedule alone gains little there.
REFINED_TOGETHER = ("dpmpp_2m", "res_multistep")
# Its offsets, searched for at one step count, hold up to this many times as many steps.
CARRIES_FAR = {"euler": 3.5}
BORROWS_OFFSETS = {"uni_pc": "dpmpp_2m", "uni_pc_bh2": "dpmpp_2m"}
# Whose best-ranked schedules the distilled sampler must beat.
DISTILLED_STOCK = ("dpmpp_2m", "euler")
CARRY_RATIO = 2.0  # a fit is carried over to at most this many times as many steps
EULERS_TRIES = 3


@dataclass(frozen=True)
class StockTask:
    """A stock sampler at one step count. anchor: whether it is fitted here, or follows the anchors
    around. guards: stock schedules that are run. refinements: iterations on our schedule without
    offsets. offsets: "search", "carry" (from the anchor below) or "" (none). leader: the sampler
    whose walks find the offsets, on so many schedules with so many tries a step.
    offset_refinements: iterations on schedule and offsets together."""

    sampler: str
    steps: int
    anchor: bool
    guards: int
    refinements: int
    offsets: str
    leader: str
    schedules: int
    tries: int
    offset_refinements: int

    def calls(self, samplers: Collection[str]) -> int:
        """The most model calls a row, where so many samplers are distilled: the leader's walks are
        its own. A first query without offset is the teacher's and costs nothing."""
        run = model_calls(self.sampler, self.steps) - 1
        spent = run * (self.guards + 1) if self.anchor else 0
        if self.refinements:
            spent += refinement_calls(self.sampler, self.steps, self.refinements)
        if self.offsets == "carry":
            return spent + run + 1
        if self.offsets == "search":
            borrowed = self.leader != self.sampler
            spent += (run + 1) * self.schedules * borrowed
            walked = borrowed and self.leader in samplers
            spent += 0 if walked else self.schedules * (self.tries * self.steps - 1)
        if self.offset_refinements:
            refined = self.sampler, self.steps, self.offset_refinements
            spent += refinement_calls(*refined, offsets=True)
        return spent


def stock_task(effort: Effort, sampler: str, anchors: Sequence[int], steps: int) -> StockTask:
    """What an effort tries for a stock sampler."""
    anchor, far = steps in anchors, sampler in CARRIES_FAR
    offsets = _offsets(effort, sampler, anchors, steps)
    refined_alone = anchor and sampler not in (*WITH_OFFSETS, "heun")
    together = effort.refinements if sampler in REFINED_TOGETHER else 0
    if far:
        together = int(steps <= effort.refine_to)
    return StockTask(
        sampler=sampler,
        steps=steps,
        anchor=anchor,
        guards=guards_for(effort, sampler) if anchor else 0,
        refinements=effort.refinements if refined_alone else 0,
        offsets=offsets,
        leader=BORROWS_OFFSETS.get(sampler, sampler),
        schedules=effort.schedules,
        tries=EULERS_TRIES if far else effort.tries,
        offset_refinements=together if offsets == "search" else 0,
    )


def guards_for(effort: Effort, sampler: str) -> int:
    """Stock schedules that the guard runs: more for samplers whose steps the inner products can only
    rank as another's."""
    ranked_well = sampler in LINEAR or effort.tries < 3
    return effort.guards if ranked_well else max(effort.guards, 3)


def _offsets(effort: Effort, sampler: str, anchors: Sequence[int], steps: int) -> str:
    """Where a stock sampler's query offsets come from: searched for where it is fitted; carried over
    elsewhere where that is asked for, or cheap."""
    takes_some = bool({sampler, BORROWS_OFFSETS.get(sampler)} & set(WITH_OFFSETS))
    far = sampler in CARRIES_FAR
    if not takes_some or not (steps in anchors or effort.between or far):
        return ""
    searched = anchors
    if far:
        ratio = CARRIES_FAR[sampler] if steps <= effort.carry_to else CARRY_RATIO
        searched = anchors_of(anchors, ratio, last=False)
    return "search" if steps in searched else "carry"


@dataclass(frozen=True)
class DistilledTask:
    """The distilled sampler at one step count. afresh: walked on the programme's schedules, not
    carried over from the step count below. refined, polished: against the end point. guards: stock
    schedules that are run, by sampler."""

    steps: int
    anchor: bool
    afresh: bool
    schedules: int
    tries: int
    refined: bool
    polished: bool
    guards: dict[str, int]

    def calls(self, samplers: Collection[str]) -> int:
        """The most model calls a row, where so many samplers are distilled: what is run for their
        own guard is not run again."""
        n = self.steps
        spent = self.schedules * (self.tries * n - 1) if self.afresh else n
        spent += sum(k * (n - 1) for name, k in self.guards.items() if name not in samplers)
        spent += refinement_calls("distilled", n, 1, offsets=True) if self.refined else 0
        return spent + (polish_calls(n) if self.polished else 0)


def distilled_task(
    effort: Effort, anchors: Sequence[int], below: int | None, steps: int
) -> DistilledTask:
    """What an effort tries for the distilled sampler; below: the step count fitted before."""
    anchor = steps in anchors
    afresh = below is None or (anchor and steps > min(effort.carry_to, CARRY_RATIO * below))
    first, *others = DISTILLED_STOCK
    return DistilledTask(
        steps=steps,
        anchor=anchor,
        afresh=afresh,
        schedules=effort.schedules,
        tries=effort.tries,
        refined=anchor and steps <= effort.refine_to,
        polished=anchor and steps <= effort.polish_to,
        guards={first: effort.guards, **dict.fromkeys(others, 1)} if anchor else {},
    )


def distilled_tasks(
    effort: Effort, anchors: Sequence[int], steps: Sequence[int]
) -> list[DistilledTask]:
    """The distilled sampler's tasks, one for each of the ascending step counts."""
    before = zip((None, *steps[:-1]), steps, strict=True)
    return [distilled_task(effort, anchors, below, n) for below, n in before]
