"""--to distilled: the dropdown's entry, and Distilled Sigmas in place of other makers of sigmas."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from ..lookup.rules import OWN_STEPS, rule_for
from .borrowing import borrowed
from .document import Document
from .facts import SiteFacts, facts_of, linked_from, model_port, step_distilled, unknown_selector
from .kinds import ENTRY, MANUAL, TABLE
from .kinds import SIGMAS as SIGMAS_NODE
from .model_paths import other_model
from .outcome import Done, Left, Outcome, edits, tried
from .protocols import Port
from .sites import Site, label

if TYPE_CHECKING:  # a workflow is swapped where there is no numpy
    from ..lookup.selection import Selection
    from ..record import Record


def to_distilled(
    document: Document,
    site: Site,
    anyway: bool = False,
    record: Record | None = None,
    known: bool = False,
) -> Outcome:
    """Swap one site, or leave it and say why.

    anyway: step-distilled models too. record: the one that the workflow will carry, if any; where
    it gains nothing, nothing is changed. known: nor where nothing is known of what it would gain.
    """

    swap = _dropdown if "scheduler" in site.spec else _maker
    asked = _Asked(anyway, record, known and record is None)
    return tried(site.node, "swapped", lambda: swap(document, site, asked))


_UNKNOWN = (
    "nothing is known of what it would gain: name its model's record with --record, or choose "
    "'distilled' all the same with --unmeasured (until a record is in the store, a stock schedule runs)"
)


@dataclass(frozen=True)
class _Asked:
    """anyway, record: as of to_distilled. nothing_known: whether a change has to be known to gain."""

    anyway: bool
    record: Record | None
    nothing_known: bool

    def gain(
        self, site: Site, facts: SiteFacts, now: object = None, plain: bool = False
    ) -> Selection | None:
        """As check_gain, where a record is there; raises Left where one is needed and there is none."""
        found = check_gain(site, facts, self.record, now, plain)
        if self.nothing_known:
            raise Left("no_gain", _UNKNOWN)
        return found


def check_sampler_and_model(document: Document, site: Site, facts: SiteFacts, anyway: bool) -> None:
    """Raise Left for what no schedule of ours is for."""
    if rule_for(facts.sampler).kind == OWN_STEPS:
        raise Left(
            "own_steps", f"the sampler {facts.sampler} chooses its own steps, whatever the schedule"
        )
    maker = unknown_selector(document, site)
    if maker is not None:
        raise Left(
            "no_gain",
            f"no schedule is known for its sampler, which {label(maker)} makes in its own way",
        )
    reason = None if anyway else step_distilled(document, site, facts)
    if reason:
        raise Left("step_distilled", reason)


def check_gain(
    site: Site, facts: SiteFacts, record: Record | None, now: object = None, plain: bool = False
) -> Selection | None:
    """What the record has for a node; None where the run alone tells. Raises Left where nothing
    would be gained. plain: for a node that carries sigmas alone.

    That is where no schedule is known for the sampler, where the record has none for the run, and
    where stock's own `now` won there. What the file does not tell is left to the run.
    """
    if facts.sampler is None:
        return None
    if rule_for(facts.sampler).serves is None:
        raise Left(
            "no_gain", f"no schedule is distilled for {facts.sampler}, nor for a sampler like it"
        )
    if record is None:
        return None
    from ..lookup import words
    from ..lookup.given import select_from
    from ..lookup.wanted import COEFFICIENTS, SIGMAS

    steps, denoise = facts.steps, facts.denoise
    if steps is None or denoise is None or not 0 < denoise <= 1:
        return None
    carries = SIGMAS if plain else COEFFICIENTS
    found = select_from(record, facts.sampler, steps, denoise, carries=carries, cfg=facts.cfg)
    if found.reason is not None:
        reason = words.reason(found.reason).rstrip(".")
        raise Left("no_gain", f"nothing would be gained: {reason[:1].lower()}{reason[1:]}")
    if found.stock_won and found.recipe.choice == now:
        raise Left("no_gain", f"nothing would be gained: stock's {now} won there")
    return found


def unlinked(
    document: Document,
    site: Site,
    *names: str | None,
    advice: str = "set it on the node itself first",
) -> None:
    """Raise Left where one of the values comes through a link."""
    for name in names:
        if name and site.node.linked(name):
            origin = linked_from(document, site.node, name)
            raise Left("linked", f"its value '{name}' comes from {origin}; {advice}")


def _dropdown(document: Document, site: Site, asked: _Asked) -> Done:
    node = site.node
    name = site.spec["scheduler"]
    unlinked(document, site, name, advice=f"choose '{ENTRY}' there")
    now = node.value(name)
    if not isinstance(now, str):
        raise Left("unclear", "its values are missing, or laid out in a way that is not known")
    if now == ENTRY:
        return Done("already", "distilled")
    facts = facts_of(document, site)
    check_sampler_and_model(document, site, facts, asked.anyway)
    found = asked.gain(site, facts, now)
    node.set(name, ENTRY)
    edits(node).remember(node, {"to": ENTRY, "was": {name: now}})
    notes = _notes(site, facts, found) + other_model(document, site)
    return Done("swapped", f"scheduler {now} -> {ENTRY}{_steps(facts)}", notes)


def _maker(document: Document, site: Site, asked: _Asked) -> Done:
    node = site.node
    spec = site.spec
    if node.kind == SIGMAS_NODE:
        return Done("already", SIGMAS_NODE)
    unlinked(document, site, spec.get("text"), spec.get("start"))
    facts = facts_of(document, site)
    check_sampler_and_model(document, site, facts, asked.anyway)
    values, counted = maker_values(document, site, facts)
    run = replace(facts, steps=values["steps"]) if counted else facts
    found = asked.gain(site, run, plain=facts.sampler != ENTRY)
    was = node.kind
    retype_maker(document, site, values, counted)
    notes = _notes(site, facts, found) + other_model(document, site)
    return Done("swapped", f"{was} -> {SIGMAS_NODE}{_steps(facts)}", notes)


def retype_maker(
    document: Document, site: Site, values: dict, counted: list[str], to: str = ENTRY
) -> None:
    """Distilled Sigmas with these values in the place of a maker; raises Left where it has no model.

    counted: the values that are the maker's no more. to: the swap's target.
    """
    node = site.node
    port = model_port(document, site)
    if port is None:
        raise Left(
            "no_model",
            f"{SIGMAS_NODE} needs a model, and no sampler that it feeds in the same graph has one",
        )
    _check_circle(site, port)
    kept = {name: site.spec[name] for name in ("steps", "denoise", "model") if name in site.spec}
    memory = {"to": to} | edits(node).retype(node, SIGMAS_NODE, values, kept)
    if counted:
        memory["counted"] = counted
    if not node.origin("model"):
        edits(node).connect(node, "model", port)
    edits(node).remember(node, memory)


def maker_values(document: Document, site: Site, facts: SiteFacts) -> tuple[dict, list[str]]:
    """The values of Distilled Sigmas in place of a maker, and those that are the maker's no more."""
    node = site.node
    spec = site.spec
    if "text" in spec:
        _check_whole(facts.numbers)
    elif "start" in spec and not _is_full(node.value(spec["start"])):
        raise Left(
            "partial",
            f"it starts at a sigma of its own ({node.value(spec['start'])}); "
            "which denoise that is depends on the model",
        )
    steps = facts.steps if "text" in spec else node.value(spec["steps"])
    denoise = node.value(spec["denoise"]) if "denoise" in spec else 1.0
    linked = any(node.linked(spec[name]) for name in ("steps", "denoise") if name in spec)
    told = facts.steps is not None and facts.denoise is not None and 0 < facts.denoise <= 1
    if not told and not linked:
        raise Left(
            "unclear",
            f"its steps ({steps}) or denoise ({denoise}) are none that a schedule could be made for",
        )
    counted: list[str] = []
    if "cuts" in spec:
        unlinked(document, site, spec["denoise"])
        if facts.steps is None or facts.denoise is None or facts.denoise < 1:
            unlinked(document, site, spec["steps"])
        if facts.steps and facts.denoise and facts.denoise < 1:
            counted = ["steps"]
            steps = max(1, round(facts.steps * facts.denoise))
    values = {
        "sampler_name": facts.sampler or "euler",
        "steps": steps,
        "denoise": denoise,
        "if_missing": "stock",
    }
    return values, counted


def _check_whole(numbers: tuple[float, ...] | None) -> None:
    if not numbers or numbers[-1] != 0 or any(b >= a for a, b in pairwise(numbers)):
        raise Left(
            "partial", f"what {MANUAL} holds does not run down to 0, so it is a part of a schedule"
        )
    if not _is_full(numbers[0]):
        raise Left(
            "partial",
            f"it starts at sigma {numbers[0]:g}; which denoise that is depends on the model",
        )


def _is_full(start: object) -> bool:
    """Whether a sigma is one that models of a common kind start at."""
    number = isinstance(start, (int, float)) and not isinstance(start, bool)
    return number and any(abs(start / full - 1) < 0.01 for full in TABLE["full_starts"])


def _check_circle(site: Site, port: Port) -> None:
    """Raise Left where the model itself comes, by whatever way, from the node that would get it."""
    seen: set[int] = set()
    open_nodes = [port.node]
    while open_nodes:
        node = open_nodes.pop()
        if node is site.node:
            raise Left("no_model", "the model that it would need is made from its own sigmas")
        if node is not None and id(node) not in seen:
            seen.add(id(node))
            origins = (node.origin(name) for name in node.input_names())
            open_nodes += [found.node for found in origins if found]


def _steps(facts: SiteFacts) -> str:
    parts = []
    if facts.steps:
        parts.append(f"{facts.steps} step{'s' if facts.steps != 1 else ''}")
    if facts.sampler:
        parts.append(f"sampler {facts.sampler}")
    return f" ({', '.join(parts)})" if parts else ""


def _notes(site: Site, facts: SiteFacts, found: Selection | None) -> list[str]:
    if facts.sampler is not None:
        return borrowed(facts.sampler, None if found is None else found.recipe.sampler)
    if site.users:
        return ["which sampler it is for is not told by the file"]
    return ["no sampler uses it"]
