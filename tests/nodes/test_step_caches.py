"""Step caches: core's are taken off, other packs' are named; what only looks like one is let be."""

from __future__ import annotations

import pytest

from tests.nodes import host
from tests.nodes.pack import module

caches, suitability = module("nodes.host.step_caches"), module("nodes.host.suitability")


def hung(qualname: str):
    """A MODEL with a function of that name hung in, as set_model_unet_function_wrapper does."""

    def wrapper(apply_model, given):
        return apply_model(given["input"], given["timestep"], **given["c"])

    wrapper.__qualname__ = qualname
    patcher = host.patcher(file="tiny.safetensors")
    patcher.model_options = dict(patcher.model_options) | {"model_function_wrapper": wrapper}
    return patcher


@pytest.mark.parametrize(
    "qualname, name",
    [
        ("TeaCache.apply_teacache.<locals>.unet_wrapper_function", "TeaCache"),
        ("ApplyFBCacheOnModel.patch.<locals>.wrapper", "first block cache"),
        ("MyOwnCache.patch.<locals>.wrapper", "MyOwnCache"),
    ],
)
def test_a_cache_of_another_pack_is_named(qualname, name):
    assert caches.step_caches(hung(qualname)) == (name,)
    assert f"carries {name}, which answers some steps" in suitability.unsuited(hung(qualname))


def test_what_is_no_cache_is_let_be():
    for name in ("HyperTile.patch.<locals>.hypertile_in", "TorchCompileModel.patch"):
        assert suitability.unsuited(hung(name)) == ""
    assert suitability.unsuited(host.patcher(file="tiny.safetensors")) == ""
