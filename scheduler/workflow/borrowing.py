"""What must be said where a sampler takes another one's schedule, or gives way to ours."""

from __future__ import annotations

from ..lookup.rules import STOCHASTIC_ONE, rule_for


def borrowed(sampler: str, served_by: str | None = None) -> list[str]:
    """What must be said where another sampler's recipe serves, or may. served_by: whose does; None
    where that is known at the run alone."""
    rule = rule_for(sampler)
    if rule.own or rule.serves is None or served_by == rule.on_paths is not None:
        return []
    if served_by is None and rule.on_paths:
        return [f"{sampler} takes its own schedule where that was measured, else {rule.serves}'s"]
    return [f"{sampler} takes {rule.serves}'s schedule, not measured for it"]


def stochastic_note(sampler: str | None) -> list[str]:
    """What must be said where ours takes a stochastic sampler's place."""
    if rule_for(sampler).kind != STOCHASTIC_ONE:
        return []
    return [f"{sampler} adds noise at every step and ours does not, so pictures look different"]
