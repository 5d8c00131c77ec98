"""The sampling runs that a node's outputs reach, and what the running prompt says of them before they
run: sampler, steps, denoise, cfg, guidance and size, each None where it cannot be known yet."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from .running_prompt import RunningNode, is_link

MOST_NODES = 200
FOLLOWED = (
    "model",
    "guider",
    "sigmas",
    "sampler",
)  # what a run is handed, by parts of inputs' names
LATENTS = ("latent_image", "latent")
PROMPTS = ("positive", "conditioning", "conditioning_1", "cond1")
USUAL_GUIDERS = ("CFGGuider", "BasicGuider")
FEW_STEP = "StepDistillKSampler"
FULL = 1.0


@dataclass(frozen=True)
class Under:
    """The conditions of a run: guidance scales and the latent's size in cells (frames, height, width)."""

    cfg: float | None = None
    guidance: float | None = None
    size: tuple[int | None, int, int] | None = None

    def of(self, model: Any) -> dict:
        """As `nodes.lookup.find` takes them, for a MODEL."""
        return {
            "cfg": self.cfg,
            "guidance": self.guidance,
            "latent_shape": None if self.size is None else _shape(model, *self.size),
        }


@dataclass(frozen=True)
class Run:
    """One sampler node. changed: its model is not that of the node that asks, but may be made from it
    by nodes between. scheduler: None where sigmas come in another way."""

    kind: str
    under: Under
    sampler: str | None = None
    scheduler: str | None = None
    steps: int | None = None
    denoise: float | None = None
    changed: bool = False


def runs_after(node: RunningNode | None) -> list[Run]:
    """The runs that a node's outputs reach; none outside a prompt."""
    if node is None:
        return []
    return list(_runs(node.prompt, node.id))


def under_of(node: RunningNode | None, model: Any, cfg: float | None) -> dict:
    """The conditions of the run of a sampler node itself, as `Under.of`; cfg: by its own widget, where
    known. Of a node that only makes sigmas: what the runs after it share."""
    if node is None:
        return {"cfg": cfg}
    entry = node.prompt.get(node.id, {})
    own = [_run(node.prompt, entry, node.id)] if _samples(entry) else runs_after(node)
    found = shared(own).of(model)
    return found if cfg is None else found | {"cfg": cfg}


def shared(runs: Iterable[Run]) -> Under:
    """What all runs have in common; None where they differ, or one of them does not say."""
    found = [run.under for run in runs]
    return Under(
        **{each.name: _one(getattr(u, each.name) for u in found) for each in fields(Under)}
    )


def digest(runs: Iterable[Run]) -> str:
    """A text that is another where anything of the runs is."""
    return json.dumps([asdict(run) for run in runs], sort_keys=True)


def _one(values: Iterator) -> Any:
    found = set(values)
    return found.pop() if len(found) == 1 else None


def few_steps_after(node: RunningNode | None) -> bool:
    """Whether a node's outputs reach a Few-Step KSampler, which looks for a record by itself."""
    if node is None:
        return False
    found = (entry.get("class_type") for entry in _reached(node.prompt, node.id))
    return any(kind == FEW_STEP for kind in found)


def _runs(prompt: Mapping[str, Mapping], start: str) -> Iterator[Run]:
    for entry in _reached(prompt, start):
        if _samples(entry):
            yield _run(prompt, entry, start)


def _reached(prompt: Mapping[str, Mapping], start: str) -> Iterator[Mapping]:
    """What a node's outputs reach, up to those that draw and those of ours."""
    waiting, seen = [start], {start}
    while waiting and len(seen) < MOST_NODES:
        here = waiting.pop(0)
        for id in _takers(prompt, here):
            if id in seen:
                continue
            seen.add(id)
            entry = prompt[id]
            yield entry
            ours = str(entry.get("class_type")).startswith("StepDistill")
            if not ours and not _samples(entry):
                waiting.append(id)


def _takers(prompt: Mapping[str, Mapping], source: str) -> Iterator[str]:
    """The nodes that take a model, guider, sampler or sigmas from a node."""
    for id, entry in prompt.items():
        for name, value in entry.get("inputs", {}).items():
            followed = any(part in name for part in FOLLOWED)
            if followed and is_link(value) and value[0] == source:
                yield id
                break


def _samples(entry: Mapping) -> bool:
    """Whether a node draws: it is handed a latent, and a model or a guider. Ours look by themselves."""
    inputs = entry.get("inputs", {})
    latent = any(is_link(inputs.get(name)) for name in LATENTS)
    ours = str(entry.get("class_type")).startswith("StepDistill")
    return latent and not ours and bool({"model", "guider"} & inputs.keys())


def _run(prompt: Mapping[str, Mapping], entry: Mapping, start: str) -> Run:
    """start: the node that asks, whose model may be changed on the way."""
    inputs = entry.get("inputs", {})
    guider = _source(prompt, inputs.get("guider")) or entry
    maker = _source(prompt, inputs.get("sigmas")) or entry
    selector = _source(prompt, inputs.get("sampler")) or entry
    whole = maker is entry and "start_at_step" not in inputs
    model = guider.get("inputs", {}).get("model")
    steps = _number(prompt, maker, "steps")
    denoise = FULL if whole and "denoise" not in inputs else _number(prompt, maker, "denoise")
    return Run(
        str(entry.get("class_type")),
        Under(_cfg(prompt, guider), _guidance(prompt, guider), _size(prompt, entry)),
        _text(selector, "sampler_name"),
        _text(maker, "scheduler"),
        int(steps) if whole and steps is not None and steps >= 1 else None,
        denoise if whole and denoise is not None and 0 < denoise <= 1 else None,
        not is_link(model) or model[0] != start,
    )


def _cfg(prompt: Mapping[str, Mapping], guider: Mapping) -> float | None:
    kind = guider.get("class_type")
    if kind == "BasicGuider":
        return 1.0
    known = kind in USUAL_GUIDERS or any(is_link(guider["inputs"].get(n)) for n in LATENTS)
    return _number(prompt, guider, "cfg") if known else None


def _guidance(prompt: Mapping[str, Mapping], guider: Mapping) -> float | None:
    """The distilled guidance that the nearest node before the prompt's input states."""
    entry, seen = guider, 0
    while entry is not None and seen < MOST_NODES:
        found = None if entry is guider else _number(prompt, entry, "guidance")
        if found is not None:
            return found
        inputs = entry.get("inputs", {})
        links = (_source(prompt, inputs.get(name)) for name in PROMPTS)
        entry, seen = next((each for each in links if each is not None), None), seen + 1
    return None


def _size(prompt: Mapping[str, Mapping], entry: Mapping) -> tuple[int | None, int, int] | None:
    from ...scheduler.workflow.empty_latents import size_of

    links = (_source(prompt, entry["inputs"].get(name)) for name in LATENTS)
    source = next((each for each in links if each is not None), None)
    if source is None:
        return None
    found = size_of(str(source.get("class_type")), lambda name: _whole(prompt, source, name))
    return None if found is None else (found.frames, found.height, found.width)


def _shape(model: Any, frames: int | None, height: int, width: int) -> tuple[int, ...]:
    """One sample's shape, as the host makes an empty latent fit a MODEL."""
    from ...scheduler.workflow.empty_latents import LatentSize

    known = getattr(getattr(model, "model", None), "latent_format", None)
    channels = int(getattr(known, "latent_channels", 4))
    video = getattr(known, "latent_dimensions", 2) == 3
    return LatentSize(height, width, frames).shape(channels, video)


def _source(prompt: Mapping[str, Mapping], value: object) -> Mapping | None:
    return prompt.get(value[0]) if is_link(value) else None


def _number(prompt: Mapping[str, Mapping], entry: Mapping, name: str) -> float | None:
    """A number of a node, also from a node that holds nothing but a value."""
    value = entry.get("inputs", {}).get(name)
    held = _source(prompt, value)
    value = held.get("inputs", {}).get("value") if held is not None else value
    plain = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if plain else None


def _whole(prompt: Mapping[str, Mapping], entry: Mapping, name: str) -> int | None:
    value = _number(prompt, entry, name)
    return None if value is None else int(value)


def _text(entry: Mapping, name: str) -> str | None:
    value = entry.get("inputs", {}).get(name)
    return value if isinstance(value, str) else None
