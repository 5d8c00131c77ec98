"""Lists that other packs copied from the host's before ours was there: they get the entry too, once
all packs are loaded."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import takewhile

from ..names import DISTILLED
from ..page.log import problem

TELLING = 6  # names at the head of a list: a copy's, and nobody else's


def reach_when_loaded() -> None:
    """Have the copies looked for when the host's server starts, which is after the last pack."""
    try:
        from server import PromptServer

        PromptServer.instance.app.on_startup.append(_when_loaded)
    except (ImportError, AttributeError, RuntimeError):  # RuntimeError: it runs already
        return


async def _when_loaded(_app) -> None:
    try:
        reach_copies()
    except Exception as error:  # of whatever other packs hold: the host starts all the same
        problem("the copies of the dropdowns in other packs could not be looked through", error)


def reach_copies() -> int:
    """Put the entry at the end of every list in a loaded node class that begins with the host's own
    names of schedulers or samplers; how many got it."""
    nodes = sys.modules["nodes"]
    own = _own_names()
    found = {
        id(each): each
        for cls in list(nodes.NODE_CLASS_MAPPINGS.values())
        for each in _lists_of(cls)
        if DISTILLED not in each and any(_copied(each, names) for names in own)
    }
    for each in found.values():
        each.append(DISTILLED)
    return len(found)


def _copied(each: list, names: list[str]) -> bool:
    """Whether a list begins as the host's own does. Its first few names decide: a pack may have added one
    that is made of the host's own functions, which cannot be told from the host's."""
    first = names[:TELLING]
    return each[: len(first)] == first


def _own_names() -> list[list[str]]:
    """The host's own names, as its lists had them before any pack added to them."""
    host = sys.modules["comfy.samplers"]
    sampling = sys.modules["comfy.k_diffusion.sampling"]

    def scheduler(name: str) -> bool:
        return _hosts(getattr(host.SCHEDULER_HANDLERS.get(name), "handler", None))

    def sampler(name: str) -> bool:
        return _hosts(getattr(sampling, f"sample_{name}", None))

    found = [list(takewhile(scheduler, host.SCHEDULER_NAMES))]
    for names in (host.SAMPLER_NAMES, host.KSAMPLER_NAMES):
        found.append(list(takewhile(sampler, names)))
    return [names for names in found if len(names) > 1]


def _hosts(function: object) -> bool:
    """Whether a function is the host's, or none: some of its samplers go by other names."""
    plain = getattr(function, "func", function)  # of a partial
    module = getattr(plain, "__module__", "comfy")
    return str(module).split(".")[0] == "comfy"


def _lists_of(cls: type) -> Iterator[list]:
    """The lists of choices among a node's inputs and outputs."""
    try:
        yield from _lists_in(getattr(cls, "RETURN_TYPES", ()))
        inputs = cls.INPUT_TYPES()
        for group in inputs.values() if isinstance(inputs, dict) else ():
            for spec in group.values() if isinstance(group, dict) else ():
                yield from _lists_in(spec)
    except Exception:  # a node that cannot say what it has: the host says so itself
        return


def _lists_in(spec: object) -> Iterator[list]:
    for part in spec if isinstance(spec, Sequence) and not isinstance(spec, str) else ():
        inside = part.get("options") if isinstance(part, dict) else part
        if isinstance(inside, list):
            yield inside
