"""Two samplers that share one run: the first leaves noise in its latent, and the second goes on from it.

They must meet at one sigma, so both halves are changed, or neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .document import Document
from .facts import facts_of, loaded_from
from .kinds import known
from .model_paths import same_model
from .protocols import Node
from .sites import Site, Survey, label

_SPLITS = ("SplitSigmas", "SplitSigmasDenoise", "StepDistillSplit")
_LATENTS = ("latent_image", "latent")


@dataclass(frozen=True)
class Pair:
    """The two places that choose the schedules of a shared run: of the first half, of the second."""

    first: Site
    second: Site

    def other(self, site: Site) -> Site:
        return self.second if site.node is self.first.node else self.first


def pairs_in(document: Document, found: Survey) -> list[Pair]:
    """Every two sites whose samplers hand a latent with noise on; a site that serves both halves meets
    itself."""
    sites = {id(node): its for node, its in found.samplers}
    samplers = {id(node): node for node, _ in found.samplers}
    pairs = []
    for second in samplers.values():
        first = _before(document, second, samplers) if _goes_on(document, second) else None
        if first is None or not _leaves_noise(document, first):
            continue
        for one in sites[id(first)]:
            pairs += [Pair(one, two) for two in sites[id(second)] if two.node is not one.node]
    return pairs


def apart(document: Document, pair: Pair, one_record: bool) -> str | None:
    """Why the halves of a pair would not meet, or None. one_record: whether both take the sigmas of one
    record, whatever their models."""
    first, second = facts_of(document, pair.first), facts_of(document, pair.second)
    if first.steps is None or first.steps != second.steps:
        return f"the halves count their steps differently ({first.steps} and {second.steps})"
    if first.sampler is None or first.sampler != second.sampler:
        return f"the halves have different samplers ({first.sampler} and {second.sampler})"
    takers = [[pair.first.node, *pair.first.users], [pair.second.node, *pair.second.users]]
    if one_record or same_model(document, *takers):
        return None
    files = [", ".join(loaded_from(document, site)) or "?" for site in (pair.first, pair.second)]
    return (
        f"the halves run different models ({files[0]} and {files[1]}), and each would take a schedule "
        "of its own; distil them together with Distil Pair, and give one of its records"
    )


def for_both(document: Document, pair: Pair, site: Site) -> str:
    """What takes few steps in the place of both halves, said of one of them."""
    takers = [[pair.first.node, *pair.first.users], [pair.second.node, *pair.second.users]]
    told = f"it draws one picture together with {label(pair.other(site).node)}"
    if same_model(document, *takers):
        return f"{told}: put one Few-Step KSampler in the place of both"
    return (
        f"{told}, by two models: put Few-Step KSampler (Pair) in the place of both, which draws with "
        "two models in few steps"
    )


def refused(
    pairs: list[Pair],
    why_not: Callable[[Pair], str | None],
    left: Callable[[Site], str | None],
) -> dict[int, str]:
    """Why sites must be left for their other half's sake, by the id of their node.

    why_not: why a pair would not meet. left: why a site is left by itself, or None.
    """
    found: dict[int, str] = {}
    for pair in pairs:
        why = why_not(pair)
        for site in (pair.first, pair.second) if why else ():
            found[id(site.node)] = _told(pair.other(site), f"would not meet at one sigma: {why}")
    for _ in pairs:  # as often as a chain of halves may be long
        for pair in pairs:
            for site in (pair.first, pair.second):
                other = pair.other(site)
                why = found.get(id(site.node)) or left(site)
                if why and id(other.node) not in found and not left(other):
                    found[id(other.node)] = _told(
                        site, f"must change together, and that is left: {why}"
                    )
    return found


def _told(other: Site, what: str) -> str:
    return f"it shares one run with {label(other.node)}; they {what}"


def _before(document: Document, second: Node, samplers: dict[int, Node]) -> Node | None:
    """The nearest sampler that a latent comes from."""
    ports = [(second.origin(name), second.scope) for name in _LATENTS]
    nodes = document.walk(ports, "LATENT")
    return next((node for node in nodes if id(node) in samplers), None)


def _goes_on(document: Document, node: Node) -> bool:
    """Whether a sampler adds no noise of its own."""
    if "add_noise" in known(node.kind).get("widgets", ()):
        return node.value("add_noise") in ("disable", False)
    noises = document.sources(node.origin("noise"), node.scope)
    return any(noise.kind == "DisableNoise" for noise in noises)


def _leaves_noise(document: Document, node: Node) -> bool:
    if known(node.kind).get("slice"):
        return node.value("return_with_leftover_noise") == "enable"
    return any(maker.kind in _SPLITS for maker in _makers(document, node))


def _makers(document: Document, node: Node) -> Iterator[Node]:
    yield from document.walk([(node.origin("sigmas"), node.scope)], "SIGMAS")


def several_models(
    changed: list[Site], models: dict[int, tuple[str, ...]], pairs: list[Pair]
) -> str:
    """What must be said where one record's schedule runs on several models."""
    names = sorted({", ".join(models[id(site)]) for site in changed if models[id(site)]})
    if len(names) < 2:
        return ""
    told = f"These nodes run different models ({'; '.join(names)})"
    halves = {id(site.node) for pair in pairs for site in (pair.first, pair.second)}
    if all(id(site.node) in halves for site in changed):
        return (
            f"{told}: both halves run one record's sigmas, so they meet, but it was made for one of "
            "the models; Distil Pair makes one for both."
        )
    return f"{told}, and a record fits one: name its nodes with --node."
