"""What won at one step count: our own schedule, a published one, or a stock schedule and the sampler it runs with."""

from __future__ import annotations

OURS, PUBLISHED = "ours", "published"
BESIDE = " + "


class Choice(str):
    """A schedule by name and, where it is not the recipe's own, the stock sampler that runs it.

    As text it is its label: "ours", "beta" or "beta + dpmpp_2m"; it equals that text.
    """

    schedule: str
    sampler: str | None

    def __new__(cls, schedule: str, sampler: str | None = None) -> Choice:
        self = super().__new__(cls, f"{schedule}{BESIDE}{sampler}" if sampler else schedule)
        self.schedule, self.sampler = schedule, sampler
        return self

    def __getnewargs__(self) -> tuple[str, str | None]:
        return self.schedule, self.sampler

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
        return self.schedule not in (OURS, PUBLISHED)
