"""Nodes of other packs that sample: what gives them away, and what can be done with them."""

from __future__ import annotations

import re

from ..lookup.rules import KNOWN
from .kinds import ENTRY, TABLE, known
from .protocols import Node

_SAMPLES = re.compile(
    r"(?<!re)(?<!up)(?<!down)sampler|ksample|detailer|pre ?sampling|ultimatesdupscale|"
    r"supir.*(sample|upscale)",
    re.IGNORECASE,
)
_APART = re.compile(
    r"select|config|preview|loader|info|option|scheduler$|settings|schedulers?[ _]?to|parser|name",
    re.IGNORECASE,
)
_MAKES = ("LATENT", "IMAGE", "VIDEO", "AUDIO", "*")
_HANDED_ON = ("KSAMPLER", "KSAMPLER_ADVANCED", "PIPE_LINE", "UPSCALER", "DETAILER_HOOK")
_FIELDS = ("steps", "cfg", "denoise", "seed", "noise_seed", "scheduler", "sampler_name", "sigmas")
_PIPES = re.compile(r"pipe|script|sdxl_tuple|^context$", re.IGNORECASE)
_TAKES = ("MODEL", "GUIDER")
_FOR_DRAWING = re.compile(
    "MODEL|PIPE|GUIDER|CONDITIONING|SAMPLER|SIGMAS|LATENT|SEGS|NOISE|SCRIPT|TUPLE|CONTEXT"
)


def samples(node: Node) -> bool:
    """Whether a node of an unknown kind runs a sampler itself, by its name or by what it takes and
    gives."""
    if known(node.kind) or node.kind.startswith("StepDistill"):
        return False
    if node.graph:
        takes, gives = _types(node, "inputs"), _types(node, "outputs")
        if any(each in _HANDED_ON for each in gives):
            return _named(node)
        made = any(each in _MAKES for each in gives)
        latent = "LATENT" in gives and "LATENT" in takes
        by_type = latent and any(each in takes for each in _TAKES) and _has_conditions(takes)
        draws = any(map(_FOR_DRAWING.search, takes)) or bool(_pack_entry(node.kind))
        return made and (by_type or (_named(node) and draws))
    names = set(node.input_names())
    return _named(node) and not names.isdisjoint(_FIELDS)


def takes_sigmas(node: Node) -> bool:
    """Whether sigmas are linked to a node that samples."""
    return node.origin("sigmas") is not None


def why_left(node: Node) -> str:
    """What can be done with such a node, in words."""
    if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", node.kind):
        return "it is a subgraph that the file does not hold; save the workflow again with it"
    pack = _pack(node.kind)
    who = f"it is {pack}'s" if pack else "it is another pack's"
    names = set(node.input_names())
    own = [text for text in node.texts() if text in TABLE["schedulers"]]
    if "sigmas" in names:
        return f"{who} sampler; link Distilled Sigmas to its input sigmas"
    if own and not KNOWN.isdisjoint(node.texts()):
        return f"{who} sampler; choose '{ENTRY}' as its scheduler by hand, where its list has that"
    if any(_PIPES.search(each) for each in (*_types(node, "inputs"), *names)) and not own:
        return (
            f"{who} sampler, and takes what it runs from its pipe; choose '{ENTRY}' there by hand"
        )
    if _runs_itself(node):
        return f"{who} sampler, and runs its model by itself: no schedule of ours reaches it"
    return (
        f"{who} sampler, and has schedulers of its own; where its list has '{ENTRY}', choose that by "
        "hand"
    )


def _runs_itself(node: Node) -> bool:
    """Whether its model is none of ComfyUI's own."""
    takes = _types(node, "inputs")
    other = [each for each in takes if "MODEL" in each and each not in ("MODEL", "UPSCALE_MODEL")]
    return bool(_pack_entry(node.kind).get("alone")) or bool(other and "MODEL" not in takes)


def _named(node: Node) -> bool:
    return bool(_SAMPLES.search(node.kind)) and not _APART.search(node.kind)


def _has_conditions(takes: list[str]) -> bool:
    return any(each in takes for each in ("CONDITIONING", "GUIDER", "SIGMAS", "SAMPLER"))


def _types(node: Node, side: str) -> list[str]:
    entries = node.data.get(side)
    found = (
        [each.get("type") for each in entries if isinstance(each, dict)]
        if isinstance(entries, list)
        else []
    )
    return [each for each in found if isinstance(each, str)]


def _pack(kind: str) -> str | None:
    return _pack_entry(kind).get("name")


def _pack_entry(kind: str) -> dict:
    found = (entry for entry in TABLE["packs"] if re.search(entry["kinds"], kind))
    return next(found, {})
