"""A LoRA is named by its own numbers: the same in every host and precision, another for another one."""

from __future__ import annotations

import random

import pytest
import torch

from scheduler.lookup.lora import lora_patch


def layers(seed: int = 0, count: int = 6) -> list[tuple[torch.Tensor, torch.Tensor]]:
    torch.manual_seed(seed)
    return [(torch.randn(4, 32) / 6, torch.randn(48, 4) * 1e-3) for _ in range(count)]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_order_and_precision_and_a_files_alpha_change_nothing(dtype):
    own = layers()
    other = [(down.to(dtype), (0.25 * up).to(dtype)) for down, up in own]
    random.Random(0).shuffle(other)
    assert lora_patch(other, 0.7) == lora_patch(own, 0.7)


def test_another_one_and_more_of_it_have_other_names():
    own = layers()
    names = {lora_patch(each, 1.0)["name"] for each in (own, layers(1), own[:-1], [*own, own[0]])}
    assert len(names) == 4


def test_trained_a_little_longer_it_is_another_one():
    own = layers()
    longer = [(down, up + 2e-5 * torch.randn_like(up)) for down, up in own]
    assert lora_patch(longer, 1.0)["name"] != lora_patch(own, 1.0)["name"]


def test_the_strength_is_the_users_and_no_part_of_the_name():
    assert lora_patch(layers(), 0.5)["strength"] == 0.5
    assert lora_patch(layers(), 0.5)["name"] == lora_patch(layers(), 1.0)["name"]
