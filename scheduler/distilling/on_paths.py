"""The stochastic samplers of a distillation: no fit, but their best schedule measured on paths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from ..denoiser import Denoiser
from ..evidence.stochastic import OnPaths, PathPlan, plan_paths
from ..record import Recipe
from ..samplers import ode_sampler_for
from .meter import Meter, Metered
from .request import Request
from .resume import FinishedParts

PATH_SEED = 2_000_003  # added to the seed: noise and path that nothing else is measured on
MOST_ROWS = 8


def planned_paths(request: Request, rows: int | None, budget: int, beside: int) -> PathPlan | None:
    """What is measured of the request's stochastic samplers; None where it has none.

    rows: of a batch of the denoiser; None: as many as the budget allows, up to MOST_ROWS. beside:
    what of the budget the others take. Raises BudgetError.
    """
    if not request.on_paths:
        return None
    if rows is None:
        a_row = plan_paths(request.on_paths, request.steps, 1, 1 << 60).calls
        rows = min(max((budget - beside) // a_row, 1), MOST_ROWS)
    return plan_paths(request.on_paths, request.steps, rows, budget, beside)


def path_recipes(
    request: Request,
    plan: PathPlan,
    made: Sequence[Recipe],
    denoise: Denoiser,
    meter: Meter,
    parts: FinishedParts,
    device: torch.device,
) -> Iterator[tuple[str, list[Recipe]]]:
    """Each stochastic sampler with its recipes, measured on held-out noise and conditioning.

    made: the other samplers' recipes; a schedule of ours that was distilled for the one most like it
    takes part.
    """
    seed = request.seed + PATH_SEED
    paths = OnPaths(
        Metered(denoise, meter),
        request.noise(plan.rows, seed, device),
        seed,
        request.table,
        request.process,
        (request.sigma_min, request.sigma_max),
        plan.nodes,
        finished=parts.finished,
        noise_scale=_path_scale(request),
    )
    for sampler in request.on_paths:
        meter.phase = sampler
        alike = ode_sampler_for(sampler)
        ours = {each.steps: each.sigmas for each in made if _is_schedule_for(each, alike)}
        yield sampler, [paths.measured(sampler, n, ours.get(n)) for n in plan.steps]


def _path_scale(request: Request) -> float | torch.Tensor:
    """What the path is multiplied by, as the noise is."""
    if request.streams is None:
        return request.noise_scale
    return request.streams.weigh(torch.full((1, *request.latent_shape), request.noise_scale))


def _is_schedule_for(recipe: Recipe, sampler: str | None) -> bool:
    return recipe.sampler == sampler and recipe.choice.ours and recipe.offsets is None
