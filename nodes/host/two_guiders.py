"""Two guiders in one sampling run, as denoisers: each model with its own conditioning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .guider import Guided, Heard, run


def run_both(
    first: Guided, second: Guided, work: Callable, sigma_max: float, seed: int, heard: Heard
) -> Any:
    """What `work(first denoiser, second denoiser)` returns; each as of `guider.run`.

    Where the host has no room for both models, the one that is asked is loaded first.
    """
    turn = _Turn()

    def with_first(outer: tuple) -> Any:
        def with_second(inner: tuple) -> Any:
            return work(turn.of(first, outer[0]), turn.of(second, inner[0]))

        return run(second, with_second, sigma_max, seed, heard=heard)

    return run(first, with_first, sigma_max, seed, heard=heard)


class _Turn:
    """Which model was asked last."""

    def __init__(self) -> None:
        self.last: Guided | None = None

    def of(self, guided: Guided, denoise: Callable) -> Callable:
        def asked(x, sigma):
            if self.last is not guided:
                _load(guided, x)
                self.last = guided
            return denoise(x, sigma)

        return asked


def _load(guided: Guided, x: Any) -> None:
    from comfy.model_management import load_models_gpu

    patcher = guided.patcher
    shape = [2 * guided.batch, *x.shape[1:]]  # with and without the prompt
    needed = patcher.memory_required(shape) if hasattr(patcher, "memory_required") else 0
    load_models_gpu([patcher], needed)
