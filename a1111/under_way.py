"""What learning from a picture borrows of the host while it goes on: its progress bar, which begins
anew, and the place of the live preview, which the finished picture keeps."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

BAR = ("job_no", "job_count", "sampling_step", "sampling_steps", "time_start")
SHOW = "assign_current_image"
NEVER = 10**9  # steps until the preview is made anew of what the model answers

_pictures: list[Any] = []


@contextmanager
def under_way(p: Any) -> Iterator[None]:
    """While the picture of the host's processing p is learnt from."""
    _pictures.append(p)
    try:
        yield
    finally:
        _pictures.remove(p)


def learning_now() -> bool:
    """Whether a picture is being learnt from: what its record holds meanwhile changes yet."""
    return bool(_pictures)


class LentState:
    """The host's state for the duration of a `with` block; put back afterwards."""

    def __enter__(self) -> None:
        from modules import shared

        state = self.state = shared.state
        names = (*BAR, "current_image_sampling_step")
        self.kept: list[tuple[str, Any]] = [
            (name, getattr(state, name)) for name in names if hasattr(state, name)
        ]
        # The bar counts the learning alone: all pictures are done, and the host divides the time
        # since its start by its share.
        state.job_no, state.job_count = 0, 1
        state.time_start = time.time()
        state.current_image_sampling_step = NEVER
        # Hosts that may not decode beside the sampler show what the model answers at once.
        self.shows = vars(state).get(SHOW)
        setattr(state, SHOW, _unseen)

    def __exit__(self, *trouble: Any) -> None:
        state = self.state
        delattr(state, SHOW)
        if self.shows is not None:
            setattr(state, SHOW, self.shows)
        state.current_latent = None  # else it is decoded in the picture's place
        for name, value in self.kept:
            setattr(state, name, value)


def _unseen(image: Any) -> None:
    """The picture stays."""
