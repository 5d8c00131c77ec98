"""What the page asks of costs: what distilling or improving takes, and the wish to improve."""

from __future__ import annotations

from collections.abc import Mapping

from .request_guard import Refused, number_of, text_of

MOST_NODES = 50


def price(query: Mapping) -> dict:
    """What Distill Schedule will cost as its widgets stand, or ("of": "compare") Compare Schedules, in
    words."""
    from ..page.price import asked_price

    if query.get("of") == "compare":
        return {"text": _compare(query)}
    most = number_of(query.get("max_steps"))
    if most is None:
        raise Refused(400, "`max_steps` is missing.")
    asked = text_of(query, "sampler_name"), most, text_of(query, "quality")
    measure, again = (query.get(name) == "true" for name in ("measure", "again"))
    return {"text": asked_price(*asked, measure, again)}


def _compare(query: Mapping) -> str:
    from ..page.price import Asked, compare_price

    seeds = number_of(query.get("seeds"))
    if not seeds:
        raise Refused(400, "`seeds` must be a whole number above 0.")
    schedulers = str(query.get("schedulers") or "")[:10_000]
    asked = text_of(query, "sampler_name"), schedulers, text_of(query, "steps"), seeds
    return compare_price(Asked(*asked, second=query.get("second") == "true"))


def foretold(data: dict) -> dict:
    """What the next picture of each asked Few-Step KSampler will be, as far as it is known."""
    from ..few_step import foretelling

    prompt, nodes = data.get("prompt"), data.get("nodes")
    if not isinstance(prompt, dict) or not isinstance(nodes, list):
        raise Refused(400, "`prompt` must be an object and `nodes` a list.")
    asked = [str(node) for node in nodes[:MOST_NODES]]
    return {"nodes": {node: foretelling.foretold(prompt, node) for node in asked}}


def improving(query: Mapping) -> dict:
    """What may be spent on a better recipe for pictures of so many steps, and what that costs."""
    from ..page.price import improve_prices

    steps = number_of(query.get("steps"))
    if not steps:
        raise Refused(400, "`steps` must be a whole number above 0.")
    return {"prices": improve_prices(steps)}


def improve(data: dict) -> dict:
    """Let the next run of a Few-Step KSampler first spend so many model calls on its recipe."""
    from ..few_step.wishes import MOST_CALLS, wish

    calls = data.get("calls")
    if type(calls) is not int or not 1 <= calls <= MOST_CALLS:
        raise Refused(400, f"`calls` must be a whole number from 1 to {MOST_CALLS:,}.")
    node, client = text_of(data, "node")[:200], data.get("client")
    wish(node, calls, client if isinstance(client, str) else None)
    return {"node": node, "calls": calls}
