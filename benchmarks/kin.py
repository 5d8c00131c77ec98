"""Recipes of related models, and one recipe over a range of guidance, beside recipes of their own.

    python -m benchmarks.kin                         # both tables; what is kept in --cache is not made again
    python -m benchmarks.kin --only kin --beds flow
    python -m benchmarks.kin --only guidance

kin: the recipe of a bundled checkpoint (guidance 3, N = 6, one recorded picture) on finetunes, a merge,
rounded weights and a LoRA: held-out error over that of the best stock pair in hindsight, unchecked; what the
check on one recorded picture said, and what is used then, with the calls; beside a recipe of its own. Then
strangers that claim to be kin. guidance: from 1 to 7 every half step, one recipe made at 3 and checked at the
ends, interpolated between fits at 1, 4 and 7, and a recipe of its own. Geometric means over seeds.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks.kin_subjects import facts_of, kin_of, print_of, strangers, subject_of
from benchmarks.runs import Counted
from benchmarks.subjects import Subject
from benchmarks.tables import mean
from benchmarks.trial import Setting, Trial, rms
from scheduler.checkpoints import load_checkpoint
from scheduler.denoiser import start_state
from scheduler.distilling.run import distill
from scheduler.errors import StepDistillError
from scheduler.fingerprint.kinship import QUANTISED, SAME, Kinship, kinship
from scheduler.fit.candidate import DISTILLED, Candidate
from scheduler.fit.parameters import Parameters, stock_coefficients
from scheduler.kin import Kin, check_kin
from scheduler.kin.learning import learn_from_kin
from scheduler.learning.fitting import calls_from
from scheduler.lookup.match import NEAREST, Match
from scheduler.record import Conditions, Recipe, Record
from scheduler.record.cfg_range import span, with_check
from scheduler.record.evidence_table import table
from scheduler.recordings import Recording, record_run
from scheduler.sigmas.noise_range import NoiseRange

STEPS, CFG = 6, 3.0
SETTINGS = {"flow": Setting("dpmpp_2m", "beta", 24), "ve": Setting("dpmpp_2m", "karras", 24)}
PICTURE_SEED = 4_000_037  # of the artist's noise, added to the seed
GUIDANCES = tuple(1 + k / 2 for k in range(13))
ENDS, FITTED = (1.0, 7.0), (1.0, 4.0, 7.0)
ROWS = 24  # held-out
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


def picture(of: Subject, seed: int) -> tuple[Recording, Counted]:
    """A recorded picture of a model, and the denoiser that drew it."""
    sigmas = SETTINGS[of.parametrisation].sigmas(of)
    denoise = of.fitting(1, seed=seed)
    noise = of.noise(1, PICTURE_SEED + seed)
    x = start_state(noise, float(sigmas[0]), of.parametrisation)
    return record_run(denoise, x, sigmas, "dpmpp_2m", of.parametrisation), Counted(denoise)


def own_record(of: Subject, seed: int) -> tuple[Record, int]:
    """A recipe of its own from one recorded picture, as the one-node way makes it."""
    run, denoise = picture(of, seed)
    about = facts_of(of.model, of.name)
    low, high = of.sigma_range
    known = about.fingerprint
    record = distill(
        denoise,
        of.latent_shape,
        high,
        low,
        of.parametrisation,
        steps=STEPS,
        budget=calls_from(1, STEPS),
        evidence_budget=0,
        recordings=(run,),
        conditions=Conditions(
            cfg=of.cfg,
            shift=of.model.shift,
            name=of.name,
            fingerprint=known.id,
            samples=known.samples,
        ),
    )
    return record, denoise.calls


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
        key = f"kin {name} {label} {list(seeds)}"
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
    )
    lines = [f"\n== kin of {name}: error over the best stock pair's, N = {STEPS}, guidance {CFG:g}"]
    return "\n".join(
        [*lines, table(header, rows, left=(0, 1, 3, 8)), _false(name, records, seeds, kept)]
    )


def _cell(model, name: str, records: Sequence[Record], seeds: Sequence[int], folder: Path) -> dict:
    of = subject_of(model, name, CFG)
    trial = trial_of(of, folder)
    found: dict = {"unchecked": [], "code": [], "ratio": [], "used": [], "calls": []}
    found |= {"own": [], "own_calls": [], "stock": trial.best(STEPS)[0]}
    base = facts_of(load_checkpoint(name.split("-")[0]), "base").fingerprint
    found["kinship"] = _kinship(name.split("-")[1], model, base)
    for record, seed in zip(records, seeds, strict=True):
        kin = claimed(record, of, found["kinship"])
        found["unchecked"].append(over(trial, record.recipe("distilled", STEPS)))
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
        own, calls = own_record(of, seed + 10)
        found["own"].append(over(trial, own.recipe("distilled", STEPS)))
        found["own_calls"].append(calls)
    return found


def _kinship(label: str, model, base) -> str:
    """As a host would know it: a LoRA and a quantising loader leave the weights' samples, or their names."""
    if label.startswith("LoRA"):
        return SAME
    return QUANTISED if label in ("fp8", "int8", "Q4") else kinship(print_of(model), base).kind


def claimed(record: Record, of: Subject, kind: str) -> Kin:
    """A record as kin of a model, whatever it is: what the check alone must judge."""
    related = Kinship(kind, None, "claimed")
    return Kin(Match(record, NEAREST, related), facts_of(of.model, of.name))


def _row(label: str, found: dict) -> tuple:
    codes = ", ".join(
        f"{code} ({ratio:.2f})" for code, ratio in zip(found["code"], found["ratio"], strict=True)
    )
    calls, own_calls = (f"{np.mean(found[name]):.0f}" for name in ("calls", "own_calls"))
    numbers = (told(found["unchecked"]), codes, told(found["used"]), calls)
    return (label, found["kinship"], *numbers, told(found["own"]), own_calls, found["stock"])


def _false(name: str, records: Sequence[Record], seeds: Sequence[int], kept: Kept) -> str:
    """Strangers' pictures checked with the base's recipes, and the base's with strangers' recipes."""

    def checks() -> dict:
        base = subject_of(load_checkpoint(name), name, CFG)
        found: dict = {}
        for label, model in strangers(name):
            other = subject_of(model, label, CFG)
            found[f"{name}'s recipe on {label}"] = [
                _checked(record, other, seed) for record, seed in zip(records, seeds, strict=True)
            ]
            theirs = [_own_or_none(other, seed) for seed in seeds]
            found[f"recipe of {label} on {name}"] = [
                _checked(each, base, seed) for each, seed in zip(theirs, seeds, strict=True) if each
            ]
        return found

    lines = [f"\nstrangers that claim to be kin of {name}: the check's ratio, and what it said"]
    for label, each in kept.get(f"strangers {name} {list(seeds)}", checks).items():
        said = ", ".join(f"{ratio:.2f} {code}" for ratio, code in each) or "nothing to check"
        lines.append(f"  {label}: {said}")
    return "\n".join(lines)


def _checked(record: Record, of: Subject, seed: int) -> tuple[float, str]:
    run, denoise = picture(of, seed + 10)
    recipe = record.recipe("distilled", STEPS)
    found = check_kin(recipe, denoise, facts_of(of.model, of.name), recordings=(run,))
    return found.ratio, found.code


def _own_or_none(of: Subject, seed: int) -> Record | None:
    try:
        record, _ = own_record(of, seed)
    except StepDistillError:
        return None
    return record if record.recipe("distilled", STEPS).choice.ours else None


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
                facts = facts_of(of.model, of.name)
                verdict = check_kin(recipe, denoise, facts, recordings=(run,), known=True)
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
    parser.add_argument("--only", choices=("kin", "guidance"))
    parser.add_argument("--beds", nargs="+", default=["flow", "eps"], choices=("flow", "eps"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--cache", type=Path, default=CACHE, help="figures, stock runs and finetunes"
    )
    asked = parser.parse_args()
    torch.set_num_threads(1)
    kept = Kept(asked.cache / "figures.json")
    for only, made in (("kin", kin_table), ("guidance", guidance_table)):
        for name in asked.beds if asked.only in (None, only) else ():
            print(made(name, asked.seeds, asked.cache, kept), flush=True)


if __name__ == "__main__":
    main()
