"""What the running prompt says: which node runs, and from which files its model comes. Names for
people; nothing depends on them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath

MOST_NODES = 200  # on the way from a sampler up to its loader
SECOND = "second_model"  # of Compare Schedules: another model than the node's own
LOADERS = ("ckpt_name", "unet_name", "model_name", "gguf_name")


@dataclass(frozen=True)
class RunningNode:
    """The node that runs now: its prompt (API format), its id there, its class and its inputs."""

    prompt: Mapping[str, Mapping]
    id: str
    class_type: str
    inputs: Mapping


def running_node() -> RunningNode | None:
    """The node that this thread runs, or None outside a prompt and in hosts that do not say."""
    try:
        prompt, _, here = _running()
        node = prompt[here]
        return RunningNode(prompt, here, str(node["class_type"]), node["inputs"])
    except (
        Exception
    ):  # of the host's inner workings, which differ by version; not knowing is no fault
        return None


def running_ids() -> tuple[str, str] | None:
    """(the prompt's id, the node's id) of what this thread runs, or None outside a prompt."""
    try:
        _, context = _host()
        return str(context.prompt_id), str(context.node_id)
    except Exception:  # see running_node
        return None


def running_extra() -> dict | None:
    """What came with the prompt that this thread runs: the very object that the executor hands to
    nodes, so what is put into its `extra_pnginfo` stands in the pictures that are saved. None
    outside a prompt.

    The queue's list of what is running holds a copy, and a sampler is handed nothing, so the
    executor's own frame is looked for among the callers.
    """
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_globals.get("__name__") == "execution" and "extra_data" in frame.f_locals:
            extra = frame.f_locals["extra_data"]
            return extra if isinstance(extra, dict) else None
        frame = frame.f_back
    return None


def running_client() -> str | None:
    """Which page queued what runs, or None."""
    client = (running_extra() or {}).get("client_id")
    return client if isinstance(client, str) else None


def scheduler_before(node: RunningNode | None) -> str | None:
    """The scheduler that a node had before a swap put our entry in its place, as the page's workflow
    that came with the prompt remembers it; None where nothing does."""
    try:
        workflow = running_extra()["extra_pnginfo"]["workflow"]
        graphs = [workflow, *workflow.get("definitions", {}).get("subgraphs", [])]
        inside, number = ":" in node.id, node.id.rpartition(":")[2]
        for graph in graphs[1:] if inside else graphs[:1]:
            for each in graph["nodes"]:
                if str(each["id"]) == number and each["type"] == node.class_type:
                    was = each["properties"]["stepdistill"]["was"]["scheduler"]
                    return was if isinstance(was, str) else None
    except (KeyError, TypeError, AttributeError):  # of a workflow that anyone may have written
        return None
    return None


def waiting_prompts() -> list[tuple[str, Mapping, dict]]:
    """(id, prompt, what came with it: the object that will be handed to the executor) of each prompt
    that waits in the queue."""
    try:
        server, _ = _host()
        queue = server.prompt_queue
        with queue.mutex:
            return [(item[1], item[2], item[3]) for item in queue.queue]
    except Exception:  # see running_node
        return []


def text_input(node: RunningNode | None, *names: str) -> str | None:
    """A text widget of a node under the first of these names that it has; None where a link feeds it."""
    for name in names:
        value = None if node is None else node.inputs.get(name)
        if isinstance(value, str):
            return value
    return None


def model_names(node: RunningNode | None) -> tuple[str | None, tuple[str, ...]]:
    """(the checkpoint's name, the names of the LoRAs) upstream of a node, without folders and suffixes."""
    checkpoint = None
    for inputs in _upstream(node):
        for name, value in inputs.items():
            if name in LOADERS and isinstance(value, str) and value:
                checkpoint = checkpoint or stem(value)
    return checkpoint, tuple(name for name, _ in loras_before(node))


def loras_before(
    node: RunningNode | None, through: str | None = None
) -> tuple[tuple[str, float | None], ...]:
    """(a LoRA's file without folder and suffix, its strength for the model where a widget says it) of
    those upstream of a node. through: the one input to follow; None: those of its own model."""
    return tuple(
        (stem(value), _strength(inputs, name))
        for inputs in _upstream(node, through)
        for name, value in inputs.items()
        if name.startswith("lora_name") and isinstance(value, str) and value not in ("", "None")
    )


def _strength(inputs: Mapping, name: str) -> float | None:
    value = inputs.get("strength_model") if name == "lora_name" else None
    return float(value) if isinstance(value, (int, float)) else None


def stem(path: object) -> str:
    """A file's name without folder and suffix, whichever system wrote the path."""
    return PurePath(str(path).replace("\\", "/")).stem


def tell(text: str) -> None:
    """Show a text on the node that runs now, where the page can."""
    try:
        server, context = _host()
        server.send_progress_text(text, context.node_id, server.client_id)
    except Exception:  # see running_node
        return


def _host() -> tuple:
    """(the server, what it says this thread runs); whatever is missing raises something."""
    from comfy_execution.utils import get_executing_context

    return (
        sys.modules["server"].PromptServer.instance,
        get_executing_context(),
    )  # never imported anew: outside the server it cannot be


def _running() -> tuple[Mapping, Mapping, str]:
    """(the prompt that this thread runs, what came with it, the node's id); whatever is missing
    raises something."""
    server, context = _host()
    item = next(
        item
        for item in list(server.prompt_queue.currently_running.values())
        if item[1] == context.prompt_id
    )
    return item[2], item[3], context.node_id


def _upstream(node: RunningNode | None, through: str | None = None) -> Iterator[Mapping]:
    """The inputs of the nodes that a node's model comes through, nearest first. through: as of
    `loras_before`."""
    waiting, seen = [] if node is None else [node.id], set()
    if through is not None and node is not None:
        link = node.prompt.get(node.id, {}).get("inputs", {}).get(through)
        waiting = [link[0]] if is_link(link) else []
    while waiting and len(seen) < MOST_NODES:
        here = waiting.pop(0)
        if here in seen or here not in node.prompt:
            continue
        seen.add(here)
        inputs = node.prompt[here].get("inputs", {})
        yield inputs
        waiting += [
            value[0]
            for name, value in inputs.items()
            if is_link(value) and name != SECOND and ("model" in name or name == "guider")
        ]


def is_link(value: object) -> bool:
    """Whether an input of a prompt's node is a link."""
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)
