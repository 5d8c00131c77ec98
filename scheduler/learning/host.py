"""What a host must be able to do for one picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ..denoiser import Denoiser
from ..distilling.meter import Progress
from ..lookup.selection import Selection
from ..recordings import Recording
from .fitting import (
    Learnt,
)
from .outcome import Announcement

# The picture that one of these runs has drawn already, where it is the very one that a selection
# would draw now (at_hand.drew_this); else None.
Handed = Callable[[Selection, Sequence[Recording]], Any]


class Host(Protocol):
    """What a host does for one picture; its interruption passes through as its own exception, but
    while it learns from a picture that is drawn: that ends the learning alone."""

    interruption: type[BaseException]  # what it raises where its user interrupts

    def draw(self, found: Selection, recording: Recording | None) -> Any:
        """The picture, drawn with a recipe; the first ROWS of the run told to the recording, at the
        model's own calls."""
        ...

    def with_model(self, planned: int, work: Callable[[Denoiser, Progress], Learnt]) -> Learnt:
        """What `work` returns, given the model under the picture's own conditioning for at most so
        many model calls, and somebody who hears how far they are."""
        ...

    def tell(self, told: Announcement) -> None:
        """Say what is about to happen."""
        ...

    def prompt(self) -> str | None:
        """A hash by which the picture's conditioning is known again."""
        ...
