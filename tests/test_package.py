"""An installed copy: the package `stepdistill` and a command of that name, and nothing called `scheduler`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCHEDULER = ROOT / "scheduler"
SHIPPED = ("scheduler", "setup.py", "pyproject.toml", "README.md", "LICENSE")


def run(*command, cwd, code=0) -> str:
    """A command's output; the checkout is not on its path."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel, built from a copy so that the checkout's own `build/` has no say."""
    pytest.importorskip("setuptools", minversion="77", reason="setuptools 77 builds the wheel")
    pytest.importorskip("pip", reason="pip builds the wheel")
    source = tmp_path_factory.mktemp("source")
    for name in SHIPPED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    build = ("-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation")
    run(sys.executable, *build, "-w", source / "dist", ".", cwd=source)
    (found,) = (source / "dist").iterdir()
    return found


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The folder of programs of a new environment that holds the wheel.

    Over this Python's torch and numpy.
    """
    home = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "venv", "--without-pip", home / "venv", cwd=home)
    programs = home / "venv" / ("Scripts" if os.name == "nt" else "bin")
    paths = sysconfig.get_paths(vars={"base": str(home / "venv"), "platbase": str(home / "venv")})
    (Path(paths["purelib"]) / "below.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python = programs / ("python.exe" if os.name == "nt" else "python")
    install = ("-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index")
    run(sys.executable, *install, wheel, cwd=home)
    return programs


def ask(installed, code: str, tmp_path) -> str:
    return run(installed / "python", "-c", code, cwd=tmp_path).strip()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_wheel_holds_one_package_and_all_of_its_data(wheel):
    import zipfile

    names = set(zipfile.ZipFile(wheel).namelist())
    tops = {name.split("/")[0].partition("-")[0] for name in names}
    assert tops == {"stepdistill"}
    kept = {".py", ".json", ".safetensors"}
    wanted = {
        f"stepdistill/{path.relative_to(SCHEDULER).as_posix()}"
        for path in SCHEDULER.rglob("*")
        if path.suffix in kept
    }
    assert wanted <= names


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_an_installed_copy_is_stepdistill_and_no_scheduler(installed, tmp_path):
    assert ask(installed, "import stepdistill as s; print(s.distill.__module__)", tmp_path) == (
        "stepdistill.distilling.run"
    )
    found = "import importlib.util as u; print(u.find_spec('scheduler'), u.find_spec('install'))"
    assert ask(installed, found, tmp_path) == "None None"
    version = (
        "from importlib.metadata import version as v; import stepdistill as s; "
        "print(v('stepdistill') == s.__version__)"
    )
    assert ask(installed, version, tmp_path) == "True"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_command_distils_and_names_itself(installed, tmp_path):
    command = installed / "stepdistill"
    text = run(command, "--help", cwd=tmp_path)
    assert "usage: stepdistill" in text and "stepdistill distill flow" in text
    assert "python -m" not in text
    assert "usage: python -m stepdistill" in run(
        installed / "python", "-m", "stepdistill", "--help", cwd=tmp_path
    )
    small = ("--steps", "4", "--samplers", "euler", "--budget", "400", "--evidence-budget", "0")
    run(command, "distill", "flow", *small, "-o", "flow.json", cwd=tmp_path)
    assert "euler" in run(command, "show", "flow.json", cwd=tmp_path)
    load = (
        "from stepdistill import load_record as l; print(l('flow.json').recipe('euler', 4).steps)"
    )
    assert ask(installed, load, tmp_path) == "4"


def test_every_folder_of_modules_is_a_package():
    """A folder without __init__.py would be left out of a wheel."""
    folders = {path.parent for path in SCHEDULER.rglob("*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


@pytest.mark.parametrize(
    ("started", "named"),
    [
        ("/usr/bin/stepdistill", "stepdistill"),
        ("stepdistill.exe", "stepdistill"),
        ("scheduler/__main__.py", "python -m scheduler"),
        ("", "python -m scheduler"),
    ],
)
def test_help_says_what_was_typed(monkeypatch, capsys, started, named):
    from scheduler.cli import main

    monkeypatch.setattr(sys, "argv", [started])
    for words in (["--help"], ["bake", "--help"]):
        with pytest.raises(SystemExit):
            main(words)
        text = capsys.readouterr().out
        assert f"usage: {named}" in text and f"  {named} bake my.json" in text
        assert text.count("python -m scheduler") in (0, text.count(named))


def test_dir_of_the_package_lists_what_is_public():
    import scheduler

    listed = dir(scheduler)
    assert listed == sorted(scheduler.__all__) and "distill" in listed
    assert scheduler.load_record and dir(scheduler) == listed  # whatever is loaded since
