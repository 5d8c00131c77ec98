"""Baking where core has no node for explicit sigmas.

Every node with a dropdown gets the stock scheduler that a record measured as the best for its
sampler and steps. Put back undoes it as it undoes every swap.
"""

from __future__ import annotations

from ..errors import WorkflowError
from ..lookup.rules import rule_for
from ..lookup.stand_in import measured_best
from ..record import Record
from ..samplers.names import RELATIVE
from .baked import AT_THE_BEND
from .distilled import check_sampler_and_model, unlinked
from .document import Document
from .facts import facts_of
from .few_steps import KEPT
from .kinds import CONTROL, ENTRY, known
from .named import named
from .outcome import LOSES, Done, Left, Outcome, edits, tried
from .sites import Site, asked, survey
from .swapping import Report

_WHOLE_ONLY = "the record measured whole runs only, and this one starts below full noise"


def to_closest(document: Document, record: Record | None, only: list[str] | None = None) -> Report:
    """Change a workflow in place; raises WorkflowError without a record."""
    if record is None:
        raise WorkflowError("The closest stock scheduler is told by a record; choose one.")
    only = named(document, only)
    found = survey(document)
    outcomes = [_changed(document, site, record) for site in found.sites if asked(site.node, only)]
    return Report(outcomes, len(found.samplers))


def _changed(document: Document, site: Site, record: Record) -> Outcome:
    return tried(site.node, "baked", lambda: _dropdown(document, site, record))


def _dropdown(document: Document, site: Site, record: Record) -> Done:
    node = site.node
    if site.spec.get("role") == "few":
        return _ksampler(document, site, record)
    name = site.spec.get("scheduler")
    if name is None:
        raise Left(
            "unknown", "it has no dropdown of schedulers; core has no node for explicit sigmas here"
        )
    unlinked(document, site, name)
    facts = facts_of(document, site)
    now = node.value(name)
    check_sampler_and_model(document, site, facts, True)
    if facts.sampler is None or facts.steps is None or not isinstance(now, str):
        raise Left(
            "unclear", "which sampler and how many steps it is for cannot be told from the file"
        )
    if facts.sampler == ENTRY:
        raise Left("no_recipe", f"core has no sampler {ENTRY}; choose a stock sampler first")
    if facts.denoise is not None and facts.denoise < 1:
        raise Left("no_recipe", _WHOLE_ONLY)
    best, words = best_stock(record, facts.sampler, facts.steps)
    if best == now:
        return Done("already", f"{best}, {words}")
    memory = node.memory() or {"was": {name: now}}
    node.set(name, best)
    if "kept" not in memory:
        edits(node).remember(node, {"to": "closest", "was": memory["was"]})
    return Done("baked", f"scheduler {now} -> {best}, {words}")


def _ksampler(document: Document, site: Site, record: Record) -> Done:
    """KSampler in the place of Few-Step KSampler, with what sigmas alone can keep of it."""
    node, facts = site.node, facts_of(document, site)
    if facts.steps is None:
        raise Left("unclear", AT_THE_BEND if node.value("steps") == 0 else "its steps are linked")
    if facts.denoise is None or facts.denoise < 1:
        raise Left("no_recipe", _WHOLE_ONLY)
    best, words = best_stock(record, RELATIVE, facts.steps)
    values = {name: node.value(name) for name in KEPT if name in known("KSampler")["widgets"]}
    control = values[CONTROL]
    values[CONTROL] = control if isinstance(control, (str, bool)) else "fixed"
    values |= {"steps": facts.steps, "sampler_name": RELATIVE, "scheduler": best}
    kept = {name: name for name in (*KEPT, "steps")}
    memory = {"to": "closest"} | edits(node).retype(node, "KSampler", values, kept)
    edits(node).remember(node, memory)
    lost = "the recipe's coefficients stay behind, for core's nodes cannot carry them"
    return Done("baked", f"KSampler, {RELATIVE} with {best}, {words}", [lost], LOSES)


def best_stock(record: Record, sampler: str, steps: int) -> tuple[str, str]:
    """(the stock scheduler with the least measured error for a sampler of the host; that in words).

    At the nearest step count measured.
    """
    from ..sigmas import STOCK  # torch: not before it is needed

    names = rule_for(sampler).recipes_of
    for each in names:
        best = measured_best([record], each, steps, STOCK)
        if best is not None:
            return best[0], f"the best stock scheduler measured for {each} at {best[1]} steps"
    raise Left(
        "no_recipe",
        f"the record has measured no stock scheduler with {names[-1] if names else sampler}",
    )
