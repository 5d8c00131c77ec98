"""What a distillation or its evidence left out for want of budget or data: codes with numbers, and
what they mean in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

# Of a distillation.
FULL_FITS = "full_fits"  # steps: the counts that were fitted in full
THIRD_OFFSET = "third_offset"
STOCK_REFINEMENT = "stock_refinement"
REFINEMENT = "refinement"  # above: of the step counts above this (0: of all)
POLISH = "polish"  # likewise
RUNS = "runs"  # runs: of each recipe after its starts, too few to refine it to its end
FIT_ORDERS = "fit_orders"  # rows: how many trajectories there are
# Of the evidence.
STEP_COUNTS = "step_counts"  # steps: those that were not measured
STOCK_PAIRS = "stock_pairs"  # samplers: whose stock pairs were not run
FEW_STOCK = "few_stock"  # schedules: of each stock sampler, the first by the inner products
LOWER_STARTS = "lower_starts"
TOO_SMALL = "too_small"  # budget, and the least that works

MOST_SHOWN = 20


def left_out(entry: Mapping) -> str:
    """One entry in words, as the rest of a sentence: "no polish of `distilled` ..."."""
    code = entry["code"]
    words = _WORDS.get(code)
    return words(entry) if words else code.replace("_", " ")


def evidence_notes(entries: Sequence[Mapping]) -> list[str]:
    """What was left out of the evidence, in sentences."""
    cut = [entry for entry in entries if entry["code"] in (STEP_COUNTS, STOCK_PAIRS)]
    sentences = []
    if cut:
        budget = f" ({cut[0]['budget']} model calls)" if cut[0].get("budget") else ""
        parts = "; ".join(left_out(entry) for entry in cut)
        sentences.append(f"Not measured, to keep the cost down{budget}: {parts}.")
    others = (left_out(entry) for entry in entries if entry not in cut)
    return sentences + [f"{each[:1].upper()}{each[1:]}." for each in others]


def _full_fits(entry: Mapping) -> str:
    steps = entry.get("steps", ())
    counts = ", ".join(map(str, steps[:MOST_SHOWN])) + (", ..." if len(steps) > MOST_SHOWN else "")
    return (
        f"full fits only at {counts} steps; "
        "the others are carried over from these, and so is the guard's verdict"
    )


def _against_the_end(part: str):
    def words(entry: Mapping) -> str:
        above = f" above {entry['above']} steps" if entry.get("above") else ""
        return f"no {part} of `distilled` against the end point{above}"

    return words


def _fit_orders(entry: Mapping) -> str:
    rows = entry.get("rows", 0)
    are = "trajectory is" if rows == 1 else "trajectories are"
    return f"fits of an order above {rows}, for which {rows} {are} too few"


def _too_small(entry: Mapping) -> str:
    return (
        f"the evidence budget of {entry.get('budget', 0)} model calls is too small to compare "
        f"one step count; {entry.get('least', 0)} are the least that works"
    )


_WORDS = {
    FULL_FITS: _full_fits,
    THIRD_OFFSET: lambda _: (
        "two query offsets tried a step, not three; "
        "none for multistep stock samplers between the full fits"
    ),
    STOCK_REFINEMENT: lambda _: (
        "no refinement of multistep stock samplers' schedules against the end point"
    ),
    REFINEMENT: _against_the_end("refinement"),
    POLISH: _against_the_end("polish"),
    FIT_ORDERS: _fit_orders,
    RUNS: lambda entry: (
        f"most of the refinement: {entry.get('runs', 0)} runs of each recipe after its starts"
    ),
    STEP_COUNTS: lambda entry: "the step counts " + ", ".join(map(str, entry.get("steps", ()))),
    STOCK_PAIRS: lambda entry: "stock pairs with " + ", ".join(entry.get("samplers", ())),
    FEW_STOCK: lambda entry: (
        f"of each stock sampler the {entry.get('schedules', 0)} schedules that the recorded teacher "
        "ranks first were measured, not all"
    ),
    LOWER_STARTS: lambda _: "recipes that start below the highest start sigma were not measured",
    TOO_SMALL: _too_small,
}
