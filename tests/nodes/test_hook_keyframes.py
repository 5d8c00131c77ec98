"""Scheduled hooks follow the noise level, up as well as down."""

from __future__ import annotations

from types import SimpleNamespace

from tests.nodes.pack import module

keyframes = module("nodes.host.hook_keyframes")


def group(*starts):
    frames = [SimpleNamespace(start_t=start, strength=float(k)) for k, start in enumerate(starts)]
    return SimpleNamespace(
        keyframes=frames,
        _current_index=0,
        _current_keyframe=frames[0],
        _current_strength=None,
        _current_used_steps=0,
    )


def test_only_hooks_with_several_keyframes_count():
    several, one = group(1.0, 0.5), group(1.0)
    hooks = SimpleNamespace(
        hooks=[SimpleNamespace(hook_keyframe=each) for each in (several, one, several)]
    )
    assert keyframes.keyframed(
        {"positive": [{"hooks": hooks}, {}], "negative": [{"hooks": None}]}
    ) == [several]


def test_every_level_has_its_keyframe_and_weights_are_renewed_only_on_a_change():
    cleaned, frames = [], group(1.0, 0.8, 0.3)
    patcher = SimpleNamespace(clean_hooks=lambda: cleaned.append(frames._current_index))
    for sigma, place in [
        (1.0, 0),
        (0.9, 0),
        (0.8, 1),
        (0.5, 1),
        (0.2, 2),
        (0.9, 0),
        (0.85, 0),
        (0.1, 2),
    ]:
        keyframes.settle([frames], patcher, sigma)
        assert (
            frames._current_index == place and frames._current_keyframe is frames.keyframes[place]
        )
    assert cleaned == [1, 2, 0, 2]
