"""Records the teacher of a distillation, or takes up what an earlier run recorded."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch

from ..fit.teacher import record_teacher
from ..fit.trajectories import TrajectorySet
from ..search.gram import Gram, gram_of, merge
from ..sigmas import log_snr_grid
from .consistency import PAIR, Twice
from .experiments import Experiments
from .meter import Meter, Metered
from .plan import Plan
from .request import Request
from .resume import FinishedParts
from .wishes import unseen_of

SOLVER = "adams3"
SAME_MODEL = 1e-2  # relative: a resumed model's prediction against the recorded one


def recorded(
    request: Request, plan: Plan, meter: Meter, parts: FinishedParts, device: torch.device
) -> Experiments:
    """The teacher's trajectories of every denoiser, and the experiments to make on them."""
    meter.phase = "teacher"
    grid = log_snr_grid(request.sigma_min, request.sigma_max, plan.nodes, request.process)
    sets: list[TrajectorySet] = []
    grams: list[Gram] = []
    for index, denoise in enumerate(request.denoisers):
        noise = request.noise(plan.rows, request.seed + index, device)
        model = Metered(denoise, meter, partial(parts.answer, index))
        vectors, gram = _trajectories(request, plan, model, parts, grid, noise, index)
        model.remember(vectors[0].to(device), float(grid[0]), vectors[len(grid)].to(device))
        rows = fit_rows(plan.rows, plan.sets, index)
        sets.append(TrajectorySet(model, noise, grid, vectors, rows, request.streams))
        grams.append(gram)
    return Experiments(request, sets, merge(grams), request.steps[-1])


def fit_rows(rows: int, sets: int = 1, index: int = 0) -> np.ndarray:
    """(rows,) bool: which rows of a set the fits use; from eight rows of all sets up a fifth stays
    unseen, for the guard."""
    every = rows * sets
    return np.arange(rows) * sets + index < every - unseen_of(every)


def _trajectories(
    request: Request,
    plan: Plan,
    model: Metered,
    parts: FinishedParts,
    grid: np.ndarray,
    noise: torch.Tensor,
    index: int,
) -> tuple[list[torch.Tensor], Gram]:
    """One set's vectors and their inner products: recorded now, or taken up from an earlier run if
    the model still answers as it did."""
    name = f"teacher-{index}"
    kept = parts.load_tensors(name)
    if kept is not None and _same_model(model, noise, kept, grid):
        # what they cost, less the query that told the model
        parts.earlier += (len(grid) - 1 + PAIR - 1) * plan.rows
        vectors = [kept[str(k)] for k in range(2 * len(grid) - 1)]
        return vectors, gram_of(grid, torch.stack([vector.flatten(1) for vector in vectors]))
    parts.clear()
    twice = Twice(model, len(grid) - 1, model.fresh)
    teacher = record_teacher(twice, noise, grid, request.process, SOLVER, keep_states=True)
    vectors = teacher.vectors
    parts.save_tensors(name, {str(k): vector for k, vector in enumerate(vectors)})
    return vectors, teacher.gram


def _same_model(
    model: Metered, noise: torch.Tensor, kept: dict[str, torch.Tensor], grid: np.ndarray
) -> bool:
    """Whether the model answers one of the recorded queries as it did: one where guidance and
    conditioning tell, and details begin to."""
    node = len(grid) // 6
    x, answered = kept.get(str(node)), kept.get(str(len(grid) + node))
    whole = len(kept) == 2 * len(grid) - 1
    if not whole or x is None or answered is None:
        return False
    if any(each.shape != noise.shape for each in kept.values()):
        return False
    answers = model.fresh(x.to(noise.device), float(grid[node])).float().cpu()
    return bool((answers - answered).norm() <= SAME_MODEL * answered.norm())
