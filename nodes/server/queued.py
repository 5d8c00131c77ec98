"""What is done to a prompt when it is queued: nodes that hang on the store run again when it has
changed, and the pictures of those that do not run carry their record all the same."""

from __future__ import annotations

from ..names import DISTILLED

INPUT = "stepdistill_store"  # the host passes over inputs that it does not know, and caches by them


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
        _mark(prompt)
        if not isinstance(data.get("extra_data"), dict):
            data["extra_data"] = {}
        _attach(prompt, data["extra_data"])
    except Exception as error:  # a request of whatever kind: the host refuses it itself
        from ..page.log import problem

        problem("a queued prompt could not be looked through", error)
    return data


def _mark(prompt: dict) -> None:
    """Put the store's revision into every node of others that names our entry: a node of the host's
    is told nothing else that could change."""
    from ..host.store import revision

    for entry in prompt.values():
        inputs = entry["inputs"]
        inputs.pop(INPUT, None)  # of a prompt that was saved
        if DISTILLED in [value for value in inputs.values() if isinstance(value, str)]:
            inputs[INPUT] = revision()


def _attach(prompt: dict, extra: dict) -> None:
    from ..host.picture_records import attach_remembered
    from ..host.workflow_records import listed
    from ..records import expect

    expect(listed(extra))
    attach_remembered(prompt, extra)
