"""Which changes of a graph leave what is known of a Few-Step KSampler's next picture as it was."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import pytest

from tests.nodes.pack import module

foretelling = module("nodes.few_step.foretelling")
RunningNode = module("nodes.host.running_prompt").RunningNode
TOLD = "Next picture: as known."
INPUTS = {
    "model": ["2", 0],
    "positive": ["3", 0],
    "negative": ["4", 0],
    "latent_image": ["5", 0],
    "seed": 1,
    "steps": 6,
    "cfg": 3.0,
    "denoise": 1.0,
    "learn": "from my pictures",
}
PROMPT = {
    "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "one.safetensors"}},
    "2": {"class_type": "SeededLora", "inputs": {"model": ["1", 0], "seed": 1, "prompt": "a"}},
    "3": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["1", 1], "text": "a cat"}},
    "4": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["1", 1], "text": ""}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
    "6": {"class_type": "StepDistillKSampler", "inputs": INPUTS},
}


@pytest.fixture(autouse=True)
def drawn(monkeypatch):
    """One picture of the prompt was drawn in this session."""
    monkeypatch.setattr(foretelling, "_seen", {})
    monkeypatch.setattr(foretelling, "_prompts", {})
    monkeypatch.setattr(foretelling, "_told", lambda *_: TOLD)
    monkeypatch.setattr(foretelling, "by_file", lambda *_: "")
    node = RunningNode(PROMPT, "6", "StepDistillKSampler", INPUTS)
    monkeypatch.setattr(foretelling, "running_node", lambda: node)
    scene = SimpleNamespace(shape=(4, 8, 8), cfg=3.0)
    facts = SimpleNamespace(streams=None)
    foretelling.remember(facts, scene, None, None, "a prompt", "a pace")


def known(node: str, **changed) -> bool:
    prompt = copy.deepcopy(PROMPT)
    prompt[node]["inputs"] |= changed
    return foretelling.foretold(prompt, "6") == TOLD


def test_another_prompt_seed_or_size_is_of_the_same_model():
    assert known("3", text="a dog") and known("6", seed=2) and known("5", width=128)


@pytest.mark.parametrize("changed", [{"seed": 2}, {"prompt": "b"}])
def test_words_and_seeds_on_the_models_way_make_another_model(changed):
    assert not known("2", **changed)


def test_another_checkpoint_behind_a_lora_is_another_model():
    assert not known("1", ckpt_name="other.safetensors")
