"""The printed form of the figures by sampler.

A table a bed, the geometric means beside their targets, and every losing cell by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import exp, inf, log

SAMPLERS = ("euler", "dpmpp_2m", "uni_pc")
GUARD_SLACK = 1.05
SAME = 1.01  # two stock schedules may differ by less
Cell = dict


def best_pair(stock: dict[str, dict], figure: str = "rms") -> dict:
    """The best stock pair in hindsight."""
    return min(stock.values(), key=lambda each: each[figure])


def with_whole_steps(result: dict) -> dict:
    """JSON made the step counts text; this makes them numbers again."""
    return result | {"cells": {int(n): cell for n, cell in result["cells"].items()}}


def everything(results: list[dict]) -> str:
    return "\n".join([*map(bed, results), summary(results)])


def bed(result: dict) -> str:
    """One bed: RMS, then medians.

    s marks a recipe that is a stock one, because ours did not win; - a variant whose offsets did
    not.
    """
    lines = [
        f"\n== {result['bed']}, guidance {result['cfg']:g}, "
        f"effort {result['effort']}, {result['rows']} held-out rows"
    ]
    for run in result["runs"]:
        calls = f"{run['calls']} of {run['plan']['calls']} model calls"
        spent = f"{calls} on {run['plan']['rows']} samples, {run['seconds']:.0f} s"
        lines.append(f"   {', '.join(run['samplers'])}: {spent}")
    for figure in ("rms", "median"):
        lines.append(_header(figure))
        lines += [_line(n, cell, figure) for n, cell in result["cells"].items()]
    for n, cell in result["cells"].items():
        best = best_pair(cell["stock"])["choice"]
        guards = cell["guard"]["distilled"]["choice"]
        lines.append(f"   N={n}: best stock pair {best}; the guard's own {guards}")
    return "\n".join(lines)


def _header(figure: str) -> str:
    columns = ["best pair", "at 2N", "distilled", "/best", "/2N"]
    for sampler in SAMPLERS:
        columns += [f"stock {sampler.replace('dpmpp_', '')}", "ours", "+offsets", "/stock"]
    widths = [13 if column.startswith("stock") else 10 for column in columns]
    cells = [f"{column:>{width}}" for column, width in zip(columns, widths, strict=True)]
    return f"{figure:>8}" + "".join(cells)


def _line(steps: int, cell: Cell, figure: str) -> str:
    best = best_pair(cell["stock"], figure)[figure]
    double = best_pair(cell["double"], figure)[figure]
    ours = cell["recipes"]["distilled"]
    line = f"{f'N={steps}':>8}{_number(best):>10}{_number(double):>10}{_marked(ours, figure):>10}"
    line += f"{ours[figure] / best:10.2f}{ours[figure] / double:10.2f}"
    for sampler in SAMPLERS:
        stock = cell["stock"][sampler][figure]
        plain = cell["recipes"][sampler]
        offsets = cell["recipes"][f"{sampler}+"]
        line += f"{_number(stock):>13}{_marked(plain, figure):>10}"
        line += f"{_marked(offsets, figure):>10}{offsets[figure] / stock:10.2f}"
    return line


def _marked(recipe: dict, figure: str) -> str:
    value = _number(recipe[figure])
    if recipe["choice"].endswith("no offsets"):
        return f"{value}-"
    return f"{value} " if recipe["choice"] == "ours" else f"{value}s"


def _number(value: float) -> str:
    return f"{value:.4f}" if value < 10 else f"{value:.3g}"


def mean(ratios: Iterable[float]) -> float:
    """The geometric mean."""
    ratios = [max(ratio, 1e-9) for ratio in ratios]
    if not ratios or max(ratios) == inf:
        return inf
    return exp(sum(map(log, ratios)) / len(ratios))


def summary(results: list[dict]) -> str:
    """Geometric means and worst cells over all beds and step counts, beside the targets.

    Then what misses them, cell by cell.
    """
    cells = [
        (f"{each['bed']}:{each['cfg']:g} N={n}", cell)
        for each in results
        for n, cell in each["cells"].items()
    ]
    lines = [
        f"\n== all {len(results)} beds, {len(cells)} cells (RMS): "
        "geometric mean, worst cell, median error's mean, target"
    ]
    losses = []
    for name, ours, theirs, target, worst in _comparisons():
        ratios = {where: ours(cell, "rms") / theirs(cell, "rms") for where, cell in cells}
        medians = mean(ours(cell, "median") / theirs(cell, "median") for _, cell in cells)
        most = max(ratios, key=ratios.get)
        lines.append(
            f"{name:48}{mean(ratios.values()):7.3f}{ratios[most]:8.2f} ({most}){'':2}"
            f"median {medians:.3f}   {target}"
        )
        if worst is not None:
            losses += [
                f"{name} {where}: {ratio:.2f}" for where, ratio in ratios.items() if ratio > worst
            ]
    guarded = list(_guarded(cells))
    lines.append(
        f"{'recipes above 1.05x of the guard own stock choice':48}{len(guarded):7} "
        f"of {len(cells) * 7}   target 0"
    )
    for k, run in enumerate(results[0]["runs"]):
        calls = [each["runs"][k]["calls"] for each in results]
        seconds = [each["runs"][k]["seconds"] for each in results]
        spent = f"{min(calls)} to {max(calls)} model calls"
        lines.append(
            f"{', '.join(run['samplers'])}: {spent}, "
            f"{min(seconds):.0f} to {max(seconds):.0f} s a bed"
        )
    losing = [f"  {each}" for each in [*losses, *guarded] or ["none"]]
    return "\n".join([*lines, "losing cells:", *losing])


def _comparisons() -> Iterable[tuple[str, Callable, Callable, str, float | None]]:
    """(name, our error of a cell, the other's, target, worst ratio that is no loss)."""

    def recipe(name: str) -> Callable:
        return lambda cell, figure: cell["recipes"][name][figure]

    def stock(sampler: str) -> Callable:
        return lambda cell, figure: cell["stock"][sampler][figure]

    def pair(steps: str) -> Callable:
        return lambda cell, figure: best_pair(cell[steps], figure)[figure]

    ours = recipe("distilled")
    yield "distilled / best stock pair", ours, pair("stock"), "target .35, worst 1", 1.0
    yield "distilled at N / best stock pair at 2N", ours, pair("double"), "target 1.15", None
    targets = {"euler+": "target .45", "dpmpp_2m+": "target .95"}
    for sampler in SAMPLERS:
        for name in (sampler, f"{sampler}+"):
            what = "schedule" if name == sampler else "schedule and offsets"
            shown = f"{sampler} {what} / best stock {sampler}"
            yield shown, recipe(name), stock(sampler), targets.get(name, ""), SAME


def _guarded(cells: Iterable[tuple[str, Cell]]) -> Iterable[str]:
    for where, cell in cells:
        for name, recipe in cell["recipes"].items():
            choice = cell["guard"][name.removesuffix("+")]
            if recipe["rms"] > GUARD_SLACK * choice["rms"]:
                ratio = recipe["rms"] / choice["rms"]
                over = f"over the guard's stock choice ({choice['choice']})"
                yield f"{name} ({recipe['choice']}) {over} {where}: {ratio:.2f}"
