"""What README and docs print runs as printed: shell blocks in a fresh folder and environment; and the
commands that stand in sentences are understood."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scheduler.cli.commands import parser

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.S | re.M)
INLINE = re.compile(r"`(python -m scheduler [^`]*)`")
COMMANDS = ("python ", "pip ", "echo ")
# What is not run here, and why.
INSTALLS = ("python install.py",)  # tests/test_install.py, and .ci/run itself
NEEDED = {"--pipeline": "diffusers", "scheduler.diffusers": "diffusers", "--ray": "ray"}


def blocks(page: Path) -> list[tuple[str, str]]:
    """(language, text) of a page's fenced blocks."""
    return FENCED.findall(page.read_text("utf-8"))


def is_shell(language: str, text: str) -> bool:
    """Whether a block is commands alone."""
    return not language and all(line.startswith(COMMANDS) for line in text.splitlines())


def runnable() -> list:
    """Every shell block, in its page's order, with the files that the page shows before it."""
    found = []
    for page in PAGES:
        files: dict[str, str] = {}
        for language, text in blocks(page):
            named = re.match(r"# (\S+\.toml)\n", text)
            if named:
                files[named[1]] = text
            if is_shell(language, text) and not text.startswith(INSTALLS):
                name = f"{page.name}:{text.split()[3]}"
                found.append(pytest.param(text, dict(files), id=name))
    return found


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
@pytest.mark.parametrize(("text", "files"), runnable())
def test_shell_blocks_run_as_printed(text, files, tmp_path):
    for sign, package in NEEDED.items():
        if sign in text and importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    for name, content in files.items():
        (tmp_path / name).write_text(content, "utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("pip ")]
    script = "\n".join(["set -e", *lines])
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=fresh(tmp_path), capture_output=True, text=True
    )
    assert done.returncode == 0, f"{text}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    assert "Traceback" not in done.stderr


def fresh(folder: Path) -> dict[str, str]:
    """An environment that knows nothing of this machine's user, in which `python` is this one."""
    programs = folder / "bin"
    programs.mkdir()
    python = programs / "python"
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n', "utf-8")
    python.chmod(0o755)
    kept = {
        name: os.environ[name]
        for name in ("LANG", "TMPDIR", "OMP_NUM_THREADS")
        if name in os.environ
    }
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    return kept | {"PATH": path, "HOME": str(folder), "PYTHONPATH": str(ROOT)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_sentences_are_understood(page):
    known = parser()
    for command in INLINE.findall(page.read_text("utf-8")):
        words = shlex.split(command.replace("\n", " ").partition(" > ")[0])[3:]
        if "..." in words or len(words) < 2:
            continue
        try:
            known.parse_args(words)
        except SystemExit:
            pytest.fail(f"{page.name} prints what is not understood: {command}")


def test_plans_that_are_printed_are_plans():
    from scheduler.library.plan import parse_plan

    shown = [text for page in PAGES for language, text in blocks(page) if language == "toml"]
    assert len(shown) == 2
    for text in shown:
        assert parse_plan(
            text.replace('"prompts.txt"', '["a fox"]').encode(), ROOT / "plan.toml"
        ).models


def test_every_key_of_a_plan_is_in_the_docs():
    from dataclasses import fields

    from scheduler.library.plan import ModelPlan, Plan

    text = (ROOT / "docs" / "library.md").read_text("utf-8")
    names = {field.name for kind in (ModelPlan, Plan) for field in fields(kind)} - {"models"}
    assert not [name for name in names if f"`{name}`" not in text]
