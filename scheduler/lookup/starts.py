"""Where a run starts: at the model's sigma_max, at a sigma, or at what a denoise stands for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..errors import SigmaRangeError
from ..record import SAME_START

if TYPE_CHECKING:
    from ..record import Record
    from .model_facts import ModelFacts

# A denoise that counts as 1: A1111 takes no more than .999, ComfyUI's boxes have two decimals, and
# in between both hosts run as many steps as were asked for.
WHOLE = 0.999
NEAR = 1e-4  # of a start that stands for a denoise: hosts round


def start_for(facts: ModelFacts, denoise: float, start_sigma: float | None = None) -> float | None:
    """The first sigma of a run; None: the model's sigma_max.

    That is `start_sigma`, or the sigma of the model's clock that a denoise stands for. Raises
    SigmaRangeError for a start that the model does not have and for a denoise not in (0, 1].
    """
    if start_sigma is not None:
        if not 0 < start_sigma <= facts.sigma_max * (1 + SAME_START):
            raise SigmaRangeError(
                f"The start sigma is {start_sigma:g}; it must be above 0 and at most the model's "
                f"{facts.sigma_max:g}."
            )
        return None if start_sigma >= facts.sigma_max else float(start_sigma)
    if not 0 < denoise <= 1:
        raise SigmaRangeError(f"denoise is {denoise:g}; it must be above 0 and at most 1.")
    return None if denoise >= WHOLE else facts.table.percent_to_sigma(1 - denoise)


def denoise_of(record: Record, start: float) -> float | None:
    """The denoise, in hundredths, that stands for a start of a record's model; 1 at its top, None where it
    is that of no denoise."""
    from ..sigmas import table_for

    model = record.model
    if start >= model.sigma_max or same_start(start, model.sigma_max):
        return 1.0
    table = table_for(model.sigma_min, model.sigma_max, model.parametrisation, model.shift)
    shares = [share / 100 for share in range(1, 101)]
    sigmas = {share: table.percent_to_sigma(1 - share) for share in shares}
    return next((each for each in shares if math.isclose(sigmas[each], start, rel_tol=NEAR)), None)


def start_words(record: Record, start: float) -> str:
    """ "denoise 0.5" or, of no denoise, "from sigma 0.75"."""
    denoise = denoise_of(record, start)
    return f"from sigma {start:.4g}" if denoise is None else f"denoise {denoise:g}"


def at_start(record: Record, start: float) -> str:
    """ "at denoise 0.5" or "from sigma 0.75"."""
    words = start_words(record, start)
    return words if words.startswith("from ") else f"at {words}"


def same_start(one: float, other: float) -> bool:
    """Whether two starts are one, up to what hosts round."""
    return math.isclose(one, other, rel_tol=SAME_START)
