"""Swaps, puts back and bakes every workflow of ComfyUI's own template package.

And counts what became of each sampler node.

    python -m benchmarks.workflow_corpus [FOLDER] [--list CODE] [--anyway]

FOLDER: JSON files in place of the package (`pip install comfyui-workflow-templates-json`). Every
swap is written as text, read again and put back; "round trips" counts those whose text is the
original's, byte for byte. Baking uses a made-up record that has every stock sampler at 1 to 60
steps. --list names the nodes that were left for one reason.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from scheduler.record import Conditions, Model, Recipe, Record, now
from scheduler.record.evidence_table import table
from scheduler.samplers import SAMPLERS
from scheduler.workflow import CODES, Document, open_workflow, parse, survey, swap

PACKAGE = "comfyui_workflow_templates_json"


def templates() -> list[Path]:
    """The package's workflow files (its indexes are left out); empty where it is not installed."""
    found = find_spec(PACKAGE)
    if found is None or not found.origin:
        return []
    files = (Path(found.origin).parent / "templates").glob("*.json")
    return sorted(path for path in files if not path.name.startswith(("index", "fuse_options")))


def made_up_record(most_steps: int = 60) -> Record:
    """Every stock sampler at 1 to N steps, of a flow model."""
    samplers = list(SAMPLERS)
    recipes = [
        Recipe(name, n, 1.0, np.linspace(1, 0, n + 1))
        for name in samplers
        for n in range(1, most_steps + 1)
    ]
    conditions = Conditions(name="made up", cfg=None)
    provenance = {"version": "0", "created": now(), "model_calls": 0}
    return Record(
        Model.of(conditions, "flow", 0.001, 1.0), conditions, None, recipes, {}, provenance
    )


class Tally:
    """What became of the sampler nodes of many workflows under one target.

    listed: (code, file, line) of those left.
    """

    def __init__(self):
        self.counts: Counter[str] = Counter()
        self.codes: Counter[str] = Counter()
        self.listed: list[tuple[str, str, str]] = []

    def add(self, path: Path, to: str, record: Record | None, anyway: bool) -> None:
        """Swap one workflow, write it, read it, put it back, compare."""
        document = open_workflow(path)
        original = document.text()
        before = survey(document)
        if not before.samplers:
            return
        report = swap(document, to, record, None, anyway)
        again = parse(document.text())
        swap(again, "stock")
        self.counts["workflows"] += 1
        self.counts["round trips equal"] += again.text() == original
        self.counts["layouts kept"] += original == path.read_bytes().decode("utf-8-sig")
        self._samplers(path, before, {id(each.node): each for each in report.outcomes})

    def _samplers(self, path: Path, before, outcomes: dict) -> None:
        for sampler, sites in before.samplers:
            its = [outcomes.get(id(site.node)) for site in sites] or [outcomes.get(id(sampler))]
            self.counts["sampler nodes"] += 1
            if None in its:
                self.counts["neither"] += 1
            elif all(each.action in ("swapped", "baked", "already") for each in its):
                self.counts["changed"] += 1
            else:
                left = next(each for each in its if each.action == "left")
                self.counts["left with a reason"] += 1
                self.codes[left.code] += 1
                self.listed.append((left.code, path.name, left.line))

    def show(self, title: str) -> None:
        """Print the figures."""
        rows = [
            (name, self.counts[name])
            for name in ("workflows", "sampler nodes", "changed", "left with a reason", "neither")
        ]
        rows += [(f"  {CODES[code]}", count) for code, count in self.codes.most_common()]
        rows += [(name, self.counts[name]) for name in ("round trips equal", "layouts kept")]
        print(f"\n{title}\n{table(('', 'count'), rows)}")


def measured(
    paths: list[Path], to: str, record: Record | None = None, anyway: bool = False
) -> Tally:
    """The tally of many workflows under one target."""
    tally = Tally()
    for path in paths:
        tally.add(path, to, record, anyway)
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", help="JSON files in place of the package")
    parser.add_argument(
        "--list",
        metavar="CODE",
        choices=list(CODES),
        help=f"name the nodes left for a reason: {', '.join(CODES)}",
    )
    parser.add_argument("--anyway", action="store_true", help="swap what seems step-distilled too")
    asked = parser.parse_args()
    paths = sorted(Path(asked.folder).glob("*.json")) if asked.folder else templates()
    if not paths:
        raise SystemExit(f"No workflows: install {PACKAGE.replace('_', '-')}, or name a folder.")
    record = made_up_record()
    print(f"{len(paths)} files")
    for title, to, given in (
        ("Swapped", "distilled", None),
        ("Swapped, carrying a record", "distilled", record),
        ("Baked", "baked", record),
    ):
        start = time.perf_counter()
        tally = measured(paths, to, given, asked.anyway)
        tally.show(f"{title} ({time.perf_counter() - start:.0f} s)")
        for code, name, line in tally.listed if asked.list else ():
            if code == asked.list:
                print(f"  {name}: {line}")


__all__ = ["Document", "Tally", "made_up_record", "measured", "templates"]

if __name__ == "__main__":
    main()
