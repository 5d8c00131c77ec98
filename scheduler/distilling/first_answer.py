"""What a model's first answer says of it: an ordinary one answers the top of its noise with the mean of its
prompt's pictures, one that is distilled to few steps with a picture, another for every noise."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..fit.trajectories import TrajectorySet


def first_answer(sets: Sequence[TrajectorySet], one_prompt: bool = True) -> dict:
    """Of the first answers of all rows: "moved", RMS distance from the state that was asked over its
    RMS (a model that has learnt nothing hands the noise back); "error", RMS distance from the
    run's end over the RMS of that; "size", their RMS over the end's; and, of sets of several rows,
    "spread", the RMS distance from the set's mean (unbiased) over their RMS. one_prompt: whether the
    rows of a set share one; of several, their means differ too, and no spread is told."""
    first, end = (torch.cat(each).double() for each in zip(*map(_rows, sets), strict=True))
    begun = torch.cat([each.vectors[0].flatten(1).cpu().double() for each in sets])
    told = {"error": _over(first - end, end), "size": _over(first, end)}
    told["moved"] = _over(first - begun, begun)
    several = [_rows(each)[0].double() for each in sets if one_prompt and len(each.noise) > 1]
    if several:
        apart = [(each - each.mean(0)) * (len(each) / (len(each) - 1)) ** 0.5 for each in several]
        told["spread"] = _over(torch.cat(apart), torch.cat(several))
    return {name: round(value, 4) for name, value in told.items()}


def _rows(each: TrajectorySet) -> tuple[torch.Tensor, torch.Tensor]:
    return each.first_answer.flatten(1).cpu(), each.end.flatten(1).cpu()


def _over(part: torch.Tensor, whole: torch.Tensor) -> float:
    return float(part.norm() / whole.norm().clamp(min=1e-30))
