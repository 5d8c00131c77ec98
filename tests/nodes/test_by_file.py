"""What is told of a Few-Step KSampler's picture before its model has run in this session."""

from __future__ import annotations

import pytest

from tests.nodes.made import recipe, record
from tests.nodes.pack import module

by_file = module("nodes.few_step.by_file").by_file
ROWS = [[0.0] * 4] * 6
BEGIN = "photo has not run like this in this session: the store has "
THEN = " How it is drawn is said once the model is loaded."


def told(file: str = "photo.safetensors", **changed) -> str:
    widgets = {"seed": 1, "steps": 6, "cfg": 3.0, "denoise": 1.0, "learn": "from my pictures"}
    text = {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat"}}
    size = {"width": 64, "height": 64, "batch_size": 1}
    prompt = {
        "1": {"class_type": "UNETLoader", "inputs": {"unet_name": file, "weight_dtype": "default"}},
        "2": text,
        "3": text,
        "4": {"class_type": "EmptySD3LatentImage", "inputs": size},
        "5": {
            "class_type": "StepDistillKSampler",
            "inputs": widgets
            | {"model": ["1", 0], "positive": ["2", 0], "negative": ["3", 0]}
            | {"latent_image": ["4", 0]}
            | changed,
        },
    }
    return by_file(prompt, "5")


def learnt():
    made = recipe("distilled", [1.0, 0.9, 0.7, 0.5, 0.3, 0.1, 0.0], rms=0.1, coefficients=ROWS)
    return record(made, name="photo")


@pytest.mark.parametrize(
    "learn, then",
    [
        ("from my pictures", "so that the next picture is most likely drawn in full, to learn it."),
        ("now", "so that one is most likely learnt first."),
        ("off", "so that a stock schedule draws it."),
    ],
)
def test_where_the_store_has_nothing_of_the_file(store, learn, then):
    assert told(learn=learn) == f"{BEGIN}no recipe of it, {then}"


def test_what_the_store_has_for_a_file_of_this_name(store):
    store.put(learnt())
    assert told() == f"{BEGIN}its recipe for 6 steps.{THEN}"
    assert told(steps=0) == f"{BEGIN}a record of it.{THEN}"
    assert told(steps=5) == f"{BEGIN}a record of it, without a recipe for 5 steps.{THEN}"
    assert told(denoise=0.5) == (
        f"{BEGIN}a record of it, without a recipe for 6 steps from denoise 0.5.{THEN}"
    )
    assert told(cfg=9.0) == f"{BEGIN}its recipe for 6 steps, not for cfg 9.{THEN}"
    assert "no recipe of it" in told("other.safetensors")


def test_where_the_graph_does_not_tell(store):
    assert told(model=["9", 0]) == ""
    assert told("photo-lightning-4steps.safetensors", cfg=1.0) == ""
    assert by_file({"5": {"class_type": "StepDistillKSampler", "inputs": {}}}, "5") == ""
    assert by_file({"5": "?"}, "5") == "" and by_file({}, "5") == ""
