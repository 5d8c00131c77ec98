"""The starter source: records of the bundled checkpoints, published as anyone would publish theirs.

    python -m tools.make_starter_source [--folder starter] [--only flow-cfg-3]

Each is made by `python -m scheduler distill` with the arguments below, on the digits 0 to 4, and measured on
noise and digits (5 to 9) that no fit has seen; then the index is made by `python -m scheduler store publish`.
What is there already is left as it is, so that a new record costs only its own making.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from scheduler.cli import main as command

FOLDER = Path(__file__).parents[1] / "starter"
NAME, BY = "StepDistill starter records", "StepDistill's own measurements"
COMMON = (
    "--samplers",
    "distilled,dpmpp_2m",
    "--steps",
    "4,6,8",
    "--effort",
    "standard",
    "--evidence-budget",
    "5000",
    "--quiet",
)
MADE = {
    f"{model}-cfg-{cfg}": (model, "--cfg", cfg)
    for model in ("flow", "eps")
    for cfg in ("1", "3", "5")
}


def make(folder: Path, names: list[str]) -> int:
    """Make the records that are missing, and the index; returns the first exit code that is none of 0."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        target = folder / f"{name}.json"
        if target.exists():
            continue
        print(f"{name} ...", file=sys.stderr, flush=True)
        code = command(["distill", *MADE[name], *COMMON, "-o", str(target)])
        if code:
            return code
    return command(["store", "publish", str(folder), "--name", NAME, "--by", BY])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--only", choices=sorted(MADE), nargs="+", default=list(MADE))
    asked = parser.parse_args()
    return make(asked.folder, asked.only)


if __name__ == "__main__":
    sys.exit(main())
