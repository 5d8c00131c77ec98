"""A plan as its TOML file says it: which models, at which sizes and guidances, in how many steps.

What stands at the top holds for every model that does not say otherwise. The parser is strict: a key that
is not known, or a value of another kind, is refused with its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import Any

from ..errors import PlanError
from ..files import PathLike, read_bytes
from . import values

MOST_BYTES = 1_000_000
MODELS = "models"
# Where a model is found: each names one; the last two are for ComfyUI's servers.
PLACES = ("checkpoint", "pipeline", "workflow", "comfyui")


@dataclass(frozen=True)
class ModelPlan:
    """One model of a plan, with what the top of the file says filled in.

    checkpoint: "flow", "eps" or a file of their layouts. pipeline: a diffusers folder or a checkpoint
    file. comfyui: the checkpoint's name on ComfyUI's servers; workflow: in its place a graph with a
    Distill Schedule node, in ComfyUI's API format. sizes: (width, height) in pixels, or None for the
    model's own. guidances: cfg scales; None for the model's own. guidance: the distilled one of models that
    take it.
    """

    checkpoint: str = ""
    pipeline: str = ""
    workflow: str = ""
    comfyui: str = ""
    config: str = ""
    name: str = ""
    sizes: tuple[tuple[int, int] | None, ...] = (None,)
    guidances: tuple[float | None, ...] = (None,)
    steps: tuple[int, ...] = (6,)
    samplers: tuple[str, ...] = ("distilled",)
    efforts: tuple[str, ...] = ("instant",)
    priority: int = 0
    prompts: tuple[str, ...] = ()
    negative: str = ""
    guidance: float | None = None
    frames: int | None = None
    samples: int | None = None
    measure: bool = False
    dtype: str = ""
    offload: str = ""
    seed: int = 0


@dataclass(frozen=True)
class Plan:
    """models, in the file's order. store and report: where to, or "" for the usual and for none.

    device: where models run here and on Ray; gpus, cpus: what Ray is told that a job takes (None: one GPU
    where the device is not the CPU, and one core)."""

    models: tuple[ModelPlan, ...]
    store: str = ""
    report: str = ""
    device: str = "cpu"
    gpus: float | None = None
    cpus: int | None = None


def load_plan(path: PathLike) -> Plan:
    """Read a plan; paths in it are taken from its own folder. Raises PlanError."""
    place = Path(path)
    return parse_plan(read_bytes(place, MOST_BYTES, PlanError), place)


def parse_plan(data: bytes, place: Path) -> Plan:
    """The plan in the bytes of a file at `place`. Raises PlanError."""
    toml = _toml()
    try:
        table = toml.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, toml.TOMLDecodeError, RecursionError, ValueError) as problem:
        what = " ".join(str(problem).split())[:200].rstrip(".")
        raise PlanError(f"{place.name} is no TOML file ({what}); see docs/library.md.") from None
    where = _Where(place)
    entries = table.pop(MODELS, None)
    if not isinstance(entries, list) or not entries:
        raise where.problem("", "names no model; write a [[models]] table for each.")
    own = {key: table.pop(key) for key in _OWN if key in table}
    shared = [key for key in table if key in PLACES]
    if shared:
        raise where.problem(shared[0], "belongs into a [[models]] table.")
    usual = _read(table, where)
    models = tuple(_model(entry, usual, where.of(k)) for k, entry in enumerate(entries, 1))
    return Plan(models, **{key: where.read(_OWN[key], key, value) for key, value in own.items()})


class _Where:
    """Where in a file something stands, for sentences, and what its paths begin at."""

    def __init__(self, place: Path, entry: int = 0):
        self.place, self.entry = place, entry

    def of(self, entry: int) -> _Where:
        """The place of one model, from 1."""
        return _Where(self.place, entry)

    def problem(self, key: str, text: str) -> PlanError:
        """The error that says where."""
        inside = f", model {self.entry}" if self.entry else ""
        named = f" {key}" if key else ""
        return PlanError(f"{self.place.name}{inside}:{named} {text}")

    def path(self, value: Any) -> str:
        """A path as text, from the plan's folder on."""
        text = values.text(value)
        return str(self.place.parent / text) if text else ""

    def read(self, reader: Any, key: str, value: Any) -> Any:
        """A value by its reader; raises PlanError with the place."""
        try:
            return reader(self, value) if reader in _PLACED else reader(value)
        except values.Refused as refused:
            raise self.problem(key, str(refused)) from None


def _model(entry: Any, usual: dict[str, Any], where: _Where) -> ModelPlan:
    if not isinstance(entry, Mapping):
        raise where.problem("", "is no table; write [[models]] and below it what it has.")
    own = _read(entry, where)
    if not any(own.get(place) for place in PLACES):
        raise where.problem("", f"names no model; give it one of {', '.join(PLACES)}.")
    if own.get("checkpoint") and own.get("pipeline"):
        raise where.problem("", "has a checkpoint and a pipeline; one model is one of them.")
    return ModelPlan(**(usual | own))


def _read(table: Mapping, where: _Where) -> dict[str, Any]:
    unknown = sorted(set(table) - set(_READERS))
    if unknown:
        known = ", ".join(_READERS)
        raise where.problem("", f"{unknown[0][:60]!r} is not known; it may have {known}.")
    return {key: where.read(_READERS[key], key, value) for key, value in table.items()}


def _checkpoint(where: _Where, value: Any) -> str:
    from ..checkpoints.load import BUNDLED

    return values.text(value) if value in tuple(BUNDLED) else where.path(value)


def _prompts(where: _Where, value: Any) -> tuple[str, ...]:
    """A list of them, or the name of a file with one a line."""
    if not isinstance(value, str):
        return values.texts(value)
    data = read_bytes(where.path(value), MOST_BYTES, PlanError)
    lines = data.decode("utf-8", "replace").splitlines()
    return values.texts([line.strip() for line in lines if line.strip()])


_PLACED = (_checkpoint, _prompts, _Where.path)
_OWN = {
    "store": _Where.path,
    "report": _Where.path,
    "device": values.text,
    "gpus": values.amount,
    "cpus": values.count,
}
_READERS = {
    "checkpoint": _checkpoint,
    "pipeline": _Where.path,
    "workflow": _Where.path,
    "comfyui": values.text,
    "config": _Where.path,
    "name": values.text,
    "sizes": values.sizes,
    "guidances": values.guidances,
    "steps": values.steps,
    "samplers": values.samplers,
    "efforts": values.efforts,
    "priority": values.whole,
    "prompts": _prompts,
    "negative": values.text,
    "guidance": values.guidance,
    "frames": values.count,
    "samples": values.count,
    "measure": values.flag,
    "dtype": values.dtype,
    "offload": values.offload,
    "seed": values.seed,
}
assert set(_READERS) == {field.name for field in fields(ModelPlan)}


def _toml() -> Any:
    """Python's own reader of TOML, or tomli where it has none (3.10)."""
    for name in ("tomllib", "tomli"):
        with suppress(ModuleNotFoundError):
            return import_module(name)
    raise PlanError("Plans need tomli on this Python, which lacks it; run: pip install tomli")
