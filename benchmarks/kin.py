"""Recipes of related models, and one recipe over a range of guidance, beside recipes of their own.

    python -m benchmarks.kin                         # both tables; what is kept in --cache is not made again
    python -m benchmarks.kin --only kin --beds flow
    python -m benchmarks.kin --only guidance
    python -m benchmarks.kin --only strangers

kin: the recipe of a bundled checkpoint (guidance 3, N = 6, one recorded picture) on finetunes, a merge,
rounded weights and a LoRA: held-out error over that of the best stock pair in hindsight, unchecked; what the
check on one recorded picture said, and what is used then, with the calls; beside a recipe of its own.
strangers (kin_strangers.py): unrelated models that are said to be kin, both ways, with their own weights, and
with the base's in a source of somebody else's. starts: what a distillation gains by kin's recipes among its
starts. guidance: from 1 to 7 every half step, one recipe made at 3 and checked at the ends, interpolated
between fits at 1, 4 and 7, and a recipe of its own. Geometric means over seeds.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.kin_strangers import strangers_table
from benchmarks.kin_subjects import (
    CFG,
    STEPS,
    claimed,
    facts_of,
    kin_of,
    own_record,
    picture,
    print_of,
    subject_of,
)
from benchmarks.subjects import Subject
from benchmarks.tables import mean
from benchmarks.trial import Trial, rms
from scheduler.checkpoints import load_checkpoint
from scheduler.distilling.run import distill
from scheduler.fingerprint.kinship import QUANTISED, SAME, kinship
from scheduler.fit.candidate import DISTILLED, Candidate
from scheduler.fit.parameters import Parameters, stock_coefficients
from scheduler.kin import Kin, check_kin
from scheduler.kin.learning import learn_from_kin
from scheduler.learning.fitting import calls_from
from scheduler.lookup.match import SOURCE
from scheduler.record import Recipe, Record
from scheduler.record.cfg_range import span, with_check
from scheduler.record.evidence_table import table
from scheduler.sigmas.noise_range import NoiseRange

GUIDANCES = tuple(1 + k / 2 for k in range(13))
ENDS, FITTED = (1.0, 7.0), (1.0, 4.0, 7.0)
ROWS = 24  # held-out
STARTED, BUDGETS = ("digits", "style", "merged", "Q4"), (70, 150, 300)
CACHE = Path(tempfile.gettempdir()) / "stepdistill-kin"


class Kept:
    """Figures by name in a file, made once."""

    def __init__(self, path: Path):
        self.path = path
        self.found = json.loads(path.read_text()) if path.exists() else {}

    def get(self, name: str, make: Callable[[], dict]) -> dict:
        if name not in self.found:
            self.found[name] = make()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(json.dumps(self.found, indent=0))
        return self.found[name]


def trial_of(of: Subject, folder: Path) -> Trial:
    """With as many held-out rows whatever its name."""
    return Trial(of, 2 * ROWS if of.learned else ROWS, folder / "trials")


def over(trial: Trial, recipe: Recipe) -> float:
    """A recipe's held-out error over the best stock pair's."""
    return rms(trial.recipe(recipe)) / trial.best(STEPS)[1]


def told(values: Sequence[float]) -> str:
    return f"{mean(values):.2f}"


# --- kin ---


def kin_table(name: str, seeds: Sequence[int], folder: Path, kept: Kept) -> str:
    base = load_checkpoint(name)
    records = [own_record(subject_of(base, name, CFG), seed)[0] for seed in seeds]
    rows = []
    for label, model in kin_of(name, folder / "models"):
        key = f"kin 2 {name} {label} {list(seeds)}"
        found = kept.get(
            key, lambda m=model, k=label: _cell(m, f"{name}-{k}", records, seeds, folder)
        )
        rows.append(_row(label, found))
    header = (
        "kin",
        "kinship",
        "unchecked",
        "check said",
        "then used",
        "calls",
        "own",
        "calls",
        "stock pair",
        "somebody else's",
    )
    lines = [f"\n== kin of {name}: error over the best stock pair's, N = {STEPS}, guidance {CFG:g}"]
    return "\n".join([*lines, table(header, rows, left=(0, 1, 3, 8, 9))])


def _cell(model, name: str, records: Sequence[Record], seeds: Sequence[int], folder: Path) -> dict:
    of = subject_of(model, name, CFG)
    trial = trial_of(of, folder)
    found: dict = {"unchecked": [], "code": [], "ratio": [], "used": [], "calls": [], "source": []}
    found |= {"own": [], "own_calls": [], "stock": trial.best(STEPS)[0]}
    base = facts_of(load_checkpoint(name.split("-")[0]), "base").fingerprint
    found["kinship"] = _kinship(name.split("-")[1], model, base)
    for record, seed in zip(records, seeds, strict=True):
        kin = claimed(record, of, found["kinship"])
        carried = kin.recipe(STEPS)
        assert carried is not None
        found["unchecked"].append(over(trial, carried))
        run, denoise = picture(of, seed + 10)
        made = learn_from_kin(
            kin,
            denoise,
            kin.model.key(CFG, of.latent_shape),
            STEPS,
            recordings=(run,),
            budget=calls_from(1, STEPS),
        )
        found["code"].append(made.verdict.code)
        found["ratio"].append(made.verdict.ratio)
        found["used"].append(over(trial, made.record.recipe("distilled", STEPS)))
        found["calls"].append(denoise.calls)
        theirs = claimed(record, of, found["kinship"], SOURCE)
        found["source"].append(check_kin(theirs, denoise, STEPS, recordings=(run,)).code)
        own, calls = own_record(of, seed + 10)
        found["own"].append(over(trial, own.recipe("distilled", STEPS)))
        found["own_calls"].append(calls)
    return found


def _kinship(label: str, model, base) -> str:
    """As a host would know it: a LoRA and a quantising loader leave the weights' samples, or their names."""
    if label.startswith("LoRA") or "x" in label:  # or another size
        return SAME
    return QUANTISED if label in ("fp8", "int8", "Q4") else kinship(print_of(model), base).kind


def _row(label: str, found: dict) -> tuple:
    codes = ", ".join(
        f"{code} ({ratio:.2f})" for code, ratio in zip(found["code"], found["ratio"], strict=True)
    )
    calls, own_calls = (f"{np.mean(found[name]):.0f}" for name in ("calls", "own_calls"))
    numbers = (told(found["unchecked"]), codes, told(found["used"]), calls)
    own = told(found["own"]), own_calls, found["stock"]
    return (label, found["kinship"], *numbers, *own, ", ".join(found["source"]))


# --- starts ---


def starts_table(name: str, seeds: Sequence[int], folder: Path, kept: Kept) -> str:
    base = subject_of(load_checkpoint(name), name, CFG)
    recipes = [own_record(base, seed)[0].recipe("distilled", STEPS) for seed in seeds]
    rows = []
    for label, model in kin_of(name, folder / "models"):
        if label in STARTED:
            of = subject_of(model, f"{name}-{label}", CFG)
            for budget in BUDGETS:
                key = f"starts {name} {label} {budget} {list(seeds)}"
                make = partial(_started, of, budget, recipes, seeds, folder)
                found = kept.get(key, make)
                rows.append((label, str(budget), told(found["own"]), told(found["kin"])))
    line = f"\n== kin of {name}: distilled anew, N = {STEPS}: its own starts, and the base's recipe beside"
    return "\n".join([line, table(("kin", "calls", "own", "and kin's"), rows, left=(0,))])


def _started(
    of: Subject, budget: int, recipes: Sequence[Recipe], seeds: Sequence[int], folder: Path
) -> dict:
    trial, (low, high) = trial_of(of, folder), of.sigma_range
    found: dict = {"own": [], "kin": []}
    for recipe, seed in zip(recipes, seeds, strict=True):
        for which, starts in (("own", ()), ("kin", (recipe,))):
            record = distill(
                of.fitting_any(seed=seed),
                of.latent_shape,
                high,
                low,
                of.parametrisation,
                steps=STEPS,
                budget=budget,
                evidence_budget=0,
                seed=seed + 20,
                starts=starts,
                conditions=of.conditions,
            )
            found[which].append(over(trial, record.recipe("distilled", STEPS)))
    return found


# --- guidance ---


def guidance_table(name: str, seeds: Sequence[int], folder: Path, kept: Kept) -> str:
    rows = []
    fits = _Fits(name, seeds)
    for cfg in GUIDANCES:
        key = f"guidance {name} {cfg:g} {list(seeds)}"
        found = kept.get(key, lambda at=cfg: fits.cell(at, folder))
        rows.append(
            (
                f"{cfg:g}",
                told(found["one"]),
                ", ".join(found["served"]),
                told(found["between"]),
                told(found["own"]),
                found["stock"],
            )
        )
    header = ("cfg", f"made at {CFG:g}", "by check", "interpolated", "own", "best stock pair")
    told_calls = kept.get(f"guidance calls {name} {list(seeds)}", fits.calls)
    line = (
        f"\n== {name}: guidance 1 to 7, error over the best stock pair's, N = {STEPS}; model calls: "
        f"one record {told_calls['one']}, interpolated {told_calls['between']}, own {told_calls['own']} each"
    )
    return "\n".join([line, table(header, rows, left=(0, 2, 5))])


class _Fits:
    """Recipes of each seed at each guidance, made when asked for."""

    def __init__(self, name: str, seeds: Sequence[int]):
        self.name, self.seeds = name, seeds
        self.base = subject_of(load_checkpoint(name), name, CFG)
        self._made: dict[tuple[float, int], tuple[Record, int]] = {}
        self._checked: dict[int, tuple[Record, int]] = {}

    def record(self, cfg: float, seed: int) -> Record:
        return self._of(cfg, seed)[0]

    def _of(self, cfg: float, seed: int) -> tuple[Record, int]:
        if (cfg, seed) not in self._made:
            self._made[cfg, seed] = own_record(self.base.at(cfg), seed)
        return self._made[cfg, seed]

    def checked(self, seed: int) -> tuple[Record, int]:
        """The record made at CFG, checked at the ends on a picture each; and the calls."""
        if seed not in self._checked:
            record, calls = self._of(CFG, seed)
            for cfg in ENDS:
                of = self.base.at(cfg)
                run, denoise = picture(of, seed + 10)
                recipe = record.recipe("distilled", STEPS)
                kin = Kin.of(record, facts_of(of.model, of.name))
                verdict = check_kin(kin, denoise, STEPS, recordings=(run,))
                record = with_check(record, recipe, cfg, verdict.data)
                calls += verdict.calls
            self._checked[seed] = record, calls
        return self._checked[seed]

    def cell(self, cfg: float, folder: Path) -> dict:
        of = self.base.at(cfg)
        trial = trial_of(of, folder)
        found: dict = {"one": [], "served": [], "between": [], "own": []}
        found["stock"] = f"{trial.best(STEPS)[0]} {trial.best(STEPS)[1]:.4f}"
        for seed in self.seeds:
            recipe = self.checked(seed)[0].recipe("distilled", STEPS)
            low, high = span(recipe, CFG) or (CFG, CFG)
            found["one"].append(over(trial, recipe))
            found["served"].append("yes" if low <= cfg <= high else "no")
            fitted = {at: self.record(at, seed).recipe("distilled", STEPS) for at in FITTED}
            found["between"].append(over(trial, interpolated(fitted, cfg, of)))
            found["own"].append(over(trial, self.record(cfg, seed).recipe("distilled", STEPS)))
        return found

    def calls(self) -> dict:
        one = np.mean([self.checked(seed)[1] for seed in self.seeds])
        between = np.mean([sum(self._of(at, seed)[1] for at in FITTED) for seed in self.seeds])
        own = np.mean([self._of(CFG, seed)[1] for seed in self.seeds])
        return {"one": round(one), "between": round(between), "own": round(own)}


def interpolated(fitted: dict[float, Recipe], cfg: float, of: Subject) -> Recipe:
    """Log lengths, offsets and coefficients on straight lines between the guidances they were fitted at."""
    noise_range = NoiseRange(of.parametrisation, *of.sigma_range)
    at = sorted(fitted)
    parts = [Parameters(_free(fitted[each]), noise_range) for each in at]
    vectors = np.stack([each.vector() for each in parts])
    found = np.array([np.interp(cfg, at, column) for column in vectors.T])
    return parts[0].candidate(found).recipe(DISTILLED)


def _free(recipe: Recipe) -> Candidate:
    """A recipe, or a stock pair that won, as a point of the family."""
    sigmas = np.array(recipe.sigmas)
    if recipe.coefficients is None or recipe.offsets is None:
        return Candidate(DISTILLED, sigmas, np.zeros(STEPS), stock_coefficients(sigmas))
    return Candidate(DISTILLED, sigmas, np.array(recipe.offsets), np.array(recipe.coefficients))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=("kin", "strangers", "starts", "guidance"))
    parser.add_argument("--beds", nargs="+", default=["flow", "eps"], choices=("flow", "eps"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--cache", type=Path, default=CACHE, help="figures, stock runs and finetunes"
    )
    asked = parser.parse_args()
    torch.set_num_threads(1)
    kept = Kept(asked.cache / "figures.json")
    tables = {
        "kin": kin_table,
        "strangers": strangers_table,
        "starts": starts_table,
        "guidance": guidance_table,
    }
    for only in (asked.only,) if asked.only else tables:
        for name in asked.beds:
            print(tables[only](name, asked.seeds, asked.cache, kept), flush=True)


if __name__ == "__main__":
    main()
