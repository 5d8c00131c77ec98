"""What is said of kin: one sentence each, in one place for every host."""

from __future__ import annotations

from ..fingerprint.kinship import SAME
from ..lookup.differences import CFG, SIZE
from ..lookup.made_words import condition
from ..record.verdict_words import choice_words, share_words
from ..record.words import NO_LABELS, Labels
from .finding import Kin
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


def apart(kin: Kin) -> tuple[str, str] | None:
    """Of the very model's own record, ("cfg 3", "cfg 7"): where its recipe was made and what runs; None
    of other weights or sources, and where more than cfg and size differ."""
    found = kin.differences
    if kin.kinship != SAME or kin.match.origin is not None or not found:
        return None
    if any(each.code not in _TOLD for each in found):
        return None
    made = " and ".join(condition(each.code, each.made) for each in found)
    return made, " and ".join(condition(each.code, each.here) for each in found)


_TOLD = (CFG, SIZE)


def whose(title: str, own: tuple[str, str] | None) -> str:
    """ "the recipe of Base", or of the very model "your recipe of cfg 3"."""
    return f"the recipe of {title}" if own is None else f"your recipe of {own[0]}"


def used(code: str, title: str, ratio: float, own: tuple[str, str] | None = None) -> str:
    """What became of a kin's recipe in learning, as a sentence. own: of `apart`."""
    share = share_words(ratio)
    named = whose(title, own)
    named = named[:1].upper() + named[1:]
    here = "here" if own is None else f"at {own[1]} too"
    if code == HOLDS:
        return f"{named} holds {here}: {share} of the error of the best stock choice."
    if code == REFINE:
        return f"{named} was its start, at {share} of the best stock choice's error."
    tried = "tried" if own is None else f"tried at {own[1]}"
    return f"{named} was {tried} and left: {share} times the best stock choice's error."
