"""The record: every recipe of one checkpoint under one set of conditions, with evidence and
provenance; what is saved and shared."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

from ..errors import RecipeError, RecordError
from ..files import PathLike, write_text
from . import parser as record_parser
from .checkers import Checker, Misfit
from .choice import OURS, Choice
from .counts import ranges
from .file_form import (
    choice_data,
    choice_of,
    evidence_data,
    evidence_in_memory,
    evidence_of,
    laid_out,
    plain,
)
from .inner_products import Gram, packed
from .origin import Origin
from .rules import SAME_START
from .schema import CONDITIONS, MODEL, RECIPE, VERSION

OFFSETS = "+offsets"  # in the names of curves


@dataclass(frozen=True, kw_only=True)
class Described:
    """Who a model is, as conditions state it and models keep it.

    name, fingerprint and link are text; shift is that of its noise table; noise_scale is the
    standard deviation of the noise that it draws from (None: 1); prediction is "eps", "v", "flow",
    ...; patches are mappings with "name", "strength" and perhaps "fingerprint";
    samples are what a fingerprint is judged by, as the package `fingerprint` makes them.
    """

    name: str | None = None
    fingerprint: str | None = None
    link: str | None = None
    shift: float | None = None
    prediction: str | None = None
    patches: tuple[Mapping, ...] = ()
    samples: Mapping[str, Mapping] | None = None
    noise_scale: float | None = None

    def __post_init__(self):
        _settle(self, shift=plain(self.shift), samples=plain(self.samples))
        _settle(self, noise_scale=_other_than_1(self.noise_scale))
        _settle(self, patches=tuple(plain(list(self.patches))))

    @property
    def description(self) -> dict:
        """All of these by name, to describe another object with."""
        return {each.name: getattr(self, each.name) for each in fields(Described)}

    @property
    def noise_deviation(self) -> float:
        """noise_scale as a number."""
        return 1.0 if self.noise_scale is None else self.noise_scale


@dataclass(frozen=True)
class Conditions(Described):
    """What the record will say of the run and of the model; everything may be left out.

    cfg and guidance (distilled guidance such as FluxGuidance) are numbers; latent_shape is one
    sample's, without batch; prompts counts the conditionings, seed is the noise's; streams names the
    parts of a latent of several kinds, packed flat, in their order: mappings with "name" and
    "elements". The rest describes the model (`Described`).
    """

    cfg: float | None = None
    guidance: float | None = None
    latent_shape: tuple[int, ...] | None = None
    prompts: int | None = None
    seed: int | None = None
    streams: tuple[Mapping, ...] | None = None

    def __post_init__(self):
        super().__post_init__()
        _settle(self, latent_shape=_integers(self.latent_shape))
        if self.streams is not None:
            _settle(self, streams=tuple(plain(list(self.streams))) or None)
        numbers = ("cfg", "guidance", "prompts", "seed")
        _settle(self, **{name: plain(getattr(self, name)) for name in numbers})


@dataclass(frozen=True)
class Model(Described):
    """The model a record belongs to: who it is, and the range and kind of its noise."""

    parametrisation: str
    sigma_min: float
    sigma_max: float

    def __post_init__(self):
        super().__post_init__()
        _settle(self, sigma_min=float(self.sigma_min), sigma_max=float(self.sigma_max))

    @classmethod
    def of(
        cls, conditions: Conditions, parametrisation: str, sigma_min: float, sigma_max: float
    ) -> Model:
        """The model that the conditions describe; prediction defaults to "flow" for a flow model."""
        prediction = conditions.prediction or ("flow" if parametrisation == "flow" else None)
        described = conditions.description | {"prediction": prediction}
        return cls(parametrisation, sigma_min, sigma_max, **described)


@dataclass(frozen=True)
class Recipe:
    """One schedule for one sampler and one number of steps N, ready to run.

    sigmas: N + 1 numbers, strictly decreasing from start_sigma to exactly 0. offsets: None, or N
    query offsets (the model is asked at sigma * exp(offset); for flow models the offset shifts
    log(s / (1 - s))). coefficients: None, or N rows [c1, c2, c3, c4] for the sampler "distilled".
    choice: ours, or the stock schedule that won (`Choice`; a label is read as one). evidence: the
    held-out errors; known keys are rms, median, different, samples, rows ({kind: count}), stock
    ({label: errors}), best_stock (a label), ratio, margin, verdict (a code of verdict.py),
    equals_stock_steps, beats_stock_steps, model_calls and note; an error that was not finite is
    None. Arrays and
    tensors are taken and kept as tuples of floats.
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
        _settle(self, steps=int(self.steps), start_sigma=float(self.start_sigma))
        _settle(self, sigmas=_floats(self.sigmas), offsets=_floats(self.offsets))
        if self.coefficients is not None:
            rows = tuple(_floats(row) for row in _listed(self.coefficients))
            _settle(self, coefficients=rows)
        if not isinstance(self.choice, Choice):
            _settle(self, choice=Choice.read(self.choice))
        _settle(self, evidence=evidence_in_memory(self.evidence))


@dataclass(frozen=True)
class Record:
    """All recipes of one model under one set of conditions.

    teacher: None (published tables), or solver, nodes, grid, samples and perhaps model_calls.
    evidence: curve and stock_curve ({sampler: {N: error}}), knee ({sampler: N}), seeds, rows,
    left_out, recommendation, and for starts below sigma_max `starts`. provenance: version, created
    and model_calls, perhaps evidence_calls, seconds, source, how, plans and stages. What stands
    under other keys of evidence and provenance is kept as it is. Keys are strings:
    curve["euler"]["6"]. gram: the teacher's inner products, from which another sampler, N or start
    is solved without a model call, or None. origin: of one that was read from a source, whose it is; no
    file holds it. What `conditions` says of the model follows `model`.
    """

    model: Model
    conditions: Conditions
    teacher: dict | None
    recipes: tuple[Recipe, ...]
    evidence: dict = field(default_factory=dict)
    provenance: dict = field(default_factory=dict)
    gram: Gram | None = None
    origin: Origin | None = field(default=None, compare=False)

    def __post_init__(self):
        conditions = replace(self.conditions, **self.model.description)
        _settle(self, conditions=conditions, recipes=tuple(self.recipes))
        _settle(self, teacher=plain(self.teacher), evidence=plain(self.evidence, blank=True))
        _settle(self, provenance=plain(self.provenance))

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
            recipe
            for recipe in self.recipes
            if (recipe.sampler, recipe.steps) == (sampler, steps)
            and math.isclose(recipe.start_sigma, start, rel_tol=SAME_START)
        ]
        wanted = [recipe for recipe in found if offsets or recipe.offsets is None]
        if not wanted:
            without = "without offsets " if found else ""
            raise RecipeError(
                f"This record has no recipe {without}for {sampler} with {steps} steps "
                f"from sigma {start:g}; it has {self._contents()}."
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
        first_answer=None,
        path_seed: int = 0,
    ):
        """Run a recipe: unit Gaussian noise of shape (B, ...) to x0 of the same shape, as the hosts
        do.

        `denoise(x, sigma) -> x0` as in denoiser.py; offsets are used where the recipe has them.
        first_answer: of `samplers.first_answer`, which saves `distilled` its first model call.
        path_seed: of a stochastic sampler's noise. Raises RecipeError and DenoiserError.
        """
        # here, so that reading a record does not import torch
        from ..samplers.distilled import run_recipe
        from ..samplers.names import ON_PATHS
        from ..samplers.stochastic import run_on_path

        recipe = self.recipe(sampler, steps, start_sigma, offsets)
        process, scale = self.model.parametrisation, self.model.noise_deviation
        if first_answer is not None and recipe.start_sigma < self.model.sigma_max * (
            1 - SAME_START
        ):
            raise RecipeError(
                f"This recipe starts at sigma {recipe.start_sigma:g}, where the first answer depends "
                "on the picture; a shared one is for runs from pure noise."
            )
        if recipe.sampler in ON_PATHS:
            shift = self.model.shift
            return run_on_path(denoise, noise, recipe, process, path_seed, shift, scale)
        return run_recipe(denoise, noise * scale, recipe, process, first_answer=first_answer)

    def to_json(self) -> str:
        """The record as text, a recipe a line, ready to save; raises RecordError where it would not
        be read again."""
        text = laid_out(self._data())
        record_parser.parse(text, "this record")  # its size too must be one that is read
        return text

    @classmethod
    def from_json(cls, text: str | bytes) -> Record:
        """Read a record's text, strictly; raises RecordError."""
        return cls.from_data(record_parser.parse(text))

    @classmethod
    def from_data(cls, data: dict) -> Record:
        """The record of checked data (`parser.parse`); without inner products where they are still
        packed."""
        recipes = [
            recipe
            | {
                "choice": choice_of(recipe["choice"]),
                "evidence": evidence_of(recipe.get("evidence", {})),
            }
            for recipe in data["recipes"]
        ]
        gram = data.get("inner_products")
        return cls(
            Model(**data["model"]),
            Conditions(**data["conditions"]),
            data["teacher"],
            tuple(Recipe(**recipe) for recipe in recipes),
            data["evidence"],
            data["provenance"],
            gram if isinstance(gram, Gram) else None,
        )

    def is_within(self, other: Record) -> bool:
        """Whether another record is this one, with inner products perhaps that this one lacks."""
        return self == other or (self.gram is None and self == replace(other, gram=None))

    def save(self, path: PathLike) -> None:
        """Write the record to a file, whole or not at all; raises RecordError and OutputError."""
        write_text(path, self.to_json())

    def _contents(self) -> str:
        groups: dict[tuple[str, float], set[int]] = {}
        for recipe in self.recipes:
            groups.setdefault((recipe.sampler, recipe.start_sigma), set()).add(recipe.steps)
        parts = [
            f"{sampler} at {ranges(steps)} steps from sigma {start:g}"
            for (sampler, start), steps in list(groups.items())[:20]
        ]
        more = len(groups) - len(parts)
        return (", ".join(parts) or "none at all") + (f", and {more} more" if more else "")

    def _data(self) -> dict:
        data = {
            "stepdistill": VERSION,
            "model": _stated(self.model, MODEL),
            "conditions": _stated(self.conditions, CONDITIONS),
            "teacher": self.teacher,
            "recipes": [_recipe_data(recipe) for recipe in self.recipes],
            "evidence": self.evidence,
            "provenance": self.provenance,
        }
        if self.gram is not None:
            data["inner_products"] = _packed(self.gram)
        record_parser.check(data)
        return data


def load_record(path: PathLike) -> Record:
    """Read a record file, strictly; raises RecordError."""
    return Record.from_data(record_parser.parse_file(path))


def curve_key(recipe: Recipe) -> str:
    """The name of the curve a recipe belongs to: its sampler, with OFFSETS where it has any."""
    return recipe.sampler + (OFFSETS if recipe.offsets is not None else "")


def _settle(instance: object, **values) -> None:
    for name, value in values.items():
        object.__setattr__(
            instance, name, value
        )  # the one door into a frozen dataclass, used while it is made


def _listed(values) -> list:
    return values.tolist() if hasattr(values, "tolist") else list(values)


def _floats(values) -> tuple[float, ...] | None:
    return None if values is None else tuple(float(value) for value in _listed(values))


def _other_than_1(value) -> float | None:
    """A scale, or None for 1: records that state none stay what they are."""
    return None if value is None or float(value) == 1 else float(value)


def _integers(values) -> tuple[int, ...] | None:
    return None if values is None else tuple(int(value) for value in values)


def _stated(instance: object, form: Checker) -> dict:
    """The fields of an object that its form declares, in that order; of the optional ones those
    that have a value."""
    values = {name: plain(getattr(instance, name)) for name in form.schema["properties"]}
    required = form.schema["required"]
    return {name: each for name, each in values.items() if name in required or each is not None}


def _recipe_data(recipe: Recipe) -> dict:
    data = _stated(recipe, RECIPE)
    return data | {
        "choice": choice_data(recipe.choice),
        "evidence": evidence_data(recipe.evidence),
    }


def _packed(gram: Gram) -> dict:
    try:
        return packed(gram)
    except Misfit as misfit:
        where = misfit.inside(".inner_products.products")
        raise RecordError(f"This record cannot be saved: {where}.") from None
