"""The LoRAs that a tab's prompt names, before the host has loaded them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any


def loras_in(prompt: str, styles: Sequence[str] = ()) -> tuple[tuple[str, float], ...]:
    """(name, strength) of each that the host has, in order of their names; by the host's own parser."""
    if styles:
        from modules import shared

        prompt = shared.prompt_styles.apply_styles_to_prompt(prompt, list(styles))
    if "<" not in prompt:
        return ()
    from modules.extra_networks import parse_prompt

    found = parse_prompt(prompt)[1]
    named = [_named(each) for kind in ("lora", "lyco") for each in found.get(kind, ())]
    return tuple(sorted(each for each in named if each is not None))


def _named(given: Any) -> tuple[str, float] | None:
    """One of them, in the host's own reading of its numbers; None for what it does not have."""
    try:
        name = str(given.positional[0])
        strength = given.positional[1] if len(given.positional) > 1 else 1.0
        strength = given.named.get("te", strength)  # of the text encoder, and else of both
        strength = given.positional[2] if len(given.positional) > 2 else strength
        there = float(given.named.get("unet", strength))
    except (AttributeError, IndexError, TypeError, ValueError):
        return None
    known = getattr(sys.modules.get("networks"), "available_network_aliases", None)
    return (name, there) if known is None or name in known else None
