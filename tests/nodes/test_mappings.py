"""The pack as a whole: every node is there under its id, well described, and nothing heavy is
loaded for that."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.nodes import host
from tests.nodes.pack import NAME, ROOT, module

# What released workflows hold: never changed. A new node joins when it is released.
IDS = {
    "StepDistillKSampler": ("Few-Step KSampler", ("LATENT", "info")),
    "StepDistillDistill": ("Distill Schedule", ("record", "plot", "report")),
    "StepDistillPairKSampler": ("Few-Step KSampler (Pair)", ("LATENT", "info")),
    "StepDistillPair": ("Distil Pair", ("first", "second", "report")),
    "StepDistillMakersSigmas": ("Maker's Sigmas", ("model",)),
    "StepDistillSigmas": ("Distilled Sigmas", ("sigmas", "info")),
    "StepDistillSampler": ("Distilled Sampler", ("sampler", "sigmas", "info")),
    "StepDistillApply": ("Apply Distilled Schedule", ("model", "info")),
    "StepDistillCompare": ("Compare Schedules", ("plot", "pictures", "table")),
    "StepDistillLoad": ("Load Record", ("record", "info")),
    "StepDistillSave": ("Save Record", ("text",)),
    "StepDistillFromText": ("Record from Text", ("record",)),
    "StepDistillBake": ("Bake Sigmas", ("sigmas", "text")),
    "StepDistillSplit": ("Split at Sigma", ("high", "low")),
}


def test_ids_names_and_outputs_are_those_that_were_promised():
    nodes = module("nodes")
    pack = sys.modules[NAME]
    assert pack.NODE_CLASS_MAPPINGS is nodes.NODE_CLASS_MAPPINGS and pack.WEB_DIRECTORY == "./web"
    for name, (title, outputs) in IDS.items():
        assert nodes.NODE_DISPLAY_NAME_MAPPINGS[name] == title
        assert tuple(nodes.NODE_CLASS_MAPPINGS[name].RETURN_NAMES) == outputs


NEEDED = ("CATEGORY", "DESCRIPTION", "FUNCTION", "RETURN_NAMES", "RETURN_TYPES", "INPUT_TYPES")


@pytest.mark.parametrize("name", module("nodes").NODE_CLASS_MAPPINGS)
def test_every_node_has_its_place_and_tooltips(name):
    cls = module("nodes").NODE_CLASS_MAPPINGS[name]
    missing = [each for each in NEEDED if not hasattr(cls, each)]
    assert not missing, f"the class {name} lacks {', '.join(missing)}; nodes/sigmas.py has all"
    assert cls.CATEGORY == "sampling/StepDistill" and callable(getattr(cls, cls.FUNCTION))
    assert len(cls.RETURN_TYPES) == len(cls.RETURN_NAMES)
    tips = getattr(cls, "OUTPUT_TOOLTIPS", ())
    told = len(tips) == len(cls.RETURN_TYPES) and all(tip.strip() for tip in tips)
    assert told or not cls.RETURN_TYPES, f"{name}: OUTPUT_TOOLTIPS has a text for each output"
    inputs = cls.INPUT_TYPES()
    given = inputs.get("required", {}) | inputs.get("optional", {})
    for key, spec in given.items():
        assert spec[1]["tooltip"].strip(), f"{name}: the input {key} has no tooltip"


def test_the_door_opens_outside_a_package():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); "
        "import __init__ as door; assert door.NODE_CLASS_MAPPINGS == {}"
    )
    subprocess.run([sys.executable, "-c", code, str(ROOT)], check=True)


def test_a_host_of_another_make_keeps_the_nodes(monkeypatch, caplog):
    comfy = host.comfy(monkeypatch)
    del comfy.samplers.SCHEDULER_HANDLERS
    assert (
        module("nodes.dropdowns.register").register() is False
        and "nodes work without them" in caplog.text
    )
