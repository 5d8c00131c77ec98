"""The plan of a request: of an effort or a number of model calls, for samplers of both kinds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from .. import evidence
from ..errors import BudgetError
from ..record import SAME_START
from ..recordings import Recording
from .effort import INSTANT, Effort, budget_for, effort_named
from .on_paths import planned_paths
from .plan import BUDGET, Plan, plan_for
from .request import Request, checked_budget, checked_samples
from .wishes import Wish, wishes_of

EVIDENCE_SEED = 1_000_003  # added to the seed: held-out noise
EVIDENCE_ROWS = 4
WITHOUT_END = 1 << 60
RUNS_A_ROW = 8  # of each recipe, that recordings are fitted with before more of them are
SPARE_NUMBERS = 32  # latent elements for each number fitted, below which none is left out


def plan_request(
    request: Request,
    budget: int | None,
    evidence_budget: int | None,
    samples: int | None,
    effort: str = INSTANT,
    recordings: Sequence[Recording] = (),
) -> Plan:
    """The plan of a request: of a number of model calls, or, without one, of an effort. Raises
    BudgetError and UnknownNameError."""
    chosen = effort_named(effort)
    if budget is not None:
        budget = checked_budget(budget)
    if evidence_budget is not None:
        checked_budget(evidence_budget, "evidence budget")
    plan = _whole_plan(request, budget, checked_samples(samples), chosen, recordings)
    if evidence_budget is None:
        evidence_budget = _usual_evidence(request, plan, chosen, budget)
    return replace(plan, evidence=evidence_budget)


def starts_below(request: Request, recordings: Sequence[Recording]) -> bool:
    """Whether recipes begin below the teacher, so that its first answer is none of theirs."""
    top = min((each.start_sigma for each in recordings), default=request.sigma_max)
    return request.start_sigma < top * (1 - SAME_START)  # a recording's sigmas are float32


def affordable(
    request: Request, recordings: Sequence[Recording], budget: int | None
) -> tuple[Request, list[Recording]]:
    """(the request, the recordings) with no more of these, the first, than so few calls can be fitted to.

    Rows without runs taught little: of four pictures and 75 calls, one with a dozen runs came nearer. They
    stay where fewer rows would hold too few numbers. Without a budget all stay.
    """
    kept, used = list(recordings), len(recordings)
    if budget is None:
        return request, kept
    calls = checked_budget(budget)
    numbers = SPARE_NUMBERS * max((each.numbers for each in _wishes(request)), default=0)
    while used > 1:
        fewer = sum(each.elements * each.rows for each in kept[: used - 1])
        if fewer < numbers or _runs(request, kept[:used], calls) >= RUNS_A_ROW:
            break
        used -= 1
    return replace(request, denoisers=request.denoisers[:used]), kept[:used]


def _wishes(request: Request) -> list[Wish]:
    return wishes_of(request.fitted, request.steps)


def _runs(request: Request, recordings: Sequence[Recording], budget: int) -> int:
    """How many runs of each recipe such a budget leaves on all these rows."""
    try:
        return _fitting_plan(request, budget, None, effort_named(INSTANT), recordings).runs
    except BudgetError:
        return 0


def evidence_rows(plan: Plan) -> int:
    """EVIDENCE_ROWS, rounded up to whole batches."""
    return -(-EVIDENCE_ROWS // plan.rows) * plan.rows


def _whole_plan(
    request: Request,
    budget: int | None,
    samples: int | None,
    effort: Effort,
    recordings: Sequence[Recording],
) -> Plan:
    """The plan of all samplers, on as many rows as both kinds can afford."""
    plan = _fitting_plan(request, budget, samples, effort, recordings)
    rows = plan.rows if request.fitted else samples or effort.rows
    room = WITHOUT_END if budget is None else budget
    try:
        paths = planned_paths(request, rows, room, plan.calls)
    except BudgetError:
        if samples is not None or rows == 1:
            raise
        return _whole_plan(request, budget, rows // 2, effort, recordings)
    if paths is None:
        return plan
    return replace(plan, rows=paths.rows, costs=plan.costs | paths.costs, paths=paths)


def _fitting_plan(
    request: Request,
    budget: int | None,
    samples: int | None,
    effort: Effort,
    recordings: Sequence[Recording],
) -> Plan:
    """The plan of the samplers that have a trajectory, for their share of the budget."""
    sets = 1 if recordings else len(request.denoisers)
    recorded = sum(each.rows for each in recordings)
    asked = request.fitted, request.steps
    below = starts_below(request, recordings)
    if not request.fitted:
        return Plan(BUDGET, 0, sets, samples or effort.rows, 0, request.steps, {})
    elements = math.prod(request.latent_shape)
    if budget is None:
        share = budget_for(effort.name, *asked, sets, recorded, below, elements)
    else:
        share = budget * len(request.fitted) // len(request.samplers)
    chosen = effort if budget is None else None
    try:
        return plan_for(*asked, share, sets, samples, elements, recorded, chosen, below)
    except BudgetError as problem:
        if not request.on_paths:
            raise
        raise BudgetError(
            f"Of {budget} model calls {share} are left beside {', '.join(request.on_paths)}. "
            f"{problem}"
        ) from problem


def _usual_evidence(request: Request, plan: Plan, effort: Effort, budget: int | None) -> int:
    """None for an instant run, whose own rows say what it is worth; else enough for one step count
    at least, and at most as much again as the budget."""
    instant = budget is None and effort.evidence_rows == 0
    if instant or not request.fitted:  # what is on paths is measured there
        return 0
    asked = request.fitted, request.steps
    scope = evidence.WHOLE if effort.every else evidence.FEW
    least = evidence.least_budget(*asked, evidence_rows(plan), scope)
    return max(least, min(evidence.default_budget(*asked, evidence_rows(plan), scope), plan.calls))
