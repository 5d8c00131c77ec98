"""The printed form of the cells: a line a bed and step count, geometric means beside their marks, and every
cell that misses one by name."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.cells import STEPS, Mark, Table
from benchmarks.tables import mean

WIDTH = 24
MISSING = "refused"


def shown(name: str, table: Table, results: list[dict]) -> str:
    """The whole table. A cell: the geometric mean over seeds of the ratio at N / at 2N, and the worst
    seed at N; s where at least one seed's recipe is a stock one."""
    beds = list(dict.fromkeys(each["bed"] for each in results))
    columns = [f"{mark.name} calls" for mark in table.marks]
    lines = [
        f"\n== {name}: RMS over the best stock pair's in hindsight, at N / at 2N, worst seed at N",
        f"{'':22}{'N':>3}" + "".join(f"{column:>{WIDTH}}" for column in columns),
    ]
    for bed in beds:
        for steps in STEPS:
            cells = [_cell(results, bed, steps, mark) for mark in table.marks]
            if any(cells):
                lines.append(f"{bed:22}{steps:3}" + "".join(map(_worded, cells)))
    for what in ("over", "over_double"):
        means = [_mean_of(results, beds, mark, what) for mark in table.marks]
        said = "geometric mean at N" if what == "over" else "geometric mean at 2N"
        lines.append(f"{said:25}" + "".join(f"{value:{WIDTH}.3f}" for value in means))
    lines.append(_spent(table, results))
    missed = list(_missed(table, results, beds)) or ["none"]
    return "\n".join([*lines, "short of its mark:", *(f"  {each}" for each in missed)])


def _cell(results: list[dict], bed: str, steps: int, mark: Mark) -> list[dict]:
    """The seeds of one cell."""
    budget = mark.calls[STEPS.index(steps)]
    wanted = bed, steps, budget
    return [each for each in results if (each["bed"], each["steps"], each["budget"]) == wanted]


def _worded(seeds: list[dict]) -> str:
    found = _finished(seeds)
    if not found:
        return f"{MISSING if seeds else '':>{WIDTH}}"
    stock = "s" if any(each["choice"] != "ours" for each in found) else " "
    worst = max(each["over"] for each in found)
    ratios = f"{_of(found, 'over'):.2f} / {_of(found, 'over_double'):.2f}"
    return f"{f'{ratios} w {worst:.2f}{stock}':>{WIDTH}}"


def _finished(seeds: list[dict]) -> list[dict]:
    return [each for each in seeds if MISSING not in each]


def _of(seeds: list[dict], what: str) -> float:
    return mean(each[what] for each in seeds)


def _cells(results: list[dict], beds: list[str], mark: Mark) -> Iterable[tuple[str, list[dict]]]:
    """(its name, its seeds) of every cell of a mark that was measured."""
    for bed in beds:
        for steps in STEPS:
            found = _finished(_cell(results, bed, steps, mark))
            if found:
                yield f"{bed} N={steps}, {mark.calls[STEPS.index(steps)]} calls", found


def _mean_of(results: list[dict], beds: list[str], mark: Mark, what: str) -> float:
    return mean(_of(found, what) for _, found in _cells(results, beds, mark))


def _spent(table: Table, results: list[dict]) -> str:
    """The most that any run asked of its denoiser, beside what it was given."""
    finished = _finished(results)
    over = [each for each in finished if each["calls"] > each["budget"]]
    seconds = sum(each["own_seconds"] for each in finished)
    calls = sum(each["calls"] for each in finished)
    refused = len(results) - len(finished)
    return (
        f"{len(finished)} runs, {calls} model calls counted by the denoiser; {len(over)} above their "
        f"number, {refused} refused; {1000 * seconds / max(calls, 1):.2f} ms a call beside the model"
    )


def _missed(table: Table, results: list[dict], beds: list[str]) -> Iterable[str]:
    for mark in table.marks:
        yield from _means_missed(mark, results, beds)
        for name, found in _cells(results, beds, mark):
            yield from _above(name, "at N", _of(found, "over"), mark.cell)
            yield from _above(name, "at 2N", _of(found, "over_double"), mark.double_cell)
            for each in found:
                yield from _above(f"{name}, seed {each['seed']}", "at N", each["over"], mark.seed)


def _means_missed(mark: Mark, results: list[dict], beds: list[str]) -> Iterable[str]:
    name = f"geometric mean, {mark.name} calls"
    yield from _above(name, "at N", _mean_of(results, beds, mark, "over"), mark.mean)
    yield from _above(name, "at 2N", _mean_of(results, beds, mark, "over_double"), mark.double_mean)


def _above(name: str, where: str, value: float, most: float | None) -> Iterable[str]:
    if most is not None and value > most:
        yield f"{name}: {value:.2f} {where} over {most:g}"
