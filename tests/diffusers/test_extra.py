"""An extra: nothing of diffusers is loaded before it is asked for; where it is absent a sentence says so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ASKED = """import sys
import scheduler.diffusers, scheduler.learning, scheduler.store
from scheduler.cli.commands import parser
parser()
print(sorted({name.split(".")[0] for name in sys.modules} & {"diffusers", "transformers"}))
"""


@pytest.mark.slow
def test_nothing_is_loaded_before_it_is_asked_for():
    done = subprocess.run(
        [sys.executable, "-c", ASKED], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("command", ["distill", "draw"])
def test_without_diffusers_a_sentence_says_what_to_install(monkeypatch, capsys, tmp_path, command):
    from scheduler import cli

    for name in [each for each in sys.modules if each.startswith("scheduler.diffusers.loading")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "diffusers", None)
    (tmp_path / "prompts.txt").write_text("a fox\n", encoding="utf-8")
    own = {
        "distill": ["--prompts", str(tmp_path / "prompts.txt")],
        "draw": ["--prompt", "a fox", "--stock"],
    }[command]
    words = [command, "--pipeline", str(tmp_path), *own, "-o", str(tmp_path / "made")]
    assert cli.main(words) == 1
    said = capsys.readouterr().err
    assert "pip install diffusers transformers accelerate" in said and "Traceback" not in said


def test_a_pipeline_needs_its_prompts_and_no_other_model(capsys, tmp_path):
    from scheduler import cli

    words = ["distill", "--pipeline", str(tmp_path), "-o", str(tmp_path / "made")]
    assert cli.main(words) == 1 and "--prompts" in capsys.readouterr().err
    assert cli.main([*words, "--denoiser", "a:b"]) == 1
    assert "leave the checkpoint" in capsys.readouterr().err
