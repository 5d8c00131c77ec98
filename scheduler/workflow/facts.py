"""What a site runs under, as far as the file tells: sampler, steps, cfg, the files of the model.

And whether that is step-distilled.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from .document import Document
from .empty_latents import LatentSize, size_of
from .kinds import TABLE, known
from .protocols import Node, Port
from .sites import Site, label
from .values import texts, value, values

_FILE = re.compile(r"\.(safetensors|sft|gguf|ckpt|pth?|bin)$", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?(?:\d*\.*\d+)")  # as ManualSigmas finds its numbers


@dataclass(frozen=True)
class SiteFacts:
    """What is known of the run; None where it is not. numbers: of ManualSigmas. loras: those of
    `files` that are none of the model's own. guidance: the distilled one (FluxGuidance). size: of an
    empty latent."""

    sampler: str | None
    steps: int | None
    denoise: float | None
    cfg: float | None
    files: tuple[str, ...]
    numbers: tuple[float, ...] | None = None
    loras: tuple[str, ...] = ()
    guidance: float | None = None
    size: LatentSize | None = None


def facts_of(document: Document, site: Site) -> SiteFacts:
    """What a site runs under; of several samplers that it serves, the first."""
    node = site.node
    spec = site.spec
    numbers = _numbers(value(document, node, spec["text"])) if "text" in spec else None
    steps = len(numbers) - 1 if numbers else value(document, node, spec.get("steps"))
    denoise = value(document, node, spec["denoise"]) if "denoise" in spec else 1.0
    files = _files(document, site)
    own = loaded_from(document, site)
    return SiteFacts(
        sampler_of(document, site),
        steps if type(steps) is int and 0 < steps <= TABLE["most_steps"] else None,
        float(denoise) if _is_number(denoise) else None,
        _cfg(document, site),
        files,
        numbers,
        tuple(name for name in files if name not in own),
        _guidance(document, site),
        _size(document, site),
    )


def step_distilled(document: Document, site: Site, facts: SiteFacts) -> str | None:
    """Why a site seems to run a step-distilled model, which has few-step sigmas of its own.

    None where nothing says so.
    """
    from ..fingerprint.step_distilled import detect

    advice = detect(facts.files)
    if advice is not None:
        return f"step-distilled, by {advice.because}: such a model has few steps of its own"
    if "for" in site.spec:
        return f"it is for {site.spec['for']}"
    if facts.sampler == "lcm":
        return "the sampler lcm is for step-distilled models, which have few steps of their own"
    unguided = any(cfg <= 1 for cfg in _cfgs(document, site))
    steps = min(_step_counts(document, site, facts), default=0)
    if unguided and 0 < steps <= TABLE["few_steps"]:
        counted = f"{steps} step{'s' if steps > 1 else ''}"
        return f"{counted} at cfg 1 are a step-distilled model's, which has sigmas of its own"
    return None


def _step_counts(document: Document, site: Site, facts: SiteFacts) -> list[int]:
    """The steps of each use of the subgraph that a site is in, as far as they are known."""
    if facts.steps is not None or "steps" not in site.spec:
        return [facts.steps or 0]
    found = values(document, site.node, site.spec["steps"])
    return [each for each in found if type(each) is int and each > 0]


def model_port(document: Document, site: Site) -> Port | None:
    """Where a site's model comes from, in the site's own graph.

    Its own input's, else that of the sampler or guider that it serves.
    """
    takers = [site.node] if site.node.origin("model") else model_takers(document, site)
    ports = [taker.origin("model") for taker in takers if taker.scope is site.node.scope]
    return next((port for port in ports if port), None)


def model_takers(document: Document, site: Site) -> list[Node]:
    """The nodes that hand a model to the samplers of a site.

    A KSampler, a SamplerCustom, or the guider.
    """
    found = []
    for user in site.users:
        guiders = document.walk([(user.origin("guider"), user.scope)], "GUIDER")
        found += [node for node in [user, *guiders] if node.origin("model")]
    return found


def loaded_from(document: Document, site: Site) -> tuple[str, ...]:
    """The files of the models themselves, without LoRAs."""
    loaders = [node for node in _model_nodes(document, site) if not node.upstream("MODEL")]
    return _names(text for node in loaders for text in texts(document, node))


def linked_from(document: Document, node: Node, name: str) -> str:
    """What feeds a value, in words."""
    port = node.origin(name)
    if port is None:
        return "a link that leads nowhere"
    if port.node is not None:
        return label(port.node)
    outer = node.scope.outer(port.slot)
    instances = [label(each) for each in document.instances_of(node.scope)[:3]]
    where = f" ({', '.join(instances)})" if instances else ""
    return f"the subgraph's input '{outer}'{where}"


def sampler_of(document: Document, site: Site) -> str | None:
    """The name of the sampler that runs a site's schedule."""
    node = site.node
    spec = site.spec
    if spec.get("role") == "few":
        return spec["is"]
    if "sampler" in spec:
        name = value(document, node, spec["sampler"])
        return name if isinstance(name, str) else None
    for selector in selectors_of(document, site):
        spec = known(selector.kind)
        name = spec.get("is") or value(document, selector, spec["sampler"])
        return name if isinstance(name, str) else None
    return None


def selectors_of(document: Document, site: Site) -> list[Node]:
    """The nodes that choose the sampler for a site that makes sigmas."""
    ports = [(user.origin("sampler"), user.scope) for user in site.users]
    nodes = document.walk(ports, "SAMPLER") if "sampler" not in site.spec else []
    return [node for node in nodes if known(node.kind).get("role") == "selector"]


def unknown_selector(document: Document, site: Site) -> Node | None:
    """The node of an unknown kind that makes the sampler of a site, if one does."""
    ports = [(user.origin("sampler"), user.scope) for user in site.users]
    nodes = document.walk(ports, "SAMPLER") if "sampler" not in site.spec else []
    strange = (node for node in nodes if not known(node.kind) and document.passing(node) is None)
    return None if selectors_of(document, site) else next(strange, None)


def _cfg(document: Document, site: Site) -> float | None:
    found = _cfgs(document, site)
    return found[0] if found and len(set(found)) == 1 else None


def _cfgs(document: Document, site: Site) -> list[float]:
    """The cfg of each use of the subgraph that a site is in, as far as they are known."""
    for user in site.users:
        guiders = document.walk([(user.origin("guider"), user.scope)], "GUIDER")
        for node in [user, *guiders]:
            spec = known(node.kind)
            if "guidance" in spec:
                return [spec["guidance"]]
            found = values(document, node, spec["cfg"]) if "cfg" in spec else []
            if found:
                return [float(each) for each in found if _is_number(each)]
    return []


def _guidance(document: Document, site: Site) -> float | None:
    """The distilled guidance that the nearest node before the prompt's input states."""
    guiders = [
        guider
        for user in site.users
        for guider in [user, *document.walk([(user.origin("guider"), user.scope)], "GUIDER")]
    ]
    ports = [
        (node.origin(name), node.scope) for node in guiders for name in ("positive", "conditioning")
    ]
    for node in document.walk(ports, "CONDITIONING"):
        name = known(node.kind).get("guidance")
        found = value(document, node, name) if known(node.kind).get("role") == "guidance" else None
        if found is not None and _is_number(found):
            return float(found)
    return None


def _size(document: Document, site: Site) -> LatentSize | None:
    """The size of the empty latent that a site's sampler begins with."""
    ports = [
        (user.origin(name), user.scope)
        for user in site.users
        for name in ("latent_image", "latent")
    ]
    sources = [node for port, scope in ports for node in document.sources(port, scope)]
    if not sources:
        return None
    return size_of(sources[0].kind, lambda name: value(document, sources[0], name))


def _files(document: Document, site: Site) -> tuple[str, ...]:
    """The files that the model is loaded from, LoRAs included; those of bypassed nodes are not."""
    nodes = [node for node in _model_nodes(document, site) if not node.state]
    return _names(text for node in nodes for text in texts(document, node))


def _model_nodes(document: Document, site: Site) -> list[Node]:
    """The nodes that a site's model comes through."""
    takers = [site.node, *model_takers(document, site)]
    return document.walk([(taker.origin("model"), taker.scope) for taker in takers], "MODEL")


def _names(texts: Iterable[str]) -> tuple[str, ...]:
    """Of texts those that name a model file, without folder and ending."""
    files = (text for text in texts if len(text) < 500 and _FILE.search(text))
    return tuple(dict.fromkeys(_FILE.sub("", re.split(r"[\\/]", text)[-1]) for text in files))


def _numbers(text: object) -> tuple[float, ...] | None:
    found = _NUMBER.findall(text) if isinstance(text, str) and len(text) < 10_000 else []
    try:
        return tuple(float(number) for number in found) if len(found) > 1 else None
    except ValueError:  # "1..5"
        return None


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e9
