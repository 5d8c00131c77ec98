"""After how many pictures a distillation is earned back, and what it costs beside its model calls.

    python -m benchmarks.payback                          # all three tables
    python -m benchmarks.payback --only instant --beds flow:3 mosaic/flow:3
    python -m benchmarks.payback --only recordings --steps 6
    python -m benchmarks.payback --only time

instant: the default effort, one step count; the stock steps of equal error are the fewest (up to 40) at
which the best stock pair in hindsight comes as near to the reference as ours. recordings: an artist's own
25 steps as the teacher; errors are distances from what his setting draws on seeds and classes never
fitted, calls those beside the pictures themselves. time: a latent of FLUX's shape and a denoiser that is
almost free, whose own seconds are subtracted.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import overhead
from benchmarks.cells import SEEDS
from benchmarks.runs import run
from benchmarks.subjects import CHECKPOINTS, MOSAICS, Subject, subject
from benchmarks.tables import mean
from benchmarks.trial import STOCK_SAMPLERS, Setting, Trial, rms
from scheduler.denoiser import start_state
from scheduler.errors import BudgetError
from scheduler.record.evidence_table import table
from scheduler.recordings import record_run

STEPS = (4, 6, 8)
RECORDED_STEPS = (6,)
MOST_STEPS = 40  # how far the best stock pair is followed
FOLLOWED = ("dpmpp_2m", "uni_pc", "res_multistep")  # beyond 2N, where first order has long lost
OWN_STEPS = 25
# The artist's settings: those that section 6 of the algorithms was measured with.
SETTINGS = {
    "flow": (Setting("dpmpp_2m", "beta", OWN_STEPS), Setting("euler", "simple", OWN_STEPS)),
    "ve": (Setting("dpmpp_2m", "karras", OWN_STEPS), Setting("euler", "simple", OWN_STEPS)),
}
PICTURES = (1, 2, 4)
EXTRA = {30: (0.60, 0.85), 75: (0.50, None), 300: (0.40, None)}  # calls: marks of mean and cell
CELL_MARKED = {30: PICTURES, 75: PICTURES, 300: (4,)}  # the pictures that a mark speaks of
PAYS_WITHIN = {"instant": 8, "recordings": 4}
PICTURE_SEED = 4_000_037  # of the artist's noise and prompts, added to the seed
CACHE = Path(tempfile.gettempdir()) / "stepdistill-quality"


def equal_steps(trial: Trial, steps: int, error: float, most: int = MOST_STEPS) -> int | None:
    """The fewest steps above `steps` at which the best stock pair in hindsight is at least as near; None
    where `most` are not enough. By bisection: its error falls with the steps."""
    if trial.best(steps)[1] <= error:
        return steps
    low, high = steps, min(2 * steps, most)
    while _best(trial, high, steps) > error:
        if high == most:
            return None
        low, high = high, min(high + steps, most)
    while high - low > 1:
        middle = (low + high) // 2
        if _best(trial, middle, steps) > error:
            low = middle
        else:
            high = middle
    return high


def _best(trial: Trial, count: int, steps: int) -> float:
    return trial.best(count, STOCK_SAMPLERS if count <= 2 * steps else FOLLOWED)[1]


def pays_after(calls: int, steps: int, others: int | None) -> int | None:
    """Pictures after which calls are earned back, where others take that many steps for ours."""
    saved = MOST_STEPS - steps if others is None else others - steps
    return -(-calls // saved) if saved > 0 else None


# --- instant ---


def instant(beds: Sequence[str], steps: Sequence[int], seeds: Sequence[int], folder: Path) -> str:
    """The default effort, one step count: a line a bed, step count and seed."""
    rows, marked = [], []
    for label in beds:
        trial = Trial(subject(label), folder=folder)
        for n in steps:
            for seed in seeds:
                record, about = run(trial.subject, steps=n, seed=seed, effort="instant")
                recipe = record.recipe("distilled", n)
                error = rms(trial.recipe(recipe))
                equal = equal_steps(trial, n, error)
                after = pays_after(about["calls"], n, equal)
                spent = about["calls"], about["evaluations"]
                ratio = f"{error / trial.best(n)[1]:.2f}"
                rows.append((label, n, seed, *spent, ratio, recipe.choice, *_told(equal, after)))
                if n == 6:
                    marked.append((f"{label}, seed {seed}", after))
    header = ("bed", "N", "seed", "calls", "evaluations", "at N", "choice", "equal", "pays after")
    text = table(header, rows, left=(0, 6))
    return f"\n== instant\n{text}\n{_late(marked, 'instant')}"


def _told(equal: int | None, after: int | None) -> tuple[str, str]:
    """Both as they are shown; a recipe that no stock pair meets pays at least as if MOST_STEPS did."""
    far = f"> {MOST_STEPS}" if equal is None else str(equal)
    return far, "never" if after is None else str(after)


def _late(marked: list[tuple[str, int | None]], kind: str) -> str:
    within = PAYS_WITHIN[kind]
    late = [name for name, after in marked if after is None or after > within]
    found = f"{len(marked) - len(late)} of {len(marked)} at N = 6 pay within {within} pictures"
    return "; not: ".join([found, ", ".join(late)]) if late else found


# --- from recordings ---


def pictures_of(of: Subject, setting: Setting, pictures: int, seed: int) -> dict:
    """What a host would have recorded while an artist drew, a prompt and a recording each, as `run` takes
    them: other seeds than any test's."""
    noise = of.noise(pictures, PICTURE_SEED + seed)
    sigmas = setting.sigmas(of)
    prompts = [of.fitting_any(seed + k) for k in range(pictures)]
    starts = start_state(noise, float(sigmas[0]), of.parametrisation).split(1)
    made = [
        record_run(denoise, start, sigmas, setting.sampler, of.parametrisation)
        for denoise, start in zip(prompts, starts, strict=True)
    ]
    return {"recordings": made, "prompts": prompts}


def learnt(
    trial: Trial, setting: Setting, pictures: int, steps: int, seed: int, calls: int
) -> dict:
    """One recipe from recordings: what it cost beside them, and its distance from the artist's own."""
    made = pictures_of(trial.subject, setting, pictures, seed)
    try:
        record, about = run(trial.subject, steps=steps, seed=seed, budget=calls, **made)
    except BudgetError as refusal:
        return {"refused": str(refusal)}
    recipe = record.recipe("distilled", steps)
    error = rms(trial.recipe(recipe))
    equal = equal_steps(trial, steps, error, setting.steps)
    return {
        "calls": about["calls"],
        "over": error / trial.best(steps)[1],
        "choice": str(recipe.choice),
        "equal": equal,
        "pays": pays_after(about["calls"], steps, equal or setting.steps),
        "pays_own": pays_after(about["calls"], steps, setting.steps),
    }


def recordings(
    beds: Sequence[str], steps: Sequence[int], seeds: Sequence[int], folder: Path
) -> str:
    """An artist's own pictures in place of a teacher: a line a bed, setting and number of pictures."""
    rows: list[tuple] = []
    found: list[dict] = []
    for label in beds:
        of = subject(label)
        for setting in SETTINGS[of.parametrisation]:
            trial = Trial(of, folder=folder, setting=setting)
            for n in steps:
                for pictures in PICTURES:
                    cells = [
                        {"extra": extra, "pictures": pictures, "bed": label}
                        | {"setting": setting.name, "seed": seed, "steps": n}
                        | learnt(trial, setting, pictures, n, seed, extra)
                        for extra in EXTRA
                        for seed in seeds
                    ]
                    found += cells
                    shown = [_worded([c for c in cells if c["extra"] == e]) for e in EXTRA]
                    rows.append((label, setting.name, n, pictures, *shown))
    header = ("bed", "drawn with", "N", "pictures", *(f"{extra} calls" for extra in EXTRA))
    text = table(header, rows, left=(0, 1, 4, 5, 6))
    return "\n".join([RECORDINGS, text, *_marks(found)])


RECORDINGS = (
    "\n== from recordings: distance from the artist's own picture over the best stock pair's at N (worst "
    "seed);\n   = stock steps of equal distance, pays after so many pictures (by his own steps)"
)


def _worded(seeds: list[dict]) -> str:
    told = [each for each in seeds if "over" in each]
    if not told:
        return "-"  # below the least number of calls
    worst = max(told, key=lambda each: each["over"])
    equal = worst["equal"] or f"> {OWN_STEPS}"
    pays = "never" if worst["pays"] is None else worst["pays"]
    ratio = f"{mean(each['over'] for each in told):.2f} ({worst['over']:.2f})"
    return f"{ratio} = {equal}, {pays} ({worst['pays_own']})"


def _marks(found: list[dict]) -> list[str]:
    """Geometric means and worst cells beside their marks, and how soon they pay."""
    lines = []
    for extra, (most, cell) in EXTRA.items():
        within = [each for each in found if each["extra"] == extra and "over" in each]
        told = [each for each in within if each["pictures"] in CELL_MARKED[extra]]
        if not told:
            continue
        ratio = mean(each["over"] for each in told)
        mark = f"mark {most:g}" + (f", no cell above {cell:g}" if cell else "")
        of = "four pictures" if CELL_MARKED[extra] == (4,) else f"{len(told)} runs"
        lines.append(f"{extra} calls, {of}: geometric mean {ratio:.3f} ({mark})")
        lines += [
            f"  {_name(each)}: {each['over']:.2f}" for each in told if cell and each["over"] > cell
        ]
    first = [each for each in found if each["extra"] == min(EXTRA) and "over" in each]
    marked = [(_name(each), each["pays"]) for each in first if each["steps"] == 6]
    return [*lines, f"{min(EXTRA)} calls: " + _late(marked, "recordings")]


def _name(cell: dict) -> str:
    return f"{cell['bed']} {cell['setting']} {cell['pictures']} pictures, seed {cell['seed']}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=("instant", "recordings", "time"))
    parser.add_argument("--beds", nargs="+", default=(*CHECKPOINTS, *MOSAICS))
    parser.add_argument("--steps", type=int, nargs="+", help="default: 4 6 8; of recordings 6")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--cache", type=Path, default=CACHE, metavar="FOLDER")
    args = parser.parse_args()
    if args.only in (None, "instant"):
        print(instant(args.beds, args.steps or STEPS, args.seeds, args.cache), flush=True)
    if args.only in (None, "recordings"):
        print(
            recordings(args.beds, args.steps or RECORDED_STEPS, args.seeds, args.cache), flush=True
        )
    if args.only in (None, "time"):
        print(overhead.shown())


if __name__ == "__main__":
    main()
