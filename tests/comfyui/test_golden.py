"""The golden numbers are what ComfyUI's own code, and the OSS authors', give."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden"
AUTHORS = pytest.mark.skipif(
    not os.environ.get("OSS_PATH"), reason="OSS_PATH names no checkout of OptimalSteps"
)
# As a share of the number, or of 1. Schedules and searches are the same numbers; a sampler's last bits
# are the torch's, and two samplers run in float32.
ROUNDING = {
    "stock_schedules": 1e-7,
    "stock_samplers": 1e-5,
    "stochastic_samplers": 1e-5,
    "oss_reference": 1e-12,
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of the files as they are made today."""
    folder = tmp_path_factory.mktemp("golden")
    make = [sys.executable, "-m", "tools.make_golden", "--output", str(folder)]
    subprocess.run(make, cwd=ROOT, check=True, capture_output=True, timeout=300)
    return folder


def same(found, golden, share: float) -> bool:
    if isinstance(golden, dict):
        return found.keys() == golden.keys() and all(
            same(found[key], golden[key], share) for key in golden
        )
    if isinstance(golden, list):
        return len(found) == len(golden) and all(
            same(*pair, share) for pair in zip(found, golden, strict=True)
        )
    if isinstance(golden, float) and math.isnan(golden):
        return math.isnan(found)
    if isinstance(golden, float):
        return math.isclose(found, golden, rel_tol=share, abs_tol=share)
    return found == golden


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "name",
    [
        "stock_schedules",
        "stock_samplers",
        "stochastic_samplers",
        pytest.param("oss_reference", marks=AUTHORS),
    ],
)
def test_golden_numbers_are_the_programs_own(made, name):
    found, golden = (
        json.loads((folder / f"{name}.json").read_text("utf-8")) for folder in (made, GOLDEN)
    )
    assert same(found, golden, ROUNDING[name])
