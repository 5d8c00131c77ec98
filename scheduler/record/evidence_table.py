"""A record's evidence as plain tables: ours beside the best stock choice, a line a step count."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .choice import PUBLISHED
from .verdict import BETTER, EQUAL, SEEN, WORSE, outcome, steps_saved
from .verdict_words import CHECKED, NOT_MEASURED, choice_words
from .words import NO_LABELS, Labels

if TYPE_CHECKING:
    from .model import Recipe

HEADER = (
    "steps",
    "calls",
    "ours",
    "best stock",
    "",
    "ours/stock",
    "stock needs",
    "other picture",
    "verdict",
)
LEFT = (4, 8)  # words, to the left
_NOTES = {
    "calls": "model calls a sample, the same for stock",
    "ours/stock": "the ratio of the errors and its 95 % margin",
    "stock needs": "the fewest steps at which the best stock schedule reaches our error",
    "other picture": "the share of samples that come out as another picture than the teacher's",
}
NOTES_WIDTH = 105
OWN_ROWS = "on its own rows"  # seen by the fit: no proof
JUDGED = {BETTER: "better", EQUAL: "no gain", WORSE: "worse"}


def table(
    header: Sequence[str], rows: Sequence[Sequence[object]], left: Sequence[int] = (0,)
) -> str:
    """Aligned columns in plain characters; the columns in `left` to the left, the others to the right."""
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[k]) for row in cells) for k in range(len(header))]

    def line(row: Sequence[str]) -> str:
        columns = zip(row, widths, strict=True)
        return "  ".join(
            cell.ljust(width) if k in left else cell.rjust(width)
            for k, (cell, width) in enumerate(columns)
        ).rstrip()

    rule = "  ".join("-" * width for width in widths)
    return "\n".join([line(cells[0]), rule, *(line(row) for row in cells[1:])])


def error_text(value: float | None) -> str:
    """An error in three significant digits without an exponent; "-" for none."""
    if value is None:
        return "-"
    digits = 3 + (value < 0.0995) + (value < 0.00995)
    return f"{value:.{digits}f}"


def evidence_table(recipes: Sequence[Recipe], labels: Labels = NO_LABELS) -> str:
    """One line a step count: ours beside the best stock choice; columns that say nothing are left out."""
    rows = [_row(recipe, labels) for recipe in recipes]
    told = _columns(rows)
    left = [place for place, k in enumerate(told) if k in LEFT]
    return table([HEADER[k] for k in told], [[row[k] for k in told] for row in rows], left)


def column_notes(recipes: Sequence[Recipe]) -> str:
    """What the columns mean that the tables of these recipes have; "" where there are none to explain."""
    shown = {HEADER[k] for k in _columns([_row(each, NO_LABELS) for each in recipes])}
    notes = " ".join(f"{name}: {text}." for name, text in _NOTES.items() if name in shown)
    return textwrap.fill(notes, NOTES_WIDTH)


def _columns(rows: Sequence[tuple]) -> list[int]:
    """The columns that say something."""
    return [k for k in range(len(HEADER)) if any(row[k] not in ("", "-") for row in rows)]


def verdict_word(recipe: Recipe, labels: Labels = NO_LABELS) -> str:
    """A word or two: "better", "no gain", "on its own rows", "checked", "published", or stock's that won."""
    if recipe.choice.schedule == PUBLISHED:
        return PUBLISHED
    if not recipe.choice.ours:
        return f"stock: {choice_words(recipe.choice, labels)}"
    if recipe.evidence.get("verdict") == SEEN:
        return CHECKED if recipe.evidence.get("rows", {}).get(CHECKED) else OWN_ROWS
    return JUDGED[outcome(recipe.evidence.get("ratio"), recipe.evidence.get("margin"))]


def stock_error(evidence: Mapping) -> float | None:
    """The error of the best stock choice of a recipe's evidence, where it is known."""
    best = evidence.get("best_stock")
    return evidence.get("stock", {}).get(best, {}).get("rms") if best else None


def _equal_text(evidence: Mapping) -> str:
    """ "16", or "> 24" where so many were followed in vain."""
    saved = steps_saved(evidence)
    return "-" if saved is None else f"{'> ' if saved[1] else ''}{saved[0]}"


def _row(recipe: Recipe, labels: Labels) -> tuple:
    found = recipe.evidence
    if "rms" not in found:
        stock = f" ({verdict_word(recipe, labels)})" if not recipe.choice.ours else ""
        return recipe.steps, "", "-", "-", "", "-", "-", "-", NOT_MEASURED + stock
    different = found.get("different")
    return (
        recipe.steps,
        found.get("model_calls", ""),
        error_text(found["rms"]),
        error_text(stock_error(found)),
        choice_words(found["best_stock"], labels) if found.get("best_stock") else "",
        _ratio(found),
        _equal_text(found),
        "-" if different is None else f"{100 * different:.0f} %",
        verdict_word(recipe, labels),
    )


def _ratio(found: Mapping) -> str:
    ratio, margin = found.get("ratio"), found.get("margin")
    if ratio is None:
        return "-"
    sure = "" if margin is None else f" +-{min(100 * math.expm1(margin), 999):3.0f} %"
    return f"{ratio:.2f}{sure}"
