"""What is done to a prompt when it is queued: nodes that hang on the store run again when it has
changed, and the pictures of those that do not run carry their record all the same."""

from __future__ import annotations

from ..names import DISTILLED, MARK

FEW_STEP, APPLY = "StepDistillKSampler", "StepDistillApply"
LOOKING_AHEAD = (APPLY, "StepDistillSampler", "StepDistillSigmas")
INPUT = MARK  # the host passes over inputs that it does not know, and caches by them


def register() -> None:
    """Have the host show us each prompt that it is sent, where it does that."""
    try:
        from server import PromptServer

        PromptServer.instance.add_on_prompt_handler(queued)
    except (ImportError, AttributeError):
        return


def queued(data: dict) -> dict:
    """The request, its prompt marked and its extra data completed in place; never raises."""
    try:
        prompt = data["prompt"]
        _mark(prompt, data.get("extra_data"))
        if not isinstance(data.get("extra_data"), dict):
            data["extra_data"] = {}
        _attach(prompt, data["extra_data"])
    except Exception as error:  # a request of whatever kind: the host refuses it itself
        from ..page.log import problem

        problem("a queued prompt could not be looked through", error)
    return data


def _mark(prompt: dict, extra: dict | None) -> None:
    """Put the store's revision into every node of others that names our entry: a node of the host's
    is told nothing else that could change. Few-Step KSamplers get what the workflow carries: by it
    they draw."""
    from ..few_step.as_drawn import digest
    from ..host.store import revision

    carried = digest(extra)
    for entry in prompt.values():
        entry["inputs"].pop(INPUT, None)  # of a prompt that was saved
    after = {id: _after(prompt, id) for id in prompt}
    for id, entry in prompt.items():
        inputs = entry["inputs"]
        if DISTILLED in [value for value in inputs.values() if isinstance(value, str)]:
            inputs[INPUT] = f"{revision()} {after[id]}" if after[id] else revision()
        elif after[id]:
            inputs[INPUT] = after[id]
        elif carried and entry.get("class_type") == FEW_STEP:
            inputs[INPUT] = carried


def _after(prompt: dict, id: str) -> str:
    """What of the samplers after a node of ours decides what it says and makes; "" for other nodes.
    Where several come after Apply, one that changes must not draw the others again: they are looked
    at when they run."""
    from ..host.downstream import digest, runs_after, shared
    from ..host.running_prompt import RunningNode

    kind = prompt[id].get("class_type")
    if kind not in LOOKING_AHEAD:
        return ""
    runs = runs_after(RunningNode(prompt, id, kind, prompt[id]["inputs"]))
    if kind != APPLY:
        return str(shared(runs)) if runs else ""
    return digest(runs) if len(runs) == 1 else ""


def _attach(prompt: dict, extra: dict) -> None:
    from ..host.attached import ATTACHED
    from ..host.picture_records import attach_remembered
    from ..host.workflow_records import listed
    from ..records.names import expect

    extra.pop(ATTACHED, None)  # of nobody but us
    expect(listed(extra))
    attach_remembered(prompt, extra)
