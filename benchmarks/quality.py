"""How good the recipes are, on seeds and classes never used in fitting.

Beside the best stock pair in hindsight on the test set itself.

    python -m benchmarks.quality                                # the checkpoints, 130 to 1,000 calls
    python -m benchmarks.quality --table mosaics --seeds 0      # 60 to 1,000 calls; one seed
    python -m benchmarks.quality --table small --beds digit-atoms:1
    python -m benchmarks.quality --table curve                  # N = 4..12 from one run of 600 calls
    python -m benchmarks.quality --table samplers --effort instant --beds flow:3
    python -m benchmarks.quality --ablation --beds flow:3       # what each part adds
    python -m benchmarks.quality --pictures pictures.png        # the flow checkpoint at 4 and 6 steps
    python -m benchmarks.quality --read a.json b.json           # print what --save wrote, together

Beds: flow and eps (the bundled checkpoints), isotropic-16, low-rank-64, photo-patches, digit-atoms,
each with :guidance; mosaic/ before one makes a sample of 16 blocks or more. Stock runs are kept
between calls (--cache), since they take most of the time.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from benchmarks import by_sampler, cells, curve, marks, tables
from benchmarks.subjects import ALL, CHECKPOINTS, TEST_ROWS
from scheduler.distilling.effort import NAMES, STANDARD

SAMPLERS, CURVE = "samplers", "curve"
CACHE = Path(tempfile.gettempdir()) / "stepdistill-quality"


def main() -> None:
    args = _arguments()
    if args.pictures:
        from benchmarks.pictures import draw

        draw(args.pictures, args.effort, args.cache)
    elif args.ablation:
        from benchmarks.ablation import ablate

        ablate(args.beds, args.seeds, args.cache)
    elif args.table == SAMPLERS:
        _samplers(args)
    elif args.table == CURVE:
        beds = args.beds or CHECKPOINTS
        print(curve.shown(curve.measured(beds, args.seeds, args.cache)))
    else:
        _cells(args)


def _cells(args: argparse.Namespace) -> None:
    table = cells.TABLES[args.table]
    if args.read:
        results = _read(args.read)
    else:
        results = cells.measured(table, args.beds or table.beds, args.seeds, args.cache, args.save)
    print(marks.shown(args.table, table, results))


def _samplers(args: argparse.Namespace) -> None:
    if args.read:
        print(tables.everything([tables.with_whole_steps(each) for each in _read(args.read)]))
        return
    results = []
    for label in args.beds or ALL:
        results.append(by_sampler.measure(label, args.effort, args.rows, args.cache, args.seeds[0]))
        print(tables.bed(results[-1]), flush=True)
        if args.save:
            args.save.write_text(json.dumps(results))
    print(tables.summary(results))


def _read(paths: list[Path]) -> list[dict]:
    return [each for path in paths for each in json.loads(path.read_text())]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    named = [*cells.TABLES, CURVE, SAMPLERS]
    parser.add_argument("--table", choices=named, default="checkpoints")
    parser.add_argument(
        "--beds", nargs="+", metavar="[mosaic/]BED[:GUIDANCE]", help="default: the table's own"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=cells.SEEDS, help="of the fits")
    parser.add_argument(
        "--effort", choices=NAMES, default=STANDARD, help=f"of --table {SAMPLERS} and --pictures"
    )
    parser.add_argument(
        "--rows",
        type=int,
        default=TEST_ROWS,
        help=f"held-out rows of --table {SAMPLERS}; the checkpoints get half as many",
    )
    parser.add_argument("--cache", type=Path, default=CACHE, metavar="FOLDER")
    parser.add_argument(
        "--save",
        type=Path,
        metavar="FILE",
        help="write the figures as JSON as they come; what it has already is not measured again",
    )
    parser.add_argument(
        "--read", type=Path, nargs="+", metavar="FILE", help="measure nothing; print these"
    )
    parser.add_argument("--ablation", action="store_true")
    parser.add_argument("--pictures", type=Path, metavar="PNG")
    return parser.parse_args()


if __name__ == "__main__":
    main()
