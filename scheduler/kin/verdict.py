"""What a check found of a recipe that was made for another model, or under other conditions."""

from __future__ import annotations

from dataclasses import dataclass

from . import words
from .judging import HOLDS


@dataclass(frozen=True)
class KinVerdict:
    """code: HOLDS (use it as it is), REFINE (a start, better than stock) or REFUSE (it loses to stock).
    error, stock_error: RMS distance from the teacher's end of the recipe and of the best stock pair that was
    run beside it, whose name is `stock`. rows: on how many pictures. calls: model calls made."""

    code: str
    error: float
    stock_error: float
    stock: str
    rows: int
    calls: int

    @property
    def holds(self) -> bool:
        return self.code == HOLDS

    @property
    def ratio(self) -> float:
        """The recipe's error over the stock pair's."""
        return self.error / max(self.stock_error, 1e-30)

    @property
    def words(self) -> str:
        """What was found, as a sentence."""
        return words.verdict(self.code, self.ratio, self.stock, self.rows)

    @property
    def data(self) -> dict:
        """What a record keeps of it."""
        return {
            "verdict": self.code,
            "rms": self.error,
            "stock_rms": self.stock_error,
            "stock": self.stock,
            "rows": self.rows,
            "calls": self.calls,
        }
