"""The latents that the host's own empty ones stand for: what a file tells of a picture's size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .kinds import known

FRAMES = 4  # frames of a video that a latent frame stands for, but for the first


@dataclass(frozen=True)
class LatentSize:
    """In latent cells; frames: of a video."""

    height: int
    width: int
    frames: int | None = None

    def shape(self, channels: int, video: bool = False) -> tuple[int, ...]:
        """One sample's. video: whether the model takes pictures as videos of one frame."""
        frames = 1 if self.frames is None and video else self.frames
        between = () if frames is None else (frames,)
        return (channels, *between, self.height, self.width)


def size_of(kind: str, number: Callable[[str], object]) -> LatentSize | None:
    """What a node of this kind makes; None of kinds that are not known, or whose numbers are not.

    number: the value of one of its widgets, by name.
    """
    spec = known(kind)
    if spec.get("role") != "latent":
        return None
    cell, widgets = spec["cell"], spec["widgets"]
    found = [_whole(number(name)) for name in ("height", "width", "length") if name in widgets]
    if any(each is None for each in found):
        return None
    height, width, *length = (each for each in found if each is not None)
    frames = (length[0] - 1) // FRAMES + 1 if length else None
    return LatentSize(max(height // cell, 1), max(width // cell, 1), frames)


def _whole(value: object) -> int | None:
    return value if type(value) is int and value > 0 else None
