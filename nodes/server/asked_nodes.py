"""Which nodes of the open workflow a request of the page is about."""

from __future__ import annotations

from .request_guard import Refused


def learn_kinds(widgets: object) -> None:
    """What the page knows of nodes of other packs: {kind: [its widgets' names]}."""
    from ...scheduler.workflow.kinds import learn

    for kind, names in widgets.items() if isinstance(widgets, dict) else ():
        sound = isinstance(names, list) and all(isinstance(each, str) for each in names)
        if sound and len(kind) < 200 and len(names) < 200:
            learn(kind, names)


def with_makers(document, only: list[str] | None) -> list[str] | None:
    """The nodes that were chosen and, of sampler nodes among them, those that make their sigmas."""
    from ...scheduler.workflow.sites import asked, place, survey

    if only is None:
        return None
    makers = [
        site.node
        for node, sites in survey(document).samplers
        if asked(node, only)
        for site in sites
    ]
    return [*only, *(place(node) for node in makers)]


def only_of(data: dict) -> list[str] | None:
    """Their places, or None for all; raises Refused."""
    only = data.get("only")
    if only is not None and not (
        isinstance(only, list) and all(isinstance(each, str) for each in only)
    ):
        raise Refused(400, "`only` must be a list of node ids as text.")
    return only
