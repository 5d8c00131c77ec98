"""The command line of a Python that has neither numpy nor torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.test_swap import nested
from tests.workflow_graphs import plain

ROOT = Path(__file__).parents[2]
BARE = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "numpy", "safetensors", "matplotlib", "tqdm", "sklearn"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(BARE, "utf-8")
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}

    def run(*arguments):
        command = [sys.executable, "-m", "scheduler", *map(str, arguments)]
        return subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd=tmp_path
        )

    return run


@pytest.mark.slow
def test_help_and_swap_need_no_packages(run, tmp_path):
    done = run("--help")
    assert done.returncode == 0 and "swap" in done.stdout and "distill" in done.stdout
    assert run("swap", "--help").returncode == 0
    path = tmp_path / "a.json"
    for data in (plain().data, nested()):
        path.write_text(json.dumps(data), "utf-8")
        for to in ("distilled", "few"):
            there = tmp_path / f"{to}.json"
            done = run("swap", path, "--to", to, "-o", there)
            assert done.returncode == 0 and not done.stderr, done.stderr
            back = tmp_path / "back.json"
            assert run("swap", there, "--to", "stock", "-o", back).returncode == 0
            assert back.read_bytes() == path.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ["distill", "flow", "-o", "x.json"],
        ["show", "--help"],
        ["bake"],
        ["swap", "a.json", "--record", "my.json"],
    ],
)
def test_the_others_say_in_one_sentence_what_sets_them_up(run, arguments):
    done = run(*arguments)
    said = done.stderr.strip()
    assert done.returncode == 1 and said.count("\n") == 0 and "Traceback" not in said
    assert "has no " in said and "install" in said


def test_the_names_that_are_read_without_packages_are_the_rules_own():
    from scheduler.samplers.multistep import LINEAR
    from scheduler.samplers.names import LINEAR_NAMES

    assert tuple(LINEAR) == LINEAR_NAMES
