"""Recordings of runs that were made anyway as the teacher of a distillation: no call but one a set,
which tells whether they are this model's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from ..denoiser import Denoiser
from ..errors import RecordingError
from ..fit.trajectories import TrajectorySet
from ..record import SAME_START, Gram
from ..recordings import Recording, own_error, usable
from ..search.gram import gram_of, merge, with_sigmas
from .consistency import asked_again
from .experiments import Experiments
from .meter import Meter, Metered
from .recording import fit_rows
from .request import Request
from .resume import FinishedParts

SAME_ANSWER = 2e-2  # relative: hosts may draw and distil in different precisions


def start_of(recordings: Sequence[Recording], sigma_max: float) -> float:
    """Where recipes learnt from these begin: at the model's top where all did, else where the lowest
    did."""
    lowest = min(each.start_sigma for each in recordings)
    return sigma_max if lowest >= sigma_max * (1 - SAME_START) else lowest


def grouped(
    recordings: Sequence[Recording], denoisers: Sequence[Denoiser]
) -> tuple[list[Recording], list[Denoiser]]:
    """Recordings, each with its denoiser: one serves all, or there is one for each, in their order.
    Raises RecordingError."""
    if len(denoisers) == len(recordings) > 1:
        return list(recordings), list(denoisers)
    if len(denoisers) != 1:
        raise RecordingError(
            f"{len(recordings)} recordings and {len(denoisers)} denoisers were given; give one "
            "denoiser for all, or one for each recording."
        )
    return list(recordings), list(denoisers) * len(recordings)


def check_usable(request: Request, recordings: Sequence[Recording]) -> None:
    """Raise RecordingError, with the reason, for a run that nothing can be learnt from here."""
    for each in recordings:
        usable(each, request.sigma_min, request.sigma_max, request.latent_shape, request.process)


def learnt_from(
    request: Request,
    recordings: Sequence[Recording],
    meter: Meter,
    parts: FinishedParts,
    device: torch.device,
) -> Experiments:
    """The experiments on recorded runs. Raises RecordingError for one that the model did not draw."""
    meter.phase = "recordings"
    total, first = sum(each.rows for each in recordings), 0
    unseen = ~fit_rows(total)
    sets, grams = [], []
    for index, (each, denoise) in enumerate(zip(recordings, request.denoisers, strict=True)):
        model = Metered(denoise, meter, partial(parts.answer, index))
        rows = ~unseen[first : first + each.rows]
        made = _trajectories(each, model, rows, request, device)
        _check_drawn(made, model)
        sets.append(made)
        grams.append(_begun_alike(_gram(each, request), made))
        first += each.rows
    missed = float(np.sqrt(np.mean([own_error(each) ** 2 for each in recordings])))
    return Experiments(request, sets, _on_one_grid(grams), request.steps[-1], missed)


def _trajectories(
    recording: Recording,
    model: Metered,
    rows: np.ndarray,
    request: Request,
    device: torch.device,
) -> TrajectorySet:
    sigmas = recording.sigmas.copy()
    for known in (request.sigma_max, request.start_sigma):
        if abs(sigmas[0] / known - 1) <= SAME_START:
            sigmas[0] = known  # hosts hand sigmas over in float32
    noise, vectors = recording.noise.to(device), recording.vectors
    if request.streams is not None:
        noise = request.streams.weigh(noise)
        vectors = [request.streams.weigh(vector) for vector in vectors]
    return TrajectorySet(model, noise, sigmas, vectors, rows, request.streams)


def _gram(recording: Recording, request: Request) -> Gram:
    if request.streams is None:
        return recording.gram
    weighed = [request.streams.weigh(vector).flatten(1) for vector in recording.vectors]
    return gram_of(recording.sigmas, torch.stack(weighed))


def _begun_alike(gram: Gram, made: TrajectorySet) -> Gram:
    """Inner products from the very sigma where the run is taken to begin, which hosts round."""
    if gram.sigmas[0] == made.sigmas[0]:
        return gram
    return replace(gram, sigmas=np.append(made.sigmas[0], gram.sigmas[1:]))


def _check_drawn(made: TrajectorySet, model: Metered) -> None:
    """Ask again where the model should answer as it did: one query tells another model, two that
    followed each other, asked from afar, a step cache, which answered one of them from memory."""
    for node in asked_again(len(made.sigmas) - 1):
        x = made.vectors[node].to(made.noise)
        recorded = made.vectors[len(made.sigmas) + node]
        answer = model.fresh(x, float(made.sigmas[node])).cpu()
        apart = float((answer.float() - recorded).norm() / recorded.norm().clamp(min=1e-30))
        if apart > SAME_ANSWER:
            raise RecordingError(
                "This recording was drawn by another model, prompt or guidance, or one that answers "
                "some steps from memory (a step cache) or one picture of a batch by the others: asked "
                f"again at sigma {made.sigmas[node]:.4g}, "
                f"the model at hand answers {apart:.0%} otherwise; learn from its own runs, drawn in "
                "full."
            )


def _on_one_grid(grams: Sequence[Gram]) -> Gram:
    """All inner products together, on the grid of the one that starts lowest."""
    common = min(grams, key=lambda gram: gram.sigmas[0]).sigmas
    return merge([g if np.array_equal(g.sigmas, common) else with_sigmas(g, common) for g in grams])
