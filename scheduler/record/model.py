"""The record: every recipe of one checkpoint under one set of conditions, with evidence and
provenance; what is saved and shared."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from itertools import groupby

from ..errors import RecipeError
from ..files import PathLike, write_text
from . import parser as record_parser
from .choice import OURS, Choice

SAME_START = 1e-5  # relative; hosts keep sigmas in float32


@dataclass(frozen=True)
class Conditions:
    """What the record will say of the run; everything may be left out.

    cfg and guidance (distilled guidance such as FluxGuidance) are numbers; latent_shape is one
    sample's, without batch; prompts counts the conditionings, seed is the noise's. The rest
    describes the model: its name, fingerprint and link (text), the shift of its noise table, its
    prediction ("eps", "v", "flow", ...), and its patches, each a mapping with "name", "strength"
    and perhaps "fingerprint". samples are what a fingerprint is judged by, as fingerprint.py makes
    them.
    """

    cfg: float | None = None
    guidance: float | None = None
    latent_shape: tuple[int, ...] | None = None
    prompts: int | None = None
    seed: int | None = None
    name: str | None = None
    fingerprint: str | None = None
    link: str | None = None
    shift: float | None = None
    prediction: str | None = None
    patches: tuple[Mapping, ...] = ()
    samples: Mapping[str, Mapping] | None = None

    def __post_init__(self):
        _settle(
            self,
            latent_shape=_integers(self.latent_shape),
            patches=tuple(plain(list(self.patches))),
            samples=plain(self.samples),
        )
        _settle(
            self,
            **{
                key: plain(getattr(self, key))
                for key in ("cfg", "guidance", "prompts", "seed", "shift")
            },
        )


@dataclass(frozen=True)
class Model:
    """The model a record belongs to: who it is, and the range and kind of its noise."""

    parametrisation: str
    sigma_min: float
    sigma_max: float
    name: str | None = None
    fingerprint: str | None = None
    link: str | None = None
    shift: float | None = None
    prediction: str | None = None
    patches: tuple[Mapping, ...] = ()
    samples: Mapping[str, Mapping] | None = None

    def __post_init__(self):
        _settle(
            self,
            sigma_min=float(self.sigma_min),
            sigma_max=float(self.sigma_max),
            shift=plain(self.shift),
        )
        _settle(self, patches=tuple(plain(list(self.patches))), samples=plain(self.samples))

    @classmethod
    def of(
        cls, conditions: Conditions, parametrisation: str, sigma_min: float, sigma_max: float
    ) -> Model:
        """The model that the conditions describe; prediction defaults to "flow" for a flow model."""
        prediction = conditions.prediction or ("flow" if parametrisation == "flow" else None)
        described = {
            key: getattr(conditions, key)
            for key in ("name", "fingerprint", "link", "shift", "patches", "samples")
        }
        return cls(parametrisation, sigma_min, sigma_max, prediction=prediction, **described)


@dataclass(frozen=True)
class Recipe:
    """One schedule for one sampler and one number of steps N, ready to run.

    sigmas: N + 1 numbers, strictly decreasing from start_sigma to exactly 0. offsets: None, or N
    query offsets (the model is asked at sigma * exp(offset); for flow models the offset shifts
    log(s / (1 - s))). coefficients: None, or N rows [c1, c2, c3, c4] for the sampler "distilled".
    choice: ours, or the stock schedule that won (`Choice`; a label is read as one). evidence: the held-out errors; known keys are
    rms, median, different, samples, stock, best_stock, ratio, margin, verdict, equals_stock_steps
    and model_calls; an error that was not finite is None. Arrays and tensors are taken and kept as
    tuples of floats.
    """

    sampler: str
    steps: int
    start_sigma: float
    sigmas: tuple[float, ...]
    offsets: tuple[float, ...] | None = None
    coefficients: tuple[tuple[float, ...], ...] | None = None
    choice: Choice = Choice(OURS)
    evidence: dict = field(default_factory=dict, hash=False)

    def __post_init__(self):
        rows = (
            None
            if self.coefficients is None
            else tuple(_floats(row) for row in _listed(self.coefficients))
        )
        _settle(self, sigmas=_floats(self.sigmas), offsets=_floats(self.offsets), coefficients=rows)
        _settle(
            self,
            steps=int(self.steps),
            start_sigma=float(self.start_sigma),
            choice=self.choice if isinstance(self.choice, Choice) else Choice.read(self.choice),
            evidence=plain(self.evidence, blank=True),
        )


@dataclass(frozen=True)
class Record:
    """All recipes of one model under one set of conditions.

    teacher: None (published tables), or solver, nodes, grid, samples and perhaps model_calls.
    evidence: curve and stock_curve ({sampler: {N: error}}), knee ({sampler: N}), seeds,
    recommendation. provenance: version, created and model_calls, perhaps evidence_calls, seconds,
    how and source. Keys are strings: curve["euler"]["6"]. What `conditions` says of the model
    follows `model`.
    """

    model: Model
    conditions: Conditions
    teacher: dict | None
    recipes: tuple[Recipe, ...]
    evidence: dict = field(default_factory=dict)
    provenance: dict = field(default_factory=dict)

    def __post_init__(self):
        keys = ("name", "fingerprint", "link", "shift", "prediction", "patches", "samples")
        described = {key: getattr(self.model, key) for key in keys}
        _settle(self, conditions=replace(self.conditions, **described), recipes=tuple(self.recipes))
        _settle(
            self,
            teacher=plain(self.teacher),
            evidence=plain(self.evidence, blank=True),
            provenance=plain(self.provenance),
        )

    def recipe(
        self, sampler: str, steps: int, start_sigma: float | None = None, offsets: bool = True
    ) -> Recipe:
        """The recipe for a sampler, a number of steps and a start (None: the model's sigma_max).

        With `offsets` the variant that has query offsets is preferred and the one without is the
        fallback; a host that can carry sigmas only asks for offsets=False. Raises RecipeError,
        listing what the record has.
        """
        start = self.model.sigma_max if start_sigma is None else float(start_sigma)
        found = [
            recipe for recipe in self.recipes if (recipe.sampler, recipe.steps) == (sampler, steps)
        ]
        found = [
            recipe
            for recipe in found
            if math.isclose(recipe.start_sigma, start, rel_tol=SAME_START)
        ]
        wanted = [recipe for recipe in found if offsets or recipe.offsets is None]
        if not wanted:
            with_offsets = "without offsets " if found else ""
            raise RecipeError(
                f"This record has no recipe {with_offsets}for {sampler} with {steps} steps from sigma {start:g}; it has {self._contents()}."
            )
        return max(wanted, key=lambda recipe: recipe.offsets is not None)

    def sample(
        self,
        denoise,
        noise,
        sampler: str,
        steps: int,
        start_sigma: float | None = None,
        offsets: bool = True,
    ):
        """Run a recipe: unit Gaussian noise of shape (B, ...) to x0 of the same shape, as the hosts
        do.

        `denoise(x, sigma) -> x0` as in denoiser.py; offsets are used where the recipe has them.
        Raises RecipeError and DenoiserError.
        """
        from ..samplers.distilled import (
            run_recipe,  # here, so that reading a record does not import torch
        )

        return run_recipe(
            denoise,
            noise,
            self.recipe(sampler, steps, start_sigma, offsets),
            self.model.parametrisation,
        )

    def to_json(self) -> str:
        """The record as text, a recipe a line, ready to save; raises RecordError where it would not
        be read again."""
        data = self._data()
        record_parser.check(data)
        text = _laid_out(data)
        record_parser.parse(text, "this record")  # its size too must be one that is read
        return text

    @classmethod
    def from_json(cls, text: str | bytes) -> Record:
        """Read a record's text, strictly; raises RecordError."""
        return _record(record_parser.parse(text))

    def save(self, path: PathLike) -> None:
        """Write the record to a file, whole or not at all; raises RecordError and OutputError."""
        write_text(path, self.to_json())

    def _contents(self) -> str:
        groups: dict[tuple[str, float], set[int]] = {}
        for recipe in self.recipes:
            groups.setdefault((recipe.sampler, recipe.start_sigma), set()).add(recipe.steps)
        parts = [
            f"{sampler} at {_ranges(steps)} steps from sigma {start:g}"
            for (sampler, start), steps in list(groups.items())[:20]
        ]
        more = len(groups) - len(parts)
        return (", ".join(parts) or "none at all") + (f", and {more} more" if more else "")

    def _data(self) -> dict:
        model, conditions = self.model, self.conditions
        about = _picked(
            model,
            "fingerprint",
            "name",
            "parametrisation",
            "prediction",
            "shift",
            "sigma_min",
            "sigma_max",
            "patches",
        )
        about |= {
            key: plain(getattr(model, key))
            for key in ("link", "samples")
            if getattr(model, key) is not None
        }
        under = _picked(conditions, "cfg", "guidance", "latent_shape", "prompts", "seed")
        recipes = [_recipe_data(recipe) for recipe in self.recipes]
        data = {
            "stepdistill": record_parser.VERSION,
            "model": about,
            "conditions": under,
            "teacher": self.teacher,
            "recipes": recipes,
        }
        return data | {"evidence": self.evidence, "provenance": self.provenance}


def load_record(path: PathLike) -> Record:
    """Read a record file, strictly; raises RecordError."""
    return _record(record_parser.parse_file(path))


def now() -> str:
    """The time in UTC, as provenance's "created" wants it."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def plain(value: object, blank: bool = False) -> object:
    """numpy and torch values, tuples and keys as plain JSON data; with `blank`, a number that is
    not finite becomes None.

    Whatever is left that JSON does not know is refused later, by the schema.
    """
    kind = type(value)
    if kind is float:  # the usual ones first: a record holds thousands
        return value if not blank or math.isfinite(value) else None
    if kind is str or kind is int or value is None:
        return value
    if isinstance(value, str):
        return str(value)
    if kind is dict or isinstance(value, Mapping):
        return {str(key): plain(entry, blank) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry, blank) for entry in value]
    return plain(value.tolist(), blank) if hasattr(value, "tolist") else value


def _picked(instance: object, *names: str) -> dict:
    return {name: plain(getattr(instance, name)) for name in names}


def _settle(instance: object, **values) -> None:
    for name, value in values.items():
        object.__setattr__(
            instance, name, value
        )  # the one door into a frozen dataclass, used while it is made


def _listed(values) -> list:
    return values.tolist() if hasattr(values, "tolist") else list(values)


def _floats(values) -> tuple[float, ...] | None:
    return None if values is None else tuple(float(value) for value in _listed(values))


def _integers(values) -> tuple[int, ...] | None:
    return None if values is None else tuple(int(value) for value in values)


def _record(data: dict) -> Record:
    model = Model(**data["model"])
    recipes = [Recipe(**recipe) for recipe in data["recipes"]]
    return Record(
        model,
        Conditions(**data["conditions"]),
        data["teacher"],
        tuple(recipes),
        data["evidence"],
        data["provenance"],
    )


def _recipe_data(recipe: Recipe) -> dict:
    data = {
        "sampler": recipe.sampler,
        "steps": recipe.steps,
        "start_sigma": recipe.start_sigma,
        "sigmas": list(recipe.sigmas),
    }
    if recipe.offsets is not None:
        data["offsets"] = list(recipe.offsets)
    if recipe.coefficients is not None:
        data["coefficients"] = [list(row) for row in recipe.coefficients]
    return data | {"choice": str(recipe.choice), "evidence": recipe.evidence}


def _laid_out(data: dict) -> str:
    def text(value: object) -> str:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)

    def lines(values: list) -> str:
        return (
            "[\n" + ",\n".join("  " + text(value) for value in values) + "\n ]" if values else "[]"
        )

    return (
        "{"
        + ",\n ".join(
            f"{text(key)}: {lines(value) if key == 'recipes' else text(value)}"
            for key, value in data.items()
        )
        + "}\n"
    )


def _ranges(steps: Sequence[int] | set[int]) -> str:
    """4, 5, 6, 8 as "4-6, 8"."""
    runs = groupby(enumerate(sorted(steps)), key=lambda pair: pair[1] - pair[0])
    ends = [(run[0][1], run[-1][1]) for run in (list(run) for _, run in runs)]
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in ends)
