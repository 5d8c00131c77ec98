"""Records the teacher of a distillation, or takes up what an earlier run recorded."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch

from ..fit.teacher import Teacher, record_teacher
from ..fit.trajectories import TrajectorySet
from ..search.gram import Gram, gram_of, merge
from ..sigmas import log_snr_grid
from .consistency import PAIR, Twice
from .experiments import Experiments
from .meter import Meter, Metered
from .plan import Plan
from .replayed import AnotherModel, Replayed, same_answer
from .request import Request
from .resume import FinishedParts
from .wishes import unseen_of

SOLVER = "adams3"
TELLING = 6  # the part of a run after which one query tells most of guidance and conditioning


def recorded(
    request: Request,
    plan: Plan,
    meter: Meter,
    parts: FinishedParts,
    device: torch.device,
    grid: np.ndarray | None = None,
    solver: str = SOLVER,
) -> Experiments:
    """The teacher's trajectories of every denoiser, and the experiments to make on them. grid: its
    sigmas, where they are not an even many-step grid's."""
    meter.phase = "teacher"
    if grid is None:
        grid = log_snr_grid(request.sigma_min, request.sigma_max, plan.nodes, request.process)
    sets: list[TrajectorySet] = []
    grams: list[Gram] = []
    for index, denoise in enumerate(request.denoisers):
        noise = request.noise(plan.rows, request.seed + index, device)
        model = Metered(denoise, meter, partial(parts.answer, index))
        vectors, gram = _trajectories(request, plan, model, parts, grid, noise, index, solver)
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
    solver: str,
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
    if kept is not None:
        parts.clear()
    teacher = _walked(model, parts, request, noise, grid, index, solver)
    vectors = teacher.vectors
    parts.save_tensors(name, {str(k): vector for k, vector in enumerate(vectors)})
    return vectors, teacher.gram


def _walked(
    model: Metered,
    parts: FinishedParts,
    request: Request,
    noise: torch.Tensor,
    grid: np.ndarray,
    index: int,
    solver: str,
) -> Teacher:
    """The teacher's walk: with the answers that an earlier one was stopped after, unless the model has
    become another meanwhile."""

    def walk() -> Teacher:
        replayed = Replayed(model, parts, index, len(grid) // TELLING)
        twice = Twice(replayed, len(grid) - 1, replayed.fresh)
        teacher = record_teacher(twice, noise, grid, request.process, solver, keep_states=True)
        replayed.check()
        return teacher

    before = parts.earlier
    try:
        return walk()
    except AnotherModel:
        parts.earlier = before
        parts.clear()
        return walk()


def _same_model(
    model: Metered, noise: torch.Tensor, kept: dict[str, torch.Tensor], grid: np.ndarray
) -> bool:
    """Whether the model answers one of the recorded queries as it did: one where guidance and
    conditioning tell, and details begin to."""
    node = len(grid) // TELLING
    x, answered = kept.get(str(node)), kept.get(str(len(grid) + node))
    whole = len(kept) == 2 * len(grid) - 1
    if not whole or x is None or answered is None:
        return False
    if any(each.shape != noise.shape for each in kept.values()):
        return False
    return same_answer(model.fresh(x.to(noise.device), float(grid[node])), answered)
