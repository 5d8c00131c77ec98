"""What the page asks the server: the store's records, and swaps of the workflow that is open. Only
same-origin requests change anything.

All answers are JSON. Texts come in as texts and are parsed by the library's own strict parsers;
what they refuse is answered with their sentence. The work is done in a thread of its own, one
request after the other.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from threading import Lock

from .asked_nodes import learn_kinds, only_of, with_makers
from .briefs import in_brief, under
from .costs import foretold, improve, improving, price
from .request_guard import Refused, body_of, number_of, text_of
from .sources import sources

BASE = "/stepdistill"
RECORD_BYTES = 8_000_000  # a record's text (4 MB at most) inside a JSON string
WORKFLOW_BYTES = 64_000_000
MOST_LISTED = 2000
MOST_TOLD = 50  # records that are read for it
_one_at_a_time = Lock()


def register() -> None:
    """Add the routes to the host's server, where there is one."""
    try:
        from server import PromptServer

        routes = PromptServer.instance.routes
    except (ImportError, AttributeError):
        return
    for path, answer in GETS.items():
        routes.get(BASE + path)(_reader(answer))
    for path, (answer, most) in POSTS.items():
        routes.post(BASE + path)(_writer(answer, most))


def _reader(answer: Callable):
    async def handler(request):
        return await _answered(lambda: answer(dict(request.query)))

    return handler


def _writer(answer: Callable, most: int):
    async def handler(request):
        try:
            data = await body_of(request, most)
        except Refused as refused:
            return _json({"error": str(refused)}, refused.status)
        return await _answered(lambda: answer(data))

    return handler


async def _answered(work: Callable[[], dict]):
    """The work's result as JSON, or the sentence that says why there is none."""
    from ...scheduler.errors import StepDistillError, UnknownNameError

    def alone() -> dict:
        with _one_at_a_time:
            return work()

    try:
        return _json(await asyncio.to_thread(alone))
    except Refused as refused:
        return _json({"error": str(refused)}, refused.status)
    except UnknownNameError as problem:
        return _json({"error": str(problem)}, 404)
    except StepDistillError as problem:
        return _json({"error": str(problem)}, 400)


def _json(data: dict, status: int = 200):
    from aiohttp import web

    text = json.dumps(data, allow_nan=False)
    return web.Response(
        text=text,
        status=status,
        content_type="application/json",
        headers={"X-Content-Type-Options": "nosniff"},
    )


def kinds(query: Mapping) -> dict:
    """What is known of nodes (node_kinds.json): the page offers its menu on these."""
    from ...scheduler.workflow.kinds import TABLE

    return {
        "kinds": {kind: spec.get("role") for kind, spec in TABLE["kinds"].items()},
        "entry": TABLE["entry"],
    }


def records(query: Mapping) -> dict:
    """The store's records in brief, the newest first, and what lies there and is none."""
    here = _store()
    briefs = here.records()
    listed = [
        {
            "name": brief.file.removesuffix(".json"),
            "title": brief.title,
            "created": brief.created,
            "samplers": list(brief.samplers),
            "steps": list(brief.steps),
            "steps_words": brief.steps_words,
            "latent_shape": list(brief.latent_shape or ()),
            "bytes": brief.stamp[0],
            "under": under(brief) if place < MOST_TOLD else in_brief(brief),
        }
        for place, brief in enumerate(briefs[:MOST_LISTED])
    ]
    return {
        "records": listed,
        "count": len(briefs),
        "problems": [list(each) for each in here.problems()[:20]],
    }


def fitting(data: dict) -> dict:
    """The same, those that fit the asked nodes first, each with how it fits."""
    from .fitting import fits

    listed, found = records({}), fits(data)
    order = {name: place for place, name in enumerate(found)}
    listed["records"].sort(key=lambda each: order.get(each["name"], len(order)))
    for each in listed["records"]:
        each |= found.get(each["name"], {"fit": "other", "differs": ""})
    return listed


def labels(query: Mapping) -> dict:
    """What Load Record's list holds, and what the page calls the store's records by their names."""
    from ..page.record_labels import labels_of
    from ..records.names import choices

    return {"labels": labels_of(_store().records()[:MOST_LISTED]), "names": choices()}


def record(query: Mapping) -> dict:
    """One record of the store: in words, its recipes, and the plot of one sampler at one step count."""
    found = _store().load(text_of(query, "name"))
    steps = number_of(query.get("steps"))
    return _in_store(_details(found, query.get("sampler") or None, steps))


def file(query: Mapping) -> dict:
    """One record of the store as text."""
    path = _store().path(text_of(query, "name"))
    return {"name": path.name, "text": _store().load(path.name).to_json()}


def read(data: dict) -> dict:
    """A record that was dropped on the page, described; nothing is kept."""
    return _details(_record(data), None, None)


def keep(data: dict) -> dict:
    """A record that was dropped on the page, put into the store; one of the same key takes the
    place of the earlier one."""
    from ..records.keeping import keep as keep_record

    found = _record(data)
    name, note = keep_record(found)
    there = {"name": name.removesuffix(".json"), "note": note.strip()}
    return there | _in_store(_details(found, None, None))


def remove(data: dict) -> dict:
    """Remove one record of the store."""
    from ..host.picture_records import forget

    name = text_of(data, "name")
    _store().remove(name)
    forget(name)
    return {"removed": name}


def swap(data: dict) -> dict:
    """The open workflow, swapped (see scheduler.workflow), as text, with the report."""
    from ...scheduler.workflow import TARGETS, parse
    from ...scheduler.workflow import swap as swapped
    from .records_of_files import record_for, run_kept

    learn_kinds(data.get("widgets"))
    document, to, only = parse(text_of(data, "workflow")), text_of(data, "to"), only_of(data)
    if to not in (*TARGETS, "closest"):
        raise Refused(
            400, f"A workflow can be swapped to {', '.join(TARGETS)}, not to {to[:80]!r}."
        )
    name = data.get("record")
    carried = _store().load(text_of(data, "record")) if name is not None else None
    if to == "closest":
        from ...scheduler.workflow.closest import to_closest

        report = to_closest(document, carried, with_makers(document, only))
    else:
        find = record_for if carried is None else None
        only = with_makers(document, only)
        anyway = bool(data.get("anyway"))
        report = swapped(document, to, carried, only, anyway, find, kept=run_kept)
    return {"workflow": document.text(), **_report(report)}


def _report(report) -> dict:
    nodes = [
        outcome.data() | {"where": outcome.where, "line": outcome.line}
        for outcome in report.outcomes
    ]
    about = {"samplers": report.samplers, "changed": report.changed, "exact": report.exact}
    return about | {"needs": report.needs, "warning": report.warning, "nodes": nodes}


def _details(found, sampler: str | None, steps: int | None) -> dict:
    from ...scheduler.record.verdict_words import about_fully
    from ..page.card_data import shown

    samplers: dict[str, list[int]] = {}
    for recipe in found.recipes:
        counts = samplers.setdefault(recipe.sampler, [])
        counts += [recipe.steps] if recipe.steps not in counts else []
    counts = {name: sorted(each) for name, each in samplers.items()}
    if sampler is not None and sampler not in counts:
        raise Refused(404, f"The record has no recipe for {sampler[:80]!r}.")
    drawn = shown(record=found, sampler=sampler, steps=steps)
    return {
        "about": about_fully(found),
        "samplers": counts,
        "title": found.model.name or "",
        "shown": drawn,
    }


def _in_store(details: dict) -> dict:
    """The same of a record that the store has, as its card says it."""
    from ...scheduler.lookup.match import EXACT

    return details | {"shown": details["shown"] | {"source": EXACT}}


def _record(data: dict):
    from ...scheduler.record import Record

    return Record.from_json(text_of(data, "text"))


def _store():
    from ..host.store import store

    return store()


GETS = {
    "/price": price,
    "/kinds": kinds,
    "/records": records,
    "/labels": labels,
    "/record": record,
    "/file": file,
    "/improve": improving,
    "/sources": sources,
}
POSTS = {
    "/read": (read, RECORD_BYTES),
    "/keep": (keep, RECORD_BYTES),
    "/remove": (remove, 10_000),
    "/improve": (improve, 10_000),
    "/foretold": (foretold, WORKFLOW_BYTES),
    "/swap": (swap, WORKFLOW_BYTES),
    "/fitting": (fitting, WORKFLOW_BYTES),
}
