"""How many small faults the tests notice.

mutmut makes mutants of the modules that decide; the share is counted that fails the tests of their own
folder.

    python -m benchmarks.mutation                       every target, every mutant
    python -m benchmarks.mutation search guard          some targets
    python -m benchmarks.mutation --sample 100          a hundred mutants of each target, the same each time

Needs mutmut (`pip install mutmut`); not for Windows. A mutant that no test notices is printed as a diff.
Each target is worked on in a copy of the repository under --work, which is kept: what was judged there is
not judged again until its code or tests change.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What ended a mutant's tests, by mutmut's exit codes; whatever stops them counts as noticed.
SURVIVED, NO_TESTS = 0, 33
SKIPPED = (34, None)


@dataclass(frozen=True)
class Target:
    """What is mutated, and the tests that must notice."""

    code: tuple[str, ...]
    tests: tuple[str, ...]


TARGETS = {
    "search": Target(("scheduler/search/*",), ("tests/search",)),
    "fit": Target(("scheduler/fit/*",), ("tests/fit",)),
    "guard": Target(
        ("scheduler/distilling/guard.py",),
        ("tests/distilling/test_guard.py", "tests/distilling/test_candidates.py"),
    ),
    "evidence": Target(
        ("scheduler/evidence/verdicts.py", "scheduler/evidence/plan.py"),
        ("tests/evidence", "tests/record/test_winners_by_name.py"),
    ),
    "lookup": Target(("scheduler/lookup/*",), ("tests/lookup",)),
}
CONFIG = """

[tool.mutmut]
source_paths = ["scheduler"]
only_mutate = {code}
also_copy = ["benchmarks", "tools", "nodes", "a1111", "scripts", "__init__.py"]
pytest_add_cli_args = ["-p", "no:cacheprovider"]
pytest_add_cli_args_test_selection = {tests}
timeout_multiplier = 5.0
timeout_constant = 2.0
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("targets", nargs="*", choices=[[], *TARGETS], metavar="TARGET")
    parser.add_argument("--sample", type=int, help="mutants of each target (all)")
    parser.add_argument("--seed", type=int, default=0, help="which ones (0)")
    parser.add_argument("--work", type=Path, default=Path("stepdistill-mutation"))
    parser.add_argument("--children", type=int, default=1, help="processes at once (1)")
    asked = parser.parse_args()
    total: Counter[str] = Counter()
    for name in asked.targets or TARGETS:
        folder = asked.work.resolve() / name
        prepare(folder, TARGETS[name])
        names = sampled(folder, asked.sample, asked.seed)
        mutmut(folder, "run", "--max-children", str(asked.children), *names)
        total += report(name, folder, names)
    print(row("all", total))


def prepare(folder: Path, target: Target) -> None:
    """Bring a copy of the repository up to date, with the target's settings, and make its mutants."""
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout.split("\0")
    for name in filter(None, tracked):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    config = CONFIG.format(code=json.dumps(target.code), tests=json.dumps(target.tests))
    with (folder / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(config)
    said = mutmut(
        folder, "run", "none", fails=True
    )  # makes all, judges none, and complains of that
    if "nothing matches" not in said:
        sys.exit(said[-5000:])


def mutmut(folder: Path, *words: str, fails: bool = False) -> str:
    """mutmut's own words; hypothesis tries the same examples each time."""
    environment = {**os.environ, "CI": "true", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "mutmut", *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode and not fails:
        sys.exit(f"{' '.join(words[:3])}: {done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout + done.stderr * fails


def results(folder: Path) -> dict[str, int | None]:
    """Every mutant and the exit code of its tests."""
    found: dict[str, int | None] = {}
    for path in (folder / "mutants").rglob("*.meta"):
        found |= json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"]
    return dict(sorted(found.items()))


def sampled(folder: Path, count: int | None, seed: int) -> list[str]:
    """The mutants to judge; none named: all that were not judged yet."""
    every = list(results(folder))
    return random.Random(seed).sample(every, min(count, len(every))) if count else []


def report(name: str, folder: Path, names: list[str]) -> Counter[str]:
    """Print the mutants that live and the target's row; returns its counts."""
    codes = results(folder)
    chosen = {mutant: codes[mutant] for mutant in sorted(names or codes)}
    alive = [mutant for mutant, code in chosen.items() if code in (SURVIVED, NO_TESTS)]
    for mutant in alive:
        print(mutmut(folder, "show", mutant))
    judged = sum(code not in SKIPPED for code in chosen.values())
    counts = Counter(mutants=judged, alive=len(alive))
    print(row(name, counts), flush=True)
    return counts


def row(name: str, counts: Counter[str]) -> str:
    noticed = counts["mutants"] - counts["alive"]
    share = 100 * noticed / max(counts["mutants"], 1)
    return (
        f"{name:10} {counts['mutants']:5} mutants {noticed:5} noticed "
        f"{counts['alive']:5} alive {share:6.1f} %"
    )


if __name__ == "__main__":
    main()
