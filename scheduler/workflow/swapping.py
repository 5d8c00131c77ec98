"""Swaps the schedulers of ComfyUI workflows for distilled schedules.

Or bakes them into core's own nodes, or puts everything back.

Pure JSON in and out; no torch. What was changed is noted inside the workflow, so that it can be put
back exactly. Files, in the order in which data flows: pictures, text (JSON without loss) ->
document (graph.py or api.py) -> sites, facts -> distilled, few_steps, baked, carried, undo (through
graph_edit.py, graph_links.py or api_edit.py) -> outcome. node_kinds.json holds what is known of
nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import WorkflowError
from .document import Document, parse
from .kinds import ENTRY, MANUAL
from .named import named, shared
from .outcome import Outcome, edits, untouched
from .pair_swap import STORED, Cut, cuts, is_pair, to_half, why_not
from .pairs import Pair, apart, for_both, pairs_in, refused, several_models
from .sites import Site, Survey, asked, place, survey
from .to_learn import Learning
from .undo import put_back

if TYPE_CHECKING:
    from ..record import Record
    from .few_steps import Find
    from .to_learn import Kept


TARGETS = ("distilled", "few", "baked", "vendor", "stock")


@dataclass
class Report:
    """What a swap did.

    outcomes: one a node. samplers: how many sampler nodes the workflow has. exact: whether putting
    back gives the original again, byte for byte; None where nothing was swapped, or where something
    had been before. needs: what the result needs to
    run, in words. warning: what the user had better look at, or "".
    """

    outcomes: list[Outcome]
    samplers: int
    exact: bool | None = None
    needs: list[str] = field(default_factory=list)
    warning: str = ""

    @property
    def changed(self) -> int:
        """How many nodes are not what they were."""
        return sum(outcome.action in ("swapped", "baked", "put back") for outcome in self.outcomes)


def swap(
    document: Document,
    to: str = "distilled",
    record: Record | None = None,
    only: Sequence[str] | None = None,
    anyway: bool = False,
    find: Find | None = None,
    known: bool = False,
    kept: Kept | None = None,
) -> Report:
    """Change a workflow in place and say what was done and what was left.

    to: one of TARGETS. record: needed for "baked"; with the others the workflow carries it. only:
    names of nodes (see named.py). anyway: also what seems step-distilled. find: for
    "few", the record of what a node runs, where it is not the same for all. known: for "distilled",
    change nothing of which no record says what it gains. kept: for "few", whether a run of a node's
    model was kept that its first picture may be learnt from. Raises WorkflowError.
    """
    if to not in TARGETS:
        raise WorkflowError(f"A workflow can be swapped to {', '.join(TARGETS)}, not to {to!r}.")
    if to == "vendor" and record is not None:
        raise WorkflowError("The maker's sigmas come from a preset; leave --record.")
    if to == "baked" and record is None:
        raise WorkflowError("Baking needs a record, for its sigmas; name one with --record.")
    only = named(document, only)
    if to == "stock":
        outcomes = put_back(document, _with_other_halves(document, only))
        report = Report(outcomes, len(survey(document).samplers), needs=_needs(document, to))
    else:
        make = _Making(to, record, anyway, find or (lambda facts: record), known, kept)
        report = _made(document, make, only)
    if only is not None and not report.outcomes:
        report.outcomes = [untouched(node, to) for node in document.nodes() if asked(node, only)]
    told = (report.warning, shared(document, only) if report.changed else "")
    report.warning = " ".join(each for each in told if each)
    return report


def _made(document: Document, make: _Making, only: Sequence[str] | None) -> Report:
    if not any(node.memory() for node in document.nodes()):
        before = document.text()
        report = make.swapped(document, only)
        if report.changed:
            report.exact = document.layout.exact and _goes_back(document.text(), before)
        return report
    # A failed action changes nothing: what fails on a copy is not put back first.
    trial = Document(deepcopy(document.value), document.layout)
    make.swapped(trial, only)
    failed = make.failed
    report = make.swapped(document, _without(document, only, {place(o.node) for o in failed}))
    report.outcomes += failed
    return report


def _with_other_halves(document: Document, only: list[str] | None) -> list[str] | None:
    """Of a run that two samplers share, both halves are put back."""
    if only is None:
        return None
    found = list(only)
    for pair in pairs_in(document, survey(document)):
        halves = (pair.first.node, pair.second.node)
        if any(asked(node, found) for node in halves):
            found += [place(node) for node in halves if not asked(node, found)]
    return found


def _goes_back(text: str, before: str) -> bool:
    """Whether what would be written, read again and put back, is the same as before, byte for byte."""
    trial = parse(text)
    put_back(trial)
    return trial.text() == before


def _without(
    document: Document, only: Sequence[str] | None, places: set[str]
) -> Sequence[str] | None:
    if not places:
        return only
    wanted = [node for node in document.nodes() if asked(node, only)]
    return [found for found in map(place, wanted) if found not in places]


class _Making:
    """One target, made of a document.

    failed: the outcomes, of the last time, of nodes that were put back first and then left.
    """

    def __init__(
        self,
        to: str,
        record: Record | None,
        anyway: bool,
        find: Find,
        known: bool,
        kept: Kept | None,
    ):
        self.to = to
        self.record = record
        self.anyway = anyway
        self.find = find
        self.known = known
        self.learning = Learning(kept) if record is None else None
        self.failed: list[Outcome] = []
        self.of_pair = is_pair(record)
        self.cuts: dict[str, Cut] = {}

    def swapped(self, document: Document, only: Sequence[str] | None) -> Report:
        """What an earlier swap did is put back first, where it is not the same already."""
        kept = None if self.record is not None else self.to
        if self.to == "baked":  # few steps are baked as they run, not as what was there before them
            kept = "few"
        back = put_back(document, only, kept)
        restored = {id(outcome.node) for outcome in back if outcome.action == "put back"}
        report = self._changed(document, only)
        left = [outcome for outcome in report.outcomes if outcome.action == "left"]
        self.failed = [outcome for outcome in left if id(outcome.node) in restored]
        report.outcomes = _worth_saying(back, report.outcomes) + report.outcomes
        return report

    def _changed(self, document: Document, only: Sequence[str] | None) -> Report:
        from .carried import carry
        from .facts import loaded_from

        found = survey(document)
        pairs = pairs_in(document, found)
        self.cuts = cuts(document, pairs, self.record) if self.record and self.of_pair else {}
        sites = [site for site in found.sites if asked(site.node, only)]
        models = {id(site): loaded_from(document, site) for site in sites}
        held = self._held_together(document, found, pairs, only)
        outcomes = [self._outcome(document, site, held) for site in sites]
        done = zip(sites, outcomes, strict=True)
        changed = [site for site, outcome in done if outcome.action in ("swapped", "baked")]
        warning = ""
        if self.record is not None and not self.of_pair:
            warning = several_models(changed, models, pairs)
        carries = self.record is not None and self.to in ("distilled", "few") and not self.of_pair
        if changed and carries and self.record is not None:
            carried = carry(document, changed, self.record.to_json())
            for outcome in outcomes:
                missed = carried.missed.get(id(outcome.node))
                outcome.notes += [missed] if missed else []
            outcomes += carried.outcomes
        strange = [(node, why) for node, why in found.strange if asked(node, only)]
        outcomes += [Outcome(node, "left", why, "unknown") for node, why in strange]
        for scope in document.scopes:
            if scope.nodes:
                edits(scope.nodes[0]).settle(scope)
        needs = _needs(document, self.to)
        needs += [STORED] if changed and self.of_pair and self.to != "baked" else []
        return Report(outcomes, len(found.samplers), needs=needs, warning=warning)

    def _held_together(
        self, document: Document, found: Survey, pairs: list[Pair], only: Sequence[str] | None
    ) -> dict[str, str]:
        """Of sites that share a run: why they are left, by their place (tried on a copy)."""
        if not pairs:
            return {}
        if self.to == "few" and not self.of_pair:
            return {
                place(site.node): for_both(document, pair, site)
                for pair in pairs
                for site in (pair.first, pair.second)
            }
        trial = Document(deepcopy(document.value), document.layout)
        alone = {place(site.node): self._outcome(trial, site, {}) for site in survey(trial).sites}

        def left(site: Site) -> str | None:
            outcome = alone[place(site.node)]
            if not asked(site.node, only):
                return "it was not asked for"
            return outcome.text if outcome.action == "left" else None

        # Baked sigmas are one record's in both; at the run each model judges a record anew.
        one_record = self.to in ("baked", "vendor") or self.of_pair

        def why(pair: Pair) -> str | None:
            told = apart(document, pair, one_record)
            if told is None and self.record is not None and self.of_pair:
                return why_not(document, pair, pairs, self.record)
            return told

        held = refused(pairs, why, left)
        return {
            place(site.node): held[id(site.node)] for site in found.sites if id(site.node) in held
        }

    def _outcome(self, document: Document, site: Site, held: dict[str, str]) -> Outcome:
        from .distilled import to_distilled
        from .few_steps import to_few_steps

        why = held.get(place(site.node))
        if why is not None:
            return Outcome(site.node, "left", why, "other_half")
        if site.spec.get("role") == "few" and self.to != "baked":
            return Outcome(site.node, "already", "it takes few steps already")
        cut = self.cuts.get(place(site.node))
        if self.of_pair and (cut is None or self.to != "baked"):
            return to_half(document, site, cut)
        if self.to == "vendor":
            from .vendor import to_vendor  # numpy, which the other targets do without

            return to_vendor(document, site)
        if self.to == "few":
            return to_few_steps(document, site, self.find, self.anyway, self.learning)
        if self.to == "baked" and self.record is not None:
            from .baked import to_baked  # numpy, which the other targets do without

            return to_baked(document, site, self.record, self.anyway or cut is not None, cut)
        return to_distilled(document, site, self.anyway, self.record, self.known)


def _worth_saying(back: list[Outcome], outcomes: list[Outcome]) -> list[Outcome]:
    """Of what an earlier swap left and was put back first: what was not swapped anew."""
    done = ("swapped", "baked", "already")
    anew = {id(outcome.node) for outcome in outcomes if outcome.action in done}
    left = [outcome for outcome in back if outcome.code != "by_hand"]
    return [outcome for outcome in left if id(outcome.node) not in anew]


def _needs(document: Document, to: str) -> list[str]:
    nodes = list(document.nodes())
    ours = sorted({node.kind for node in nodes if node.kind.startswith("StepDistill")})
    others = [node for node in nodes if not node.kind.startswith("StepDistill")]
    if any(ENTRY in node.texts() for node in others):
        ours.append(f"the entry '{ENTRY}'")
    needs = [f"StepDistill ({', '.join(ours)})"] if ours else []
    if to in ("baked", "vendor") and any(node.kind == MANUAL for node in nodes):
        needs.append("the node ManualSigmas, which ComfyUI's core has since December 2025")
    return needs
