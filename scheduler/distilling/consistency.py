"""Whether a model answers the same when it is asked the same: what a fit is made of."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..denoiser import ScalarDenoiser
from ..errors import DenoiserError

SAME = 1e-2  # relative: beyond what unordered sums in half precision leave, under guidance too
AGAIN = 1 / 3  # the share of a run after which an earlier query is asked again
# That one is five calls back: a cache that skips every second, third or fourth call has answered
# one of the two from memory, whichever calls it skips.
BACK = 5
Ask = Callable[[torch.Tensor, float], torch.Tensor]


class Twice(ScalarDenoiser):
    """Passes queries on; once on its way it asks an earlier one again. Raises DenoiserError where the
    answer is another: the model is random, or keeps something from call to call (a step cache)."""

    def __init__(self, model: ScalarDenoiser, queries: int, fresh: Ask | None = None):
        self.model = model
        self._fresh = fresh or model  # which asks anew, whatever was kept
        self._again = max(int(queries * AGAIN), BACK)
        self._first = self._again + 1 - BACK  # never the first, which no cache can answer
        self._asked = 0
        self._kept: tuple[torch.Tensor, float, torch.Tensor] | None = None

    def __call__(self, x: torch.Tensor, sigma: float) -> torch.Tensor:
        denoised = self.model(x, sigma)
        self.calls += len(x)
        if self._asked == self._first:
            self._kept = x.cpu(), sigma, denoised.cpu()
        elif self._asked == self._again and self._kept is not None:
            earlier, level, answered = self._kept
            check_same(self._fresh(earlier.to(x), level).cpu(), answered, level)
            self.calls += len(x)
            self._kept = None
        self._asked += 1
        return denoised


def check_same(answer: torch.Tensor, before: torch.Tensor, sigma: float) -> None:
    """Raise DenoiserError unless two answers to one query agree."""
    apart = float((answer.float() - before.float()).norm() / before.float().norm().clamp(min=1e-30))
    if apart > SAME:
        raise DenoiserError(
            f"The model answered the same query at sigma {sigma:.4g} twice and the answers differ by "
            f"{apart:.1%}: it is random, or keeps something between calls (a step cache such as "
            "TeaCache or EasyCache); switch that off while distilling."
        )
