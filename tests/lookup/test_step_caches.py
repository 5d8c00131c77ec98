"""Step caches are known by the names that they leave on a model, and nothing else is taken for one."""

from __future__ import annotations

from functools import partial

import pytest

from scheduler.lookup.step_caches import KNOWN, named_caches, origin


@pytest.mark.parametrize(
    "name, title",
    [
        ("easycache", "EasyCache"),
        ("enable_teacache", "TeaCache"),
        ("custom_nodes.ComfyUI-TeaCache.nodes.TeaCache.apply.<locals>.unet_wrapper", "TeaCache"),
        ("tea_cache_attr", "TeaCache"),
        ("magcache_options", "MagCache"),
        ("ComfyUI-CacheDiT.nodes._enable.<locals>.outer_sample", "CacheDiT"),
        ("cache_dit", "CacheDiT"),
        ("fb_cache_attr", "first block cache"),
        ("Comfy-WaveSpeed.first_block_cache.patch", "first block cache"),
        ("custom_nodes.Comfy-WaveSpeed.nodes.wrapper", "WaveSpeed's first block cache"),
        ("custom_nodes.ComfyUI-Spectrum.nodes.forecast", "Spectrum"),
        ("custom_nodes.ComfyUI-FSampler.skip", "FSampler"),
    ],
)
def test_known_ones(name, title):
    assert title in named_caches([name]) and title in KNOWN


@pytest.mark.parametrize(
    "name",
    [
        "cond_or_uncond", "kv_cache", "comfy.ldm.flux.model.Flux.forward", "spectrumlike_noise",
        "prompt_cache", "custom_nodes.ComfyUI-KJNodes.nodes.attention", "sample_sigmas", "diffsampler",
        "FreeU_V2.patch.<locals>.output_block_patch", "cached_patcher_init", "stgate",
    ],
)  # fmt: skip
def test_others_are_not(name):
    assert named_caches([name]) == ()


def test_where_functions_come_from():
    class Wrapper:
        def __call__(self):
            return None

        def method(self):
            return None

    here = f"{__name__}.test_where_functions_come_from.<locals>.Wrapper"
    assert origin(Wrapper()) == here
    assert origin(Wrapper().method) == f"{here}.method"
    assert origin(partial(test_others_are_not)) == f"{__name__}.test_others_are_not"
