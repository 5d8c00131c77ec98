"""What a check found of a recipe that was made for another model, or under other conditions."""

from __future__ import annotations

from dataclasses import dataclass

from . import words
from .judging import HOLDS, REFUSE


@dataclass(frozen=True)
class KinVerdict:
    """code: HOLDS (use it as it is), REFINE (a start, better than stock) or REFUSE (it loses to stock, or
    is a stranger's). error, stock_error: RMS distance from the teacher's end of the recipe and of the best
    stock pair that was run beside it, whose name is `stock`; None of a stranger's, which is not run. rows: on
    how many pictures. calls: model calls made. stranger: of strangers.py, why it was not run, or ""."""

    code: str
    error: float | None
    stock_error: float | None
    stock: str
    rows: int
    calls: int
    stranger: str = ""

    @classmethod
    def of_stranger(cls, why: str, calls: int = 0) -> KinVerdict:
        """Refused, not run."""
        return cls(REFUSE, None, None, "", 0, calls, why)

    @property
    def holds(self) -> bool:
        return self.code == HOLDS

    @property
    def ratio(self) -> float | None:
        """The recipe's error over the stock pair's; None where it was not run."""
        if self.error is None or self.stock_error is None:
            return None
        return self.error / max(self.stock_error, 1e-30)

    @property
    def words(self) -> str:
        """What was found, as a sentence."""
        if self.ratio is None:
            return words.not_run(self.stranger)
        return words.verdict(self.code, self.ratio, self.stock, self.rows)

    @property
    def data(self) -> dict:
        """What a record keeps of it."""
        if self.stranger:
            return {"verdict": self.code, "stranger": self.stranger, "calls": self.calls}
        return {
            "verdict": self.code,
            "rms": self.error,
            "stock_rms": self.stock_error,
            "stock": self.stock,
            "rows": self.rows,
            "calls": self.calls,
        }
