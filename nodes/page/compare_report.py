"""What Compare Schedules says: its plan, the table of errors, where ours comes from, and how it
does beside stock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..names import DISTILLED as OURS

if TYPE_CHECKING:
    from ...scheduler.lookup.selection import Selection

AS_LONG = 1.05  # seconds that count as equal


def where_from(found: Mapping[int, Selection]) -> list[str]:
    """Where `distilled` comes from at each step count, and how that differs from what runs.

    And where it is a stock schedule itself, or was solved from the record's teacher.
    """
    from ...scheduler.lookup import selection, words

    left_out: dict[str, list[int]] = {}
    for steps, each in found.items():
        if each.reason:
            left_out.setdefault(words.reason(each.reason), []).append(steps)
    notes = [_left_out(why, steps, len(found)) for why, steps in left_out.items()]
    ours = {steps: each for steps, each in found.items() if each.match is not None}
    for each in list(ours.values())[:1]:
        notes.append(_origin(each))
    stock = ", ".join(
        f"{steps} ({each.recipe.choice})" for steps, each in ours.items() if each.stock_won
    )
    longer = ", ".join(str(steps) for steps, each in ours.items() if each.longer)
    again = ", ".join(
        str(steps)
        for steps, each in ours.items()
        if each.measured == selection.SOLVED and not each.longer
    )
    if stock:
        notes.append(
            f"At these step counts stock had won there, and {OURS} is that schedule: {stock}."
        )
    if longer:
        notes.append(
            f"At these step counts it has no recipe, and that of fewer steps runs, lengthened: {longer}."
        )
    if again:
        notes.append(
            f"At these step counts it has no recipe, and one was solved from its teacher: {again}."
        )
    return notes


def _left_out(why: str, steps: list[int], of: int) -> str:
    """Why ours does not run, said once for all its step counts."""
    where = "" if len(steps) == of else f" at {', '.join(map(str, steps))} steps"
    return f"{OURS} is left out{where}: {why[:1].lower()}{why[1:]}"


def _origin(found: Selection) -> str:
    from ...scheduler.lookup import made_words, selection

    differs = made_words.differs(found.match)
    place = "the store's nearest record," if differs else "the store's record"
    if found.source == selection.GIVEN:
        place = "the record of"
    title = found.name.removesuffix(".json") or found.match.title
    more = f" It differs from what you run: {differs}." if differs else ""
    return f"{OURS} is from {place} {title}.{more}"


def plan_text(contest) -> str:
    """What will be done, before it is."""
    names = list(dict.fromkeys(name for name, _ in contest.runs))
    counts = ", ".join(map(str, contest.steps))
    begin = f"Comparing {len(names)} schedules with {contest.sampler} at {counts} steps "
    begin += f"on {contest.seeds} noises"
    return f"{begin}: at most {contest.calls} model calls."


def said(results, notes: Iterable[str], nodes: int) -> str:
    """The table of errors, and how ours does beside the best stock schedule at each step count."""
    from ...scheduler.record.evidence_table import error_text, table

    least = {steps: _least(results, steps) for steps in results.steps}
    lines = []
    for name in results.ranked():
        cells = [(results.rms(name, steps), least[steps]) for steps in results.steps]
        lines.append(
            (
                name,
                *(
                    error_text(error) + ("*" if error is not None and error == best else " ")
                    for error, best in cells
                ),
            )
        )
    head = f"{results.name}, {results.sampler}, {results.seeds} noises: "
    head += f"distance from what {nodes} steps of second order draw (RMS)"
    text = table(("schedule", *(f"{steps} steps " for steps in results.steps)), lines)
    parts = [
        head,
        text + "\n* the least of its column",
        "\n".join(beside_stock(results)),
        "\n".join(at_equal_seconds(results)),
        "\n".join(dict.fromkeys(notes)),
    ]
    return "\n\n".join(part for part in parts if part)


def at_equal_seconds(results) -> list[str]:
    """A sentence a step count: the second model's best run that took no longer than ours (or the best
    stock schedule's, where ours did not run)."""
    if results.second is None:
        return []
    others = [name for name in results.ranked() if name != results.second]
    first = others[0]
    return [
        _beside_second(results, first, steps)
        for steps in results.steps
        if results.rms(first, steps) is not None
    ]


def _beside_second(results, first: str, steps: int) -> str:
    from ...scheduler.record.evidence_table import error_text

    second, seconds = results.second, results.seconds[results.second]
    own, error = results.seconds[first][steps], results.rms(first, steps)
    ours = f"the {_time(own)} of {steps} steps of {first} (error {error_text(error)})"
    there = {n: results.rms(second, n) for n in seconds if seconds[n] <= own * AS_LONG}
    there = {n: found for n, found in there.items() if found is not None}
    if not there:
        shortest = min(seconds, key=seconds.get)
        took = _time(seconds[shortest])
        return f"In {ours} {second} has no run: {shortest} steps of it took {took}."
    best = min(there, key=there.get)
    found = f"{best} steps ({_time(seconds[best])}, error {error_text(there[best])})"
    ratio = error / max(there[best], 1e-12)
    return f"In {ours} {second} draws {found}: {first} has {ratio:.2f} of its error."


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"


def _least(results, steps: int) -> float | None:
    found = [results.rms(name, steps) for name in results.errors]
    return min((error for error in found if error is not None), default=None)


def beside_stock(results) -> list[str]:
    """A sentence a step count: ours beside the stock schedule that is best in hindsight, with the margin."""
    from ...scheduler.evidence.verdicts import paired_ratio

    said = []
    for steps in results.steps:
        stock = [
            name for name in results.errors if name != OURS and results.rms(name, steps) is not None
        ]
        if steps not in results.errors.get(OURS, {}) or not stock:
            continue
        best = min(stock, key=lambda name: results.rms(name, steps))
        ratio, margin = paired_ratio(results.errors[OURS][steps], results.errors[best][steps])
        if ratio is not None:
            sure = "" if margin is None else f" (+-{min(100 * np.expm1(margin), 999):.0f} %)"
            said.append(
                f"At {steps} steps {OURS} has {ratio:.2f} of the error of {best}, the best of "
                f"the others here{sure}."
            )
    return said
