"""What is queued on a ComfyUI server for a job: loader, prompts, latent and Distill Schedule; or the
user's own graph, cut down to its Distill Schedule, with the job's numbers in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import PlanError
from ..files import read_bytes
from .jobs import Job

DISTILL = "StepDistillDistill"
LEAST_RANGE = 4  # Distill Schedule makes 4 up to its max_steps, or one count below that
MOST_BYTES = 16_000_000

Graph = dict[str, dict[str, Any]]  # ComfyUI's API format: {node: {class_type, inputs}}


def graph_of(job: Job) -> tuple[Graph, list[str]]:
    """(the graph, the ids of its Distill Schedule nodes); raises PlanError."""
    if len(job.model.samplers) != 1:
        raise PlanError(
            f"{job.title} asks for several samplers, and ComfyUI's servers make one at a time; "
            "write a [[models]] table for each."
        )
    graph = _own_graph(job) if job.model.workflow else _usual_graph(job)
    (node,) = [name for name, each in graph.items() if each["class_type"] == DISTILL]
    first, *others = _counts(job.model.steps)
    graph[node]["inputs"] |= _asked(job, first)
    nodes = [node]
    for count in others:
        nodes.append(f"{node}-{count}")
        inputs = graph[node]["inputs"] | {"max_steps": count}
        graph[nodes[-1]] = {"class_type": DISTILL, "inputs": inputs}
    return graph, nodes


def _counts(steps: tuple[int, ...]) -> list[int]:
    """The node's max_steps, as often as it must run."""
    ranged = [max(steps)] if max(steps) >= LEAST_RANGE else []
    return ranged + [count for count in steps if count < LEAST_RANGE]


def _asked(job: Job, count: int) -> dict[str, Any]:
    model = job.model
    asked = {
        "sampler_name": model.samplers[0],
        "max_steps": count,
        "quality": job.effort,
        "noise_seed": model.seed,
        "measure": model.measure,
        "name": model.name,
    }
    return asked if job.cfg is None else asked | {"cfg": job.cfg}


def _usual_graph(job: Job) -> Graph:
    """A checkpoint with everything in one file."""
    model = job.model
    if not model.prompts or job.size is None or job.cfg is None:
        raise PlanError(
            f"{job.title} needs prompts, sizes and guidances: ComfyUI has none of its own."
        )
    wide, tall = job.size
    name = model.comfyui or Path(model.pipeline).name
    graph: Graph = {
        "loader": _node("CheckpointLoaderSimple", ckpt_name=name),
        "negative": _node("CLIPTextEncode", text=model.negative, clip=["loader", 1]),
        "latent": _node("EmptyLatentImage", width=wide, height=tall, batch_size=1),
    }
    prompts = {"positive": model.prompts[0]}
    if len(model.prompts) > 1:
        prompts["extra_positive"] = model.prompts[1]
    for input_name, text in prompts.items():
        graph[input_name] = _node("CLIPTextEncode", text=text, clip=["loader", 1])
    links = {input_name: [input_name, 0] for input_name in (*prompts, "negative")}
    graph["distill"] = _node(DISTILL, model=["loader", 0], latent_image=["latent", 0], **links)
    return graph


def _node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def _own_graph(job: Job) -> Graph:
    path = Path(job.model.workflow)
    graph = _read(path)
    found = [name for name, each in graph.items() if each["class_type"] == DISTILL]
    if len(found) != 1:
        raise PlanError(
            f"{path.name} has {len(found)} Distill Schedule nodes, and should have one."
        )
    kept = _needed(graph, found[0])
    if job.size is not None:
        _resize(kept, found[0], job.size, path.name)
    return kept


def _read(path: Path) -> Graph:
    """A graph in API format; raises PlanError."""
    try:
        graph = json.loads(read_bytes(path, MOST_BYTES, PlanError))
    except (ValueError, RecursionError):
        graph = None
    if not isinstance(graph, dict) or not all(_is_node(each) for each in graph.values()):
        raise PlanError(
            f"{path.name} is no graph in ComfyUI's API format; write it with Workflow > Export (API)."
        )
    return graph


def _is_node(entry: object) -> bool:
    return (
        isinstance(entry, Mapping)
        and isinstance(entry.get("class_type"), str)
        and isinstance(entry.get("inputs"), dict)
    )


def _needed(graph: Graph, node: str) -> Graph:
    """A node and all that leads to it: nothing else of the user's graph is to run."""
    todo, kept = [node], {}
    while todo:
        name = todo.pop()
        if name in kept or name not in graph:
            continue
        kept[name] = graph[name]
        todo += [str(value[0]) for value in graph[name]["inputs"].values() if _is_link(value)]
    return kept


def _is_link(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[1], int)


def _resize(graph: Graph, node: str, size: tuple[int, int], name: str) -> None:
    """Give the latent the job's size."""
    link = graph[node]["inputs"].get("latent_image")
    source = graph.get(str(link[0])) if _is_link(link) else None
    inputs = source["inputs"] if source else {}
    if not all(isinstance(inputs.get(side), int) for side in ("width", "height")):
        raise PlanError(
            f"The latent of {name} comes from a node without width and height; leave sizes out."
        )
    inputs |= {"width": size[0], "height": size[1]}
