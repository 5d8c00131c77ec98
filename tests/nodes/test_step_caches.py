"""Step caches: core's are taken off, other packs' are named; what only looks like one is let be."""

from __future__ import annotations

import pytest

from tests.nodes import host
from tests.nodes.pack import module

caches, errors = module("nodes.host.step_caches"), module("scheduler.errors")


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
        ("ApplyFBCacheOnModel.patch.<locals>.wrapper", "ApplyFBCacheOnModel"),
    ],
)
def test_a_cache_of_another_pack_is_named(qualname, name):
    assert caches.foreign_caches(hung(qualname)) == (name,)
    with pytest.raises(errors.DenoiserError, match=f"{name} on the model answers some steps"):
        caches.refuse_foreign_caches(hung(qualname))


def test_what_is_no_cache_is_let_be():
    assert caches.foreign_caches(hung("HyperTile.patch.<locals>.hypertile_in")) == ()
    caches.refuse_foreign_caches(hung("TorchCompileModel.patch"))
    caches.refuse_foreign_caches(host.patcher(file="tiny.safetensors"))
