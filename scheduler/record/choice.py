"""What won at one step count: our own schedule, a published one, or a stock schedule and the sampler
it runs with."""

from __future__ import annotations

OURS, PUBLISHED = "ours", "published"
BESIDE = " + "


def label_of(schedule: str, sampler: str | None = None) -> str:
    """The label of a schedule and, where it is not the recipe's own, the sampler that runs it."""
    return f"{schedule}{BESIDE}{sampler}" if sampler else schedule


def settled_label(label: str) -> str:
    """A label as it would be made of its parts: without an end that names no sampler."""
    open_ended = label.endswith(BESIDE) and label.index(BESIDE) == len(label) - len(BESIDE)
    return label[: -len(BESIDE)] if open_ended else label


class Choice(str):
    """A schedule by name and, where it is not the recipe's own, the stock sampler that runs it.

    As text it is its label: "ours", "beta" or "beta + dpmpp_2m"; it equals that text.
    """

    schedule: str
    sampler: str | None

    def __new__(cls, schedule: str, sampler: str | None = None) -> Choice:
        self = super().__new__(cls, label_of(schedule, sampler))
        self.schedule, self.sampler = schedule, sampler
        return self

    def __reduce__(self) -> tuple:
        return type(self), (self.schedule, self.sampler)

    @classmethod
    def read(cls, label: str) -> Choice:
        """The choice that a label names."""
        schedule, _, sampler = str(label).partition(BESIDE)
        return cls(schedule, sampler or None)

    @property
    def ours(self) -> bool:
        """Whether it is what was fitted here."""
        return self.schedule == OURS

    @property
    def stock(self) -> bool:
        """Whether it is one of the hosts' stock schedules."""
        return not self.ours and not self.schedule.startswith(PUBLISHED)
