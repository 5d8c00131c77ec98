"""Few steps: the Few-Step KSampler in the place of KSampler, and `distilled` with the right steps in
nodes that only have dropdowns. What is gained is said from a record; where nothing is, nothing is
changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from ..counted import counted
from .borrowing import stochastic_note
from .distilled import check_sampler_and_model, maker_values, retype_maker, unlinked
from .document import Document
from .facts import SiteFacts, facts_of, selectors_of
from .kinds import CONTROL, ENTRY, FEW
from .model_paths import other_model
from .outcome import LEARNS, Done, Left, Outcome, edits, tried
from .protocols import Node
from .sites import Site, survey
from .to_learn import Learning, calls_of, steps_to_learn

if TYPE_CHECKING:
    from ..record import Record
    from .gain import Gain

Find = Callable[[SiteFacts], "Record | None"]

TARGET = "few"
LEARN = "from my pictures"
KEPT = ("model", "positive", "negative", "latent_image", "seed", CONTROL, "cfg", "denoise")


def to_few_steps(
    document: Document,
    site: Site,
    find: Find,
    anyway: bool = False,
    learning: Learning | None = None,
) -> Outcome:
    """Change one site, or leave it and say why.

    find: the record for what a node runs, or None. anyway: step-distilled models too. learning: None
    where the node may not learn: the workflow carries the one record that is to be used.
    """

    def change() -> Done:
        facts = _facts(document, site, anyway)
        if facts.sampler == ENTRY:
            return Done("already", f"it runs the sampler '{ENTRY}' already")
        record = find(facts)
        if site.node.kind == "KSampler":
            return _few_step_node(site, facts, record, learning)
        if record is None:
            raise Left("no_gain", _UNKNOWN)
        if "scheduler" in site.spec:
            return _dropdowns(document, site, facts, record)
        return _maker(document, site, facts, record)

    return tried(site.node, "swapped", change)


_UNKNOWN = (
    "nothing would be gained yet: no record of this model is in the store; draw one picture with "
    "Few-Step KSampler, or run Distill Schedule"
)


def _facts(document: Document, site: Site, anyway: bool) -> SiteFacts:
    """What the site runs, known well enough to say what is gained; raises Left."""
    spec = site.spec
    unlinked(document, site, *(spec.get(name) for name in ("steps", "denoise", "text")))
    facts = facts_of(document, site)
    check_sampler_and_model(document, site, facts, anyway)
    if facts.steps is None or facts.denoise is None or not 0 < facts.denoise <= 1:
        raise Left("unclear", "its steps or denoise are none that a recipe could be made for")
    return facts


def _few_step_node(
    site: Site, facts: SiteFacts, record: Record | None, learning: Learning | None
) -> Done:
    node = site.node
    steps, words, code = _promised(facts, record, node.value("scheduler"), learning)
    values = {name: node.value(name) for name in ("seed", CONTROL, "cfg", "denoise")}
    control = values[CONTROL]
    values |= {"steps": steps, "learn": LEARN}
    values[CONTROL] = control if isinstance(control, (str, bool)) else "fixed"
    kept = {name: name for name in KEPT}
    memory = {"to": TARGET} | edits(node).retype(node, FEW, values, kept)
    edits(node).remember(node, memory)
    return Done("swapped", words, stochastic_note(facts.sampler), code)


def _promised(
    facts: SiteFacts, record: Record | None, now: object, learning: Learning | None
) -> tuple[int, str, str | None]:
    """(steps of the node, what is gained or learnt, LEARNS where that is still to come)."""
    if record is None:
        return _to_learn(facts, "of this model", learning or Learning())
    from .first_run import learnt_at, was_fitted  # numpy, as _gain's

    try:
        gain = _gain(record, facts, now, nearly=True)  # it can be set to more
    except Left:
        steps = steps_to_learn(calls_of(facts))
        if learning is None or was_fitted(record, facts, steps):
            raise
        start = "" if facts.denoise == 1 else f" from denoise {facts.denoise:g}"
        return _to_learn(facts, f"in so few steps{start}", learning)
    place = "" if learning is None else learnt_at(record, gain.recipe, facts)
    if learning is not None and place:
        return gain.steps, f"{gain.words}; {learning.first(facts, place)}", LEARNS
    return gain.steps, gain.words, None


def _gain(record: Record, facts: SiteFacts, now: object = None, nearly: bool = False) -> Gain:
    from .gain import gain_of  # numpy: not before there is a record

    return gain_of(record, facts, now, nearly)


def _to_learn(facts: SiteFacts, what: str, learning: Learning) -> tuple[int, str, str]:
    """The same, where nothing is known."""
    steps = steps_to_learn(calls_of(facts))
    if steps >= calls_of(facts):
        raise Left("no_gain", f"nothing would be gained: {counted(steps)} can be no fewer")
    words = (
        f"nothing is known {what} yet: {learning.first(facts)}, and from the next on Few-Step "
        f"KSampler takes {counted(steps)} where {facts.steps} run now"
    )
    return steps, words, LEARNS


def _dropdowns(document: Document, site: Site, facts: SiteFacts, record: Record) -> Done:
    node = site.node
    spec = site.spec
    unlinked(document, site, spec["scheduler"], spec.get("sampler"), advice="set it there")
    if "slice" in spec:
        _check_whole(site, facts)
    gain = _gain(record, facts, node.value(spec["scheduler"]))
    values = {spec["scheduler"]: ENTRY, spec["steps"]: gain.steps}
    if "sampler" in spec:
        values[spec["sampler"]] = ENTRY
    else:
        _choose_sampler(_selectors(document, site))
    choose(node, values)
    notes = stochastic_note(facts.sampler) + other_model(document, site)
    return Done("swapped", gain.words, notes)


def _maker(document: Document, site: Site, facts: SiteFacts, record: Record) -> Done:
    """Distilled Sigmas in the place of another maker."""
    values, counted = maker_values(document, site, facts)
    gain = _gain(record, replace(facts, steps=values["steps"]))
    values |= {"sampler_name": ENTRY, "steps": gain.steps}
    selectors = _selectors(document, site)
    retype_maker(document, site, values, [*counted, "steps"], TARGET)
    _choose_sampler(selectors)
    notes = stochastic_note(facts.sampler) + other_model(document, site)
    return Done("swapped", gain.words, notes)


def _selectors(document: Document, site: Site) -> list[Node]:
    """The nodes that name the site's sampler and can name ours; raises Left where they can't."""
    found = selectors_of(document, site)
    if not found or any(each.kind != "KSamplerSelect" for each in found):
        raise Left(
            "unknown", f"its sampler is not chosen in KSamplerSelect; choose '{ENTRY}' there"
        )
    for selector in found:
        if selector.linked("sampler_name"):
            raise Left("linked", f"its sampler comes through a link; choose '{ENTRY}' there")
    for other in survey(document).sites:
        theirs = [] if other.node is site.node else selectors_of(document, other)
        if any(each in found for each in theirs):
            raise Left("linked", "another schedule uses the same sampler; change both by hand")
    return found


def _choose_sampler(selectors: list[Node]) -> None:
    for selector in selectors:
        choose(selector, {"sampler_name": ENTRY})


def _check_whole(site: Site, facts: SiteFacts) -> None:
    """KSampler (Advanced) that runs a part of its steps is one of several."""
    node = site.node
    start, end = node.value("start_at_step"), node.value("end_at_step")
    leaves = node.value("return_with_leftover_noise") != "disable"
    whole = start == 0 and isinstance(end, int) and end >= (facts.steps or 0)
    if not whole or leaves or node.value("add_noise") == "disable":
        raise Left(
            "partial",
            f"it runs a part of its steps ({start} to {end} of {facts.steps}); few steps are for "
            "whole runs",
        )


def choose(node: Node, values: dict) -> None:
    """Set values of a node, and note what they were."""
    was = {name: node.value(name) for name in values}
    for name, value in values.items():
        node.set(name, value)
    edits(node).remember(node, {"to": TARGET, "was": was, "now": values})
