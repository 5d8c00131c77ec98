"""What is asked of a distillation, and how far it is: plain data that the job, the panel and the API
share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .host import sampler_labels
from .host_denoiser import Scene

if TYPE_CHECKING:
    from ..scheduler.record import Record

IDLE, WAITING, RUNNING, DONE, INTERRUPTED, FAILED = (
    "idle",
    "waiting",
    "running",
    "done",
    "interrupted",
    "failed",
)
QUALITY = ("instant", "standard", "thorough")  # efforts, by what each tries


@dataclass(frozen=True)
class Wish:
    """What to distil. steps: (least, most). measure: compare the recipes with stock's on held-out
    noise, too. again: even where the store has a record that fits. name: the record's, or empty.
    note: to be said beside the report. checkpoint: the file that was chosen when it was asked, or "".
    """

    scene: Scene
    samplers: tuple[str, ...] = ("distilled", "dpmpp_2m")
    steps: tuple[int, int] = (4, 12)
    quality: str = "instant"
    seed: int = 0
    measure: bool = True
    again: bool = False
    name: str = ""
    note: str = ""
    checkpoint: str = ""

    @property
    def counts(self) -> tuple[int, ...]:
        return tuple(range(max(self.steps[0], 1), max(self.steps) + 1))


@dataclass
class JobProgress:
    """How far the job is; `text` is its plan, then its report. Numbers are model calls."""

    state: str = IDLE
    phase: str = ""
    done: int = 0
    planned: int = 0
    seconds_left: float | None = None
    seconds: float = 0.0
    text: str = ""
    record_name: str = ""
    record: Record | None = field(default=None, repr=False)

    @property
    def busy(self) -> bool:
        return self.state in (WAITING, RUNNING)

    def data(self) -> dict:
        """For the API."""
        return {key: value for key, value in vars(self).items() if key != "record"}


def phase_words(phase: str) -> str:
    """What is being done, in words."""
    known = {
        "": "beginning",
        "teacher": "drawing in many steps, to learn from",
        "recordings": "looking at what was drawn",
        "refinement": "refining what is usable already",
        "evidence": "measuring on other seeds",
    }
    return known.get(phase) or f"fitting {sampler_labels().get(phase, phase)}"
