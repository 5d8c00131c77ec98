"""The jobs of a plan: each model at each size and guidance, once for each effort, in the order in which
they are to be made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import PlanError
from ..lookup.key import guidance_bucket, resolution_bucket
from .plan import ModelPlan, Plan

MOST_JOBS = 10_000
BLOCKS, BLOCK = 16, 4096  # bytes of a file that its identity is made of
SAFE = 128  # bits of an id


@dataclass(frozen=True)
class Job:
    """One distillation. id: the same wherever and whenever the same is asked for. place: that of all
    jobs whose recipes go into one record, which are made one after the other."""

    id: str
    place: str
    model: ModelPlan
    size: tuple[int, int] | None
    cfg: float | None
    effort: str
    device: str = "cpu"

    @property
    def title(self) -> str:
        """The model's name, for people."""
        own = self.model
        return own.name or Path(own.checkpoint or own.pipeline or own.comfyui or own.workflow).stem

    @property
    def size_text(self) -> str:
        """1024x768, or "" for the model's own."""
        return f"{self.size[0]}x{self.size[1]}" if self.size else ""

    @property
    def steps_text(self) -> str:
        """4-8, or 4,6."""
        steps = self.model.steps
        whole = len(steps) > 1 and steps == tuple(range(steps[0], steps[-1] + 1))
        return f"{steps[0]}-{steps[-1]}" if whole else ",".join(map(str, steps))


def jobs_of(plan: Plan, remote: bool = False) -> list[Job]:
    """The jobs, without doubles, in order: by priority, then the first of each model's efforts before any of
    its second, then as the file has them.

    remote: models lie where others are (ComfyUI's servers), so that files are not looked for here. Raises
    PlanError for a model that is not there or cannot be worked on so, and for too many jobs.
    """
    found: dict[str, tuple[tuple[int, int, int], Job]] = {}
    for number, model in enumerate(plan.models, 1):
        identity = _identity(model, number, remote)
        for stage, job in _of_model(model, identity, plan.device):
            rank = (-model.priority, stage, len(found))
            if job.id not in found or rank < found[job.id][0]:
                found[job.id] = (rank, job)
            if len(found) > MOST_JOBS:
                raise PlanError(
                    f"The plan asks for more than {MOST_JOBS:,} jobs; make several plans of it."
                )
    return [job for _, job in sorted(found.values(), key=lambda each: each[0])]


def _of_model(model: ModelPlan, identity: str, device: str) -> Iterator[tuple[int, Job]]:
    for stage, effort in enumerate(model.efforts):
        for size in model.sizes:
            for cfg in model.guidances:
                buckets = [resolution_bucket(size), guidance_bucket(cfg), model.frames]
                place = [identity, *buckets, model.guidance, sorted(model.samplers)]
                asked = [size, cfg, effort, model.steps, model.prompts, model.negative]
                rest = [model.samples, model.measure, model.dtype, model.seed, model.name]
                names = digest(place), digest([place, asked, rest])
                yield stage, Job(names[1], names[0], replace(model), size, cfg, effort, device)


def digest(data: object) -> str:
    """A short name that plain data decides."""
    text = json.dumps(data, sort_keys=True)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=SAFE // 8).hexdigest()


def _identity(model: ModelPlan, number: int, remote: bool) -> str:
    if remote:
        if model.workflow:
            return digest(["workflow", _content(Path(model.workflow), number)])
        name = model.comfyui or _file_name(model)
        if not name:
            raise PlanError(
                f"Model {number} of the plan has neither comfyui nor workflow, which ComfyUI's servers "
                "need; give it the checkpoint's name there, or a graph."
            )
        return digest(["comfyui", name])
    place = model.checkpoint or model.pipeline
    if not place:
        raise PlanError(
            f"Model {number} of the plan is for ComfyUI's servers alone; name them with --comfyui, "
            "or give it a checkpoint or a pipeline."
        )
    from ..checkpoints.load import BUNDLED

    return digest(_content(Path(BUNDLED.get(place, place)), number))


def _file_name(model: ModelPlan) -> str:
    path = Path(model.pipeline)
    return path.name if path.suffix == ".safetensors" else ""


def _content(path: Path, number: int) -> list:
    """What tells a file, or a folder of weights, from others, wherever it lies: names, sizes, and a few bytes
    of each file."""
    try:
        if path.is_dir():
            files = sorted(each for each in path.rglob("*.safetensors") if each.is_file())
            if not files:
                raise PlanError(
                    f"Model {number} of the plan, {path}, holds no .safetensors file; "
                    "name the folder of a pipeline."
                )
            return [[each.relative_to(path).as_posix(), *_told(each)] for each in files]
        return _told(path)
    except OSError as problem:
        raise PlanError(
            f"Model {number} of the plan, {path}, cannot be read "
            f"({(problem.strerror or 'no such file').lower()}); put its path right."
        ) from None


def _told(path: Path) -> list:
    size, total = path.stat().st_size, hashlib.blake2b(digest_size=SAFE // 8)
    with open(path, "rb") as file:
        for block in range(BLOCKS + 1):
            file.seek(max(size - BLOCK, 0) * block // BLOCKS)
            total.update(file.read(BLOCK))
    return [size, total.hexdigest()]
