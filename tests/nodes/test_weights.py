"""A patcher's LoRAs: a plain one is named as other hosts name it, every other kind by ComfyUI's own keys."""

from __future__ import annotations

from types import SimpleNamespace

import torch

from tests.nodes.pack import module

patches_of = module("nodes.host.weights").patches_of
lora_patch = module("scheduler.lookup.lora").lora_patch


def adapter(keys, down, up, alpha=4.0, **others):
    """The host's adapter, its weights in the host's order."""
    more = {"mid": None, "dora": None, "shape": None} | others
    return SimpleNamespace(name="lora", loaded_keys=keys, weights=(up, down, alpha, *more.values()))


def patcher(adapters, strength=0.7):
    """A model with each of the adapters on a weight of its own."""
    entries = [[(strength, each, 1.0, None, None)] for each in adapters]
    names = [f"diffusion_model.{place}.weight" for place in range(len(adapters))]
    return SimpleNamespace(patches=dict(zip(names, entries, strict=True)))


def matrices(count=3):
    torch.manual_seed(0)
    return [(torch.randn(2, 8), torch.randn(8, 2)) for _ in range(count)]


def test_a_plain_lora_goes_by_its_matrices():
    pairs, keys = matrices(), set()
    found = patches_of(patcher([adapter(keys, *pair) for pair in pairs]))
    assert found == (lora_patch(pairs, 0.7),)


def test_another_kind_goes_by_the_hosts_keys():
    pairs, keys = matrices(), set()
    (found,) = patches_of(patcher([adapter(keys, *pair, dora=torch.ones(8)) for pair in pairs]))
    assert found["name"] != lora_patch(pairs, 0.7)["name"] and found["name"].startswith("lora-")
