"""A schedule of ours for the second half of a run: it begins at the sigma where the first ended."""

from __future__ import annotations

from collections.abc import Sequence

from ...scheduler.lookup.cutting import filled
from ...scheduler.sigmas.hand_over import continued_from
from ..page.log import log_once
from .asked_part import Part


def led_on(
    sigmas: Sequence[float], part: Part | None, handed: float | None, sigma_max: float
) -> tuple:
    """(the schedule, the sigma that must stay to the bit, or None where nothing was handed over).

    sigmas: (N+1,) of the whole run, of which the sampler runs `part`. handed: the sigma where its
    latent was left, or None. What comes before the part never runs.
    """
    if part is None or handed is None or part.first >= len(sigmas) - 1:
        return tuple(sigmas), None
    own = list(sigmas)[part.first :]
    if abs(own[0] / handed - 1) > 1e-6:
        log_once(
            f"The second half of the run goes on at sigma {handed:.4g}, where the first half left "
            f"the latent; its own recipe would have begun at {own[0]:.4g}."
        )
    led = continued_from(own, handed).tolist()
    return tuple(filled(led, len(sigmas) - 1, False, max(sigma_max, handed))), handed
