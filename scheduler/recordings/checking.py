"""Whether anything can be learnt from a recording, and if not, why.

The bounds were measured on the bundled checkpoints at guidance 3: states of a fine trajectory against
those interpolated from a coarser grid, brought to the end, beside the error of the best stock
schedule and sampler at 6 steps (.15 flow, .08 eps).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..counted import counted
from ..denoiser import half_log_snr
from ..errors import RecordingError
from ..record.inner_products import MAX_NODES
from .residuals import end_share, noise_shares, steps_taken

if TYPE_CHECKING:
    from .recording import Recording

# At 12 steps the run of a second-order sampler is half as far from the truth as the best stock
# pair at 6, and answers between its steps are known to .03 to .05 (8 steps: .08 to .17).
LEAST_STEPS = 12
# In half-log-SNR: across a gap of 2 interpolated states are .017 (flow) and .025 (eps) off, across 3
# .044 and .058, across 4 .073 and .12.
WIDEST_GAP = 2.0
# Gaps are counted between these half-log-SNRs alone (flow: sigma .90 to .10, VE: 9 to .11): above
# and below, the state hardly depends on what lies between two steps, and hosts' schedules leave much
# out.
TELLING = (-2.2, 2.2)
# Quantiles over steps of the part of x_{k+1} that the newest states and answers don't explain, over
# sigma_{k+1}, and the most they may be. Deterministic samplers leave medians of at most .04 (Heun in
# 12 steps, or states kept in bfloat16, whose upper quartile goes up to .15); ancestral and SDE steps
# at eta .3 already .09 (50 steps). The upper quartile finds noise that only some steps add.
MOST_NOISE = ((0.5, 0.06), (0.75, 0.2))
# |x_T - D_{T-1}| over sigma_{T-1}: 0 of most samplers, the share of noise left of a run cut short.
MOST_LEFT = 0.3
LEAST_MOVE = 1e-6  # |x_{k+1} - x_k| over |x_k|: below, float32 has it that nothing moved
SAME_MAX = 1e-4  # relative, as of keys: hosts keep sigmas in float32


def usable(
    recording: Recording,
    sigma_min: float | None = None,
    sigma_max: float | None = None,
    latent_shape: Sequence[int] | None = None,
    parametrisation: str | None = None,
) -> None:
    """Raise RecordingError, with one sentence that says why, unless the run can be learnt from.

    sigma_min, sigma_max, latent_shape, parametrisation: of the model at hand, where it is to be
    learnt for one. A coarse end of a schedule is counted down to sigma_min only.
    """
    sigmas = recording.sigmas
    _check_model(recording, sigma_max, latent_shape, parametrisation)
    _check_steps(recording.steps)
    _check_descending(sigmas)
    _check_finite(recording)
    _check_gaps(sigmas, recording.parametrisation, sigma_min)
    _check_states(recording)
    _check_end(recording)
    _check_noise(recording)


def _check_model(
    recording: Recording,
    sigma_max: float | None,
    latent_shape: Sequence[int] | None,
    parametrisation: str | None,
) -> None:
    drawn = tuple(recording.vectors[0].shape[1:])
    if drawn != recording.latent_shape:
        raise RecordingError(
            f"This run drew latents of shape {drawn}, and {recording.latent_shape} was expected; "
            "record it with its own shape."
        )
    if latent_shape is not None and drawn != tuple(latent_shape):
        raise RecordingError(
            f"This run drew latents of shape {drawn}, the model at hand draws "
            f"{tuple(latent_shape)}; learn from a run at that size."
        )
    if parametrisation is not None and parametrisation != recording.parametrisation:
        raise RecordingError(
            f"This run is of a {recording.parametrisation} model, the one at hand is "
            f"{parametrisation}; learn from a run of its own."
        )
    start = recording.start_sigma
    if sigma_max is not None and start > sigma_max * (1 + SAME_MAX):
        raise RecordingError(
            f"This run began at sigma {start:.6g}, above the model's highest, {sigma_max:.6g}; "
            "learn from a run of the model at hand."
        )


def _check_steps(steps: int) -> None:
    if steps < LEAST_STEPS:
        raise RecordingError(
            f"This run has {counted(steps)}; fewer than {LEAST_STEPS} are too coarse to learn from, "
            "so draw with more."
        )
    if steps > MAX_NODES:
        raise RecordingError(
            f"This run has {counted(steps)}; at most {MAX_NODES} can be learnt from, so draw with fewer."
        )


def _check_descending(sigmas: np.ndarray) -> None:
    if not np.isfinite(sigmas).all():
        raise RecordingError("A sigma of this run is not finite; record the schedule's own.")
    rises = np.flatnonzero(np.diff(sigmas) >= 0)
    if len(rises):
        at = int(rises[0])
        raise RecordingError(
            f"The sigmas of this run do not descend to 0 (after {sigmas[at]:.6g} comes "
            f"{sigmas[at + 1]:.6g}); only a plain run down its schedule can be learnt from."
        )


def _check_finite(recording: Recording) -> None:
    if not all(bool(vector.isfinite().all()) for vector in recording.vectors):
        raise RecordingError(
            "A latent of this run is NaN or infinite; check the model's precision and draw again."
        )


def _check_gaps(sigmas: np.ndarray, process: str, sigma_min: float | None) -> None:
    bottom = TELLING[1]
    if sigma_min is not None:
        bottom = min(bottom, float(half_log_snr(sigma_min, process)))
    clock = np.append(half_log_snr(sigmas[:-1], process), bottom)
    gaps = np.diff(np.clip(clock, TELLING[0], bottom))
    widest = int(gaps.argmax())
    if gaps[widest] > WIDEST_GAP:
        raise RecordingError(
            f"This run leaps from sigma {sigmas[widest]:.3g} to {sigmas[widest + 1]:.3g}, "
            f"{gaps[widest]:.2g} in half-log-SNR where at most {WIDEST_GAP:g} can be bridged; draw "
            "with more steps or a more even schedule."
        )


def _check_states(recording: Recording) -> None:
    still = np.flatnonzero(steps_taken(recording.sigmas, recording.products) <= LEAST_MOVE)
    if len(still):
        sigma = recording.sigmas[still[0]]
        raise RecordingError(
            f"The state of this run is the same before and after its step from sigma {sigma:.4g}, so it "
            "is not what the model saw; listen at the model's calls, not at this sampler's callback."
        )


def _check_end(recording: Recording) -> None:
    left = end_share(recording.sigmas, recording.products)
    if left > MOST_LEFT:
        raise RecordingError(
            "The end of this run is not what its model answered last "
            f"({left:.2g} of the last noise lies between); only one that goes down to sigma 0 can be "
            "learnt from."
        )


def _check_noise(recording: Recording) -> None:
    shares = noise_shares(recording.sigmas, recording.products)
    for part, most in MOST_NOISE:
        share = float(np.quantile(shares, part))
        if share > most:
            raise RecordingError(
                "The steps of this run hold what its states and answers don't explain "
                f"({share:.2g} of the noise level), as those of an ancestral or SDE sampler do; draw "
                "with a deterministic one such as euler or dpmpp_2m."
            )
