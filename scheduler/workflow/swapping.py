"""Swaps the schedulers of ComfyUI workflows for distilled schedules.

Or bakes them into core's own nodes, or puts everything back.

Pure JSON in and out; no torch. What was changed is noted inside the workflow, so that it can be put
back exactly. Files, in the order in which data flows: pictures, text (JSON without loss) ->
document (graph.py or api.py) -> sites, facts -> distilled, baked, carried, undo (through
graph_edit.py, graph_links.py or api_edit.py) -> outcome. node_kinds.json holds what is known of
nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import WorkflowError
from .document import Document
from .kinds import ENTRY, MANUAL
from .outcome import Outcome, edits
from .sites import Site, asked, survey
from .text import same
from .undo import put_back

if TYPE_CHECKING:
    from ..record import Record


TARGETS = ("distilled", "baked", "stock")


@dataclass
class Report:
    """What a swap did.

    outcomes: one a node. samplers: how many sampler nodes the workflow has. exact: whether putting
    back gives the original again; None where nothing was swapped. needs: what the result needs to
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
) -> Report:
    """Change a workflow in place and say what was done and what was left.

    to: one of TARGETS. record: needed for "baked"; with "distilled" the workflow carries it. only:
    ids of nodes, as text (see sites.asked). anyway: also what seems step-distilled. Raises
    WorkflowError.
    """
    if to not in TARGETS:
        raise WorkflowError(f"A workflow can be swapped to {', '.join(TARGETS)}, not to {to!r}.")
    if to == "baked" and record is None:
        raise WorkflowError("Baking needs a record, for its sigmas; name one with --record.")
    if to == "stock":
        outcomes = put_back(document, only)
        return Report(outcomes, len(survey(document).samplers), needs=_needs(document, to))
    back = put_back(document, only, None if record is not None else to)
    untouched = not any(node.memory() for node in document.nodes())
    before = deepcopy(document.value) if untouched else None
    outcomes, samplers, warning = _changed(document, to, record, only, anyway)
    exact = None
    if before is not None and any(outcome.action in ("swapped", "baked") for outcome in outcomes):
        trial = Document(deepcopy(document.value), document.layout)
        put_back(trial)
        exact = same(trial.value, before)
    said = _worth_saying(back, outcomes) + outcomes
    return Report(said, samplers, exact, _needs(document, to), warning)


def _worth_saying(back: list[Outcome], outcomes: list[Outcome]) -> list[Outcome]:
    """Of what an earlier swap left and was put back first: what was not swapped anew."""
    done = ("swapped", "baked", "already")
    anew = {id(outcome.node) for outcome in outcomes if outcome.action in done}
    left = [outcome for outcome in back if outcome.code != "by_hand"]
    return [outcome for outcome in left if id(outcome.node) not in anew]


def _changed(
    document: Document,
    to: str,
    record: Record | None,
    only: Sequence[str] | None,
    anyway: bool,
) -> tuple[list[Outcome], int, str]:
    """(the outcomes, how many samplers there are, a warning)."""
    from .baked import to_baked
    from .carried import carry
    from .distilled import to_distilled
    from .facts import loaded_from

    found = survey(document)
    sites = [site for site in found.sites if asked(site.node, only)]
    models = {id(site): loaded_from(document, site) for site in sites} if record is not None else {}
    outcomes: list[Outcome] = []
    changed: list[Site] = []
    for site in sites:
        if to == "baked" and record is not None:
            outcome = to_baked(document, site, record, anyway)
        else:
            outcome = to_distilled(document, site, anyway, record)
        outcomes.append(outcome)
        if outcome.action in ("swapped", "baked"):
            changed.append(site)
    warning = "" if record is None else _several_models({models[id(site)] for site in changed})
    if changed and record is not None and to == "distilled":
        outcomes += carry(document, changed, record.to_json())
    strange = [(node, why) for node, why in found.strange if asked(node, only)]
    outcomes += [Outcome(node, "left", why, "unknown") for node, why in strange]
    for scope in document.scopes:
        if scope.nodes:
            edits(scope.nodes[0]).settle(scope)
    return outcomes, len(found.samplers), warning


def _several_models(models: set[tuple[str, ...]]) -> str:
    names = sorted({", ".join(files) for files in models if files})
    if len(names) < 2:
        return ""
    return (
        f"These nodes run different models ({'; '.join(names)}), "
        "and a record fits one: name its nodes with --node."
    )


def _needs(document: Document, to: str) -> list[str]:
    nodes = list(document.nodes())
    ours = sorted({node.kind for node in nodes if node.kind.startswith("StepDistill")})
    others = [node for node in nodes if not node.kind.startswith("StepDistill")]
    if any(ENTRY in node.texts() for node in others):
        ours.append(f"the entry '{ENTRY}'")
    needs = [f"StepDistill ({', '.join(ours)})"] if ours else []
    if to == "baked" and any(node.kind == MANUAL for node in nodes):
        needs.append("the node ManualSigmas, which ComfyUI's core has since December 2025")
    return needs
