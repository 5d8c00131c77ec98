"""--to baked: explicit sigmas in core's own nodes.

So a workflow runs where StepDistill is not installed.
"""

from __future__ import annotations

from ..errors import StepDistillError
from ..record import Record
from .distilled import check_sampler_and_model, unlinked
from .document import Document
from .facts import SiteFacts, facts_of
from .kinds import CONTROL, ENTRY, MANUAL
from .outcome import LOSES, Done, Left, Outcome, edits, tried
from .pair_swap import Cut
from .protocols import Node, Port
from .recipes import Plain, decimals, plain_recipe
from .sites import Site

AT_THE_BEND = (
    "its steps are 0, as many as the model needs; set the number that it draws with, and bake again"
)
_SLICE = ("add_noise", "start_at_step", "end_at_step", "return_with_leftover_noise")
_MOVED = {
    "model": "model",
    "positive": "positive",
    "negative": "negative",
    "latent_image": "latent_image",
    "cfg": "cfg",
    CONTROL: CONTROL,
}


def to_baked(
    document: Document, site: Site, record: Record, anyway: bool = False, cut: Cut | None = None
) -> Outcome:
    """Bake one site, or leave it and say why. anyway: step-distilled models too. cut: the part of a
    pair's recipe that it runs, where it is a half."""

    def change() -> Done:
        try:
            return _baked(document, site, record, anyway, cut)
        except StepDistillError as problem:
            raise Left("no_recipe", str(problem)) from problem

    return tried(site.node, "baked", change)


def foretold(document: Document, site: Site, record: Record) -> tuple[bool, str]:
    """(whether a record can be baked into a site, what would be lost or why not, as a sentence or "")."""
    try:
        return True, _recipe(site, facts_of(document, site), record).ahead
    except (Left, StepDistillError) as why:
        told = str(why)
    return False, f"{told[:1].upper()}{told[1:].rstrip('.')}."


def _baked(document: Document, site: Site, record: Record, anyway: bool, cut: Cut | None) -> Done:
    node = site.node
    spec = site.spec
    if spec.get("foreign"):
        raise Left("unknown", "it does more than sample, so no core node can take its place")
    names = [spec.get(name) for name in ("scheduler", "sampler", "steps", "denoise", "text")]
    unlinked(document, site, *names, *(_SLICE if "slice" in spec else ()))
    facts = facts_of(document, site)
    check_sampler_and_model(document, site, facts, anyway)
    plain = _recipe(site, facts, record)
    sigmas, part = _slice(node, plain.sigmas, cut) if "slice" in spec else (plain.sigmas, "")
    text = decimals(sigmas)
    notes = list(plain.notes)
    if _is_sampler(site):
        kind = f"SamplerCustom with {MANUAL}"
        _bake_sampler(node, plain, text)
    else:
        kind = MANUAL
        if facts.sampler == ENTRY:
            notes.append(
                f"choose the sampler {plain.sampler} where {ENTRY} is chosen now: "
                f"core has no {ENTRY}"
            )
        _bake_maker(node, text)
    steps = f"{len(sigmas) - 1} steps{part}"
    said = f"becomes {kind}, {steps}, sampler {plain.sampler} ({plain.words})"
    return Done("baked", said, notes, LOSES if plain.ahead else None)


def _recipe(site: Site, facts: SiteFacts, record: Record) -> Plain:
    if site.spec.get("role") == "few" and site.node.value("steps") == 0:
        raise Left("unclear", AT_THE_BEND)
    if facts.sampler is None:
        raise Left("unclear", "which sampler it is for cannot be told from the file")
    if facts.steps is None or facts.denoise is None or not 0 < facts.denoise <= 1:
        raise Left("unclear", "its steps or denoise are none that a schedule could be made for")
    start = None
    if facts.numbers:
        if facts.numbers[-1] != 0:
            raise Left(
                "partial",
                f"what {MANUAL} holds does not run down to 0, so it is a part of a schedule",
            )
        start = facts.numbers[0]
    steps = facts.steps
    if "cuts" in site.spec and facts.denoise < 1:
        steps = max(1, round(steps * facts.denoise))
    return plain_recipe(record, facts.sampler, steps, facts.denoise, start, facts.cfg)


def _slice(node: Node, sigmas: tuple[float, ...], cut: Cut | None) -> tuple[tuple[float, ...], str]:
    """The part of a schedule that KSampler (Advanced) runs, as ComfyUI cuts it, or a pair's cut."""
    start = node.value("start_at_step") if cut is None else cut.start
    end = node.value("end_at_step") if cut is None else cut.end
    steps = len(sigmas) - 1
    if type(start) is not int or type(end) is not int or start < 0 or end < 0:
        raise Left("unclear", f"its start ({start}) or end step ({end}) is none")
    end = min(end, steps)
    if start >= end:
        raise Left("partial", f"from step {start} to {end} there is nothing to sample")
    part = sigmas[start : end + 1]
    if end < steps and node.value("return_with_leftover_noise") == "disable":
        part = (*part[:-1], 0.0)
    if (start, end) == (0, steps):
        return part, ""
    return part, f" (step {start} to {end} of {steps})"


def _bake_maker(node: Node, text: str) -> None:
    memory = edits(node).retype(node, MANUAL, {"sigmas": text}, {})
    edits(node).remember(node, {"to": "baked"} | memory)


def _bake_sampler(node: Node, plain: Plain, text: str) -> None:
    edit = edits(node)
    seed = "noise_seed" if node.kind == "KSamplerAdvanced" else "seed"
    control = node.value(CONTROL)
    values = {
        "noise_seed": node.value(seed),
        CONTROL: control if isinstance(control, (str, bool)) else "fixed",
        "cfg": node.value("cfg"),
        "add_noise": node.value("add_noise") != "disable",
    }
    memory = edit.retype(node, "SamplerCustom", values, _MOVED | {"noise_seed": seed})
    edit.remember(node, {"to": "baked"} | memory)
    for name, kind, value, offset in (
        ("sampler", "KSamplerSelect", {"sampler_name": plain.sampler}, (-310, 0)),
        ("sigmas", MANUAL, {"sigmas": text}, (-310, 120)),
    ):
        helper = edit.add(node.scope, kind, value, node, offset)
        edit.remember(helper, {"made": True})
        edit.connect(node, name, Port(helper, 0))


def _is_sampler(site: Site) -> bool:
    return site.spec.get("role") == "few" or (
        "scheduler" in site.spec and not site.spec.get("sigmas")
    )
