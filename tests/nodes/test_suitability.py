"""What cannot be learnt is told before a model call is spent."""

from __future__ import annotations

import pytest

from tests.nodes.pack import module

suitability = module("nodes.host.suitability")


class Patcher:
    """A MODEL of a class of the host's, with what other packs hang beside it."""

    def __init__(self, name: str, beside: dict):
        self.model, self.additional_models = type(name, (), {})(), beside
        self.wrappers: dict = {}
        self.model_options: dict = {}


@pytest.mark.parametrize(
    ("name", "beside", "told"),
    [
        ("SVD_img2vid", {}, True),
        ("SV3D_p", {}, True),
        ("BaseModel", {"ADE": ["a motion model"]}, True),
        ("BaseModel", {"ADE": []}, False),
        ("BaseModel", {}, False),
    ],
)
def test_frames_of_a_batch_that_depend_on_each_other(name, beside, told):
    found = suitability.unsuited(Patcher(name, beside))
    assert found == (suitability.FRAMES if told else "")
