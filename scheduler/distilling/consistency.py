"""Whether a model answers the same when it is asked the same: what a fit is made of."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..denoiser import ScalarDenoiser
from ..errors import DenoiserError

SAME = 1e-2  # relative: beyond what unordered sums in half precision leave, under guidance too
AGAIN = 1 / 3  # the share of a run after which two earlier queries are asked again
# Five calls back: a cache that skips every second, third or fourth call has answered one of two from
# memory, whichever calls it skips. Two that followed each other: one that skips while little changes
# has answered one of the two from memory, and computes both when it is asked from afar.
BACK = 5
PAIR = 2  # queries that are asked again, one after each of two others: the model calls of a row
# Of a recorded run, the steps that are asked again, as shares of it and steps more, in this order.
ASKED = ((1 / 2, 1), (1 / 6, 0), (1 / 2, 0))
Ask = Callable[[torch.Tensor, float], torch.Tensor]


class Twice(ScalarDenoiser):
    """Passes queries on; on its way it asks two earlier ones again. Raises DenoiserError where an
    answer is another: the model is random, keeps something from call to call (a step cache), or goes
    by more than the state and its noise level."""

    def __init__(self, model: ScalarDenoiser, queries: int, fresh: Ask | None = None):
        self.model = model
        self._fresh = fresh or model  # which asks anew, whatever was kept
        again = max(int(queries * AGAIN), BACK)
        first = again + 1 - BACK  # never the first, which no cache can answer
        # Which is asked again after which: the later one first, so that both are asked from afar.
        self._after = {again: first + 1, again + 1: first}
        self._asked = 0
        self._kept: dict[int, tuple[torch.Tensor, float, torch.Tensor]] = {}

    def __call__(self, x: torch.Tensor, sigma: float) -> torch.Tensor:
        denoised = self.model(x, sigma)
        self.calls += len(x)
        if self._asked in self._after.values():
            self._kept[self._asked] = x.cpu(), sigma, denoised.cpu()
        earlier = self._kept.pop(self._after.get(self._asked, -1), None)
        if earlier is not None:
            self._ask_again(x, *earlier)
        self._asked += 1
        return denoised

    def _ask_again(
        self, here: torch.Tensor, x: torch.Tensor, sigma: float, answered: torch.Tensor
    ) -> None:
        check_same(self._fresh(x.to(here), sigma).cpu(), answered, sigma)
        self.calls += len(x)


def asked_again(steps: int) -> list[int]:
    """Which of a recorded run's steps (12 at least) are asked again, in this order."""
    return [int(steps * share) + more for share, more in ASKED]


def check_same(answer: torch.Tensor, before: torch.Tensor, sigma: float) -> None:
    """Raise DenoiserError unless two answers to one query agree."""
    apart = float((answer.float() - before.float()).norm() / before.float().norm().clamp(min=1e-30))
    if apart > SAME:
        raise DenoiserError(
            f"The model answered the same query at sigma {sigma:.4g} twice and the answers differ by "
            f"{apart:.1%}: it is random, keeps something between calls (a step cache such as TeaCache "
            "or EasyCache), or goes by its next step too (a flow map); switch that off while distilling."
        )
