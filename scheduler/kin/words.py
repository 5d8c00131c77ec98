"""What is said of kin: one sentence each, in one place for every host."""

from __future__ import annotations

from ..record.verdict_words import choice_words, share_words
from ..record.words import NO_LABELS, Labels
from .judging import HOLDS, REFINE


def verdict(code: str, ratio: float, stock: str, rows: int, labels: Labels = NO_LABELS) -> str:
    """What a check found, as a sentence."""
    pictures = "one picture" if rows == 1 else f"{rows} pictures"
    share, other = share_words(ratio), choice_words(stock, labels)
    if code == HOLDS:
        return f"It holds here: {share} of the error of {other} on {pictures}."
    if code == REFINE:
        return (
            f"It is a start here: {share} of the error of {other} on {pictures}, not its full gain."
        )
    return f"It is refused here: {share} times the error of {other} on {pictures}."


def used(code: str, title: str, ratio: float) -> str:
    """What became of a kin's recipe in learning, as a sentence."""
    share = share_words(ratio)
    if code == HOLDS:
        return f"The recipe of {title} holds here: {share} of the error of the best stock choice."
    if code == REFINE:
        return f"The recipe of {title} was its start, at {share} of the best stock choice's error."
    return f"The recipe of {title} was tried and left: {share} times the best stock choice's error."
