"""Scheduled hooks, such as a LoRA that comes in halfway, at any noise level: a host's own keyframes
only ever step forwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def keyframed(conds: Mapping[str, Iterable[Mapping]]) -> list:
    """The keyframe groups, of two keyframes or more, of the hooks in a guider's conditioning."""
    found = {}
    for group in (each.get("hooks") for listed in conds.values() for each in listed or ()):
        for hook in getattr(group, "hooks", ()):
            frames = getattr(hook, "hook_keyframe", None)
            if len(getattr(frames, "keyframes", ())) > 1:
                found[id(frames)] = frames
    return list(found.values())


def settle(groups: Iterable, patcher, sigma: float) -> None:
    """Put every group at the keyframe that rules at `sigma`: distilling goes down many times, and
    the host goes on from where it was.

    A keyframe's guaranteed steps depend on the schedule that runs, so they are not counted here.
    Weights patched for another keyframe are taken off; the host puts the right ones on at its next
    call.
    """
    stale = False
    for group in groups:
        place = max(
            (k for k, frame in enumerate(group.keyframes) if k and frame.start_t >= sigma),
            default=0,
        )
        if place != group._current_index:
            group._current_index, group._current_keyframe = place, group.keyframes[place]
            group._current_strength, group._current_used_steps = group.keyframes[place].strength, 1
            stale = True
    if stale:
        patcher.clean_hooks()
