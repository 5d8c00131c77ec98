"""install.py: the hosts' hook, the set-up that the README's two commands share, and how a child's
end is passed on. No network."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parent.parent
INSTALL = ROOT / "install.py"


@pytest.fixture
def install(tmp_path, monkeypatch):
    """install.py as a module; its .venv would lie in a temporary folder with a blank in its name,
    its children are noted, not run."""
    spec = spec_from_file_location("stepdistill_install", INSTALL)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    venv = tmp_path / "a folder" / ".venv"
    monkeypatch.setattr(module, "VENV", str(venv))
    monkeypatch.setattr(module, "STAMP", str(venv / "stepdistill-stamp.txt"))
    monkeypatch.delenv("STEPDISTILL_TORCH", raising=False)
    module.commands = []
    monkeypatch.setattr(module, "run", lambda command, **options: pretend(module, command))
    return module


def pretend(module, command):
    """Note a command; make the files that `python -m venv` would."""
    module.commands.append(command)
    if command[1:3] == ["-m", "venv"]:
        python = venv_python(module)
        os.makedirs(os.path.dirname(python))
        open(python, "w").close()
        shared = "--system-site-packages" in command
        with open(os.path.join(module.VENV, "pyvenv.cfg"), "w") as file:
            file.write(f"include-system-site-packages = {str(shared).lower()}\n")
    return module.returns if hasattr(module, "returns") else 0


def venv_python(module) -> str:
    return os.path.join(
        module.VENV, *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python"))
    )


def has(monkeypatch, install, *modules, versions=None):
    """Pretend that this Python has just these modules."""
    monkeypatch.setattr(
        install, "_find", lambda name: SimpleNamespace() if name in modules else None
    )
    monkeypatch.setattr(install, "_text_version", lambda name: (versions or {}).get(name, "99"))


def pip_lines(install) -> list:
    return [
        command[0:1] + command[4:]
        for command in install.commands
        if command[1:4] == ["-m", "pip", "install"]
    ]


# --- the hosts' hook
# ------------------------------------------------------------------------------------------------


def test_hook_is_silent_and_imports_nothing_heavy(tmp_path):
    for name in ("torch", "numpy", "safetensors", "launch"):
        (tmp_path / f"{name}.py").write_text("raise AssertionError('imported')")
    code = f"""import sys, runpy
sys.argv = ["install.py"]
try:
    runpy.run_path({str(INSTALL)!r}, run_name="__main__")
except SystemExit as end:
    heavy = [name for name in ("torch", "numpy", "subprocess", "argparse", "launch") if name in sys.modules]
    print(end.code, heavy)"""
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment
    )
    assert (done.stdout.strip(), done.stderr) == ("0 []", "")


def test_hook_installs_what_is_missing_but_never_torch(install, monkeypatch):
    has(monkeypatch, install, "torch", "numpy")
    monkeypatch.setitem(sys.modules, "launch", None)
    assert install.hook() == 0
    assert [line[-1] for line in pip_lines(install)] == ["safetensors>=0.4"] and pip_lines(install)[
        0
    ][0] == sys.executable
    assert not any("torch" in need for need in install.HOST_NEEDS)


def test_hook_goes_through_the_hosts_own_pip(install, monkeypatch):
    calls = []
    has(monkeypatch, install, "torch", "numpy")
    monkeypatch.setitem(
        sys.modules, "launch", SimpleNamespace(run_pip=lambda *words: calls.append(words))
    )
    assert install.hook() == 0 and install.commands == []
    assert calls == [('install "safetensors>=0.4"', "safetensors>=0.4 for StepDistill")]


def test_hook_passes_a_failure_on(install, monkeypatch):
    has(monkeypatch, install, "torch")
    monkeypatch.setitem(sys.modules, "launch", None)
    install.returns = 1
    assert install.hook() == 1


def test_by_hand_without_torch_it_explains_itself(install, monkeypatch, capsys):
    has(monkeypatch, install)
    assert install.main([]) == 0 and install.commands == []
    assert "--demo" in capsys.readouterr().out


# --- setting up -----------------------------------------------------------------------------------
# ------------------


def test_complete_python_is_used_as_it_is(install, monkeypatch):
    has(monkeypatch, install, "torch", "numpy", "safetensors", "matplotlib", "tqdm")
    assert install.prepared_python(install.DEMO_NEEDS) == sys.executable and install.commands == []


@pytest.mark.parametrize("versions", [None, {"tqdm": "4.2"}])
def test_small_needs_are_added_to_a_python_with_torch(install, monkeypatch, versions, capsys):
    has(
        monkeypatch,
        install,
        "torch",
        "numpy",
        "safetensors",
        "matplotlib",
        "pip",
        *(["tqdm"] if versions else []),
        versions=versions,
    )
    monkeypatch.setattr(install, "_is_managed", lambda: False)
    assert install.prepared_python(install.DEMO_NEEDS) == sys.executable
    assert [line[-1] for line in pip_lines(install)] == ["tqdm>=4.66"]
    assert "tqdm" in capsys.readouterr().out


def test_managed_python_gets_a_venv_on_top(install, monkeypatch):
    has(monkeypatch, install, "torch", "numpy", "pip")
    monkeypatch.setattr(install, "_is_managed", lambda: True)
    assert install.prepared_python(install.DEMO_NEEDS) == venv_python(install)
    assert "--system-site-packages" in install.commands[0]
    assert not any(word.startswith("torch") for line in pip_lines(install) for word in line)


@pytest.mark.parametrize("modules", [(), ("torch",)])
def test_without_a_usable_torch_a_venv_is_made_once(install, monkeypatch, modules):
    has(monkeypatch, install, *modules, versions={"torch": "1.13.1+cu117"})
    assert install.prepared_python(install.DEMO_NEEDS) == venv_python(install)
    installed = [line[-1] for line in pip_lines(install)]
    assert installed == [install.TORCH, install.DEMO_NEEDS[-1]] and pip_lines(install)[0][
        0
    ] == venv_python(install)
    install.commands.clear()
    assert (
        install.prepared_python(install.DEMO_NEEDS) == venv_python(install)
        and install.commands == []
    )
    install.prepared_python(install.TEST_NEEDS)
    assert [line[-1] for line in pip_lines(install)] == [install.TEST_NEEDS[-1]], (
        "torch is there already"
    )


def test_another_torch_on_request_stays(install, monkeypatch):
    has(monkeypatch, install)
    assert install.main(["--demo", "--torch", "torch==2.9.0 --index-url somewhere"]) == 0
    assert pip_lines(install)[0][-3:] == ["torch==2.9.0", "--index-url", "somewhere"]
    install.commands.clear()
    install.main(["--demo"])
    assert pip_lines(install) == []
    monkeypatch.setenv("STEPDISTILL_TORCH", "torch==2.10.0")
    install.main(["--demo"])
    assert [line[-1] for line in pip_lines(install)] == ["torch==2.10.0"]


def test_interrupted_install_is_taken_up_again(install, monkeypatch):
    has(monkeypatch, install)
    install.prepared_python(install.DEMO_NEEDS)
    install.commands.clear()
    with open(install.STAMP, "r+") as file:  # as if the second pip had been stopped
        first = file.readline()
        file.seek(0)
        file.truncate()
        file.write(first)
    install.prepared_python(install.DEMO_NEEDS)
    assert [line[-1] for line in pip_lines(install)] == [install.DEMO_NEEDS[-1]]


@pytest.mark.parametrize(("code", "exit_code"), [(1, 1), (130, 130)])
def test_failing_pip_leaves_no_stamp(install, monkeypatch, capsys, code, exit_code):
    has(monkeypatch, install)
    os.makedirs(os.path.dirname(venv_python(install)))
    open(venv_python(install), "w").close()
    install.returns = code
    assert install.main(["--test"]) == exit_code
    assert not os.path.exists(install.STAMP)
    assert ("pip could not install torch==" in capsys.readouterr().err) == (code == 1)


def test_a_folder_named_venv_that_is_none_is_left_alone(install, monkeypatch, capsys):
    has(monkeypatch, install)
    os.makedirs(install.VENV)
    assert install.main(["--demo"]) == 1 and install.commands == []
    assert "is no virtual environment" in capsys.readouterr().err


def test_no_venv_module(install, monkeypatch, capsys):
    has(monkeypatch, install)
    install.returns = 1
    assert install.main(["--demo"]) == 1
    assert "python3-venv" in capsys.readouterr().err


def test_what_is_run_in_the_end(install, monkeypatch):
    monkeypatch.setattr(install, "prepared_python", lambda needs, torch: "py")
    install.main(["--demo", "--steps", "6"])
    install.main(["--test", "-k", "record"])
    assert install.commands == [
        ["py", "-c", install.DEMO, install.ROOT, "--steps", "6"],
        ["py", "-m", "pytest", "-k", "record"],
    ]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--help"], 0), (["--wrong"], 2), (["demo"], 2), (["--demo", "--torch"], 1)],
)
def test_usage(install, arguments, code):
    assert install.main(arguments) == code and install.commands == []


# --- running --------------------------------------------------------------------------------------
# ------------------


def test_the_demo_is_ours_wherever_it_is_started(tmp_path):
    """A folder named scheduler where the user stands must not be run in the place of ours."""
    spec = spec_from_file_location("stepdistill_install", INSTALL)
    install = module_from_spec(spec)
    spec.loader.exec_module(install)
    theirs, ours = tmp_path / "here" / "scheduler", tmp_path / "our checkout" / "scheduler"
    for folder in (theirs, ours):
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text("")
    (theirs / "__main__.py").write_text("raise SystemExit(9)")
    (ours / "__main__.py").write_text(
        "import os, sys; from . import __name__ as n; print(n, sys.argv[1:], os.getcwd()); sys.exit(5)"
    )
    command = [sys.executable, "-c", install.DEMO, str(ours.parent), "--out", "x"]
    done = subprocess.run(command, cwd=theirs.parent, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (5, "")
    assert done.stdout.strip() == f"scheduler ['demo', '--out', 'x'] {theirs.parent}"


@pytest.mark.parametrize("code", [0, 3])
def test_exit_code_is_passed_on(code):
    done = subprocess.run([sys.executable, "-c", runner(f"import sys; sys.exit({code})")], cwd=ROOT)
    assert done.returncode == code


CLEAN = """\
import time
print('up', flush=True)
try: time.sleep(60)
except KeyboardInterrupt: print('saved', flush=True)"""
DEAF = """\
import signal, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
print('up', flush=True)
time.sleep(60)"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent as a POSIX signal here")
@pytest.mark.parametrize(
    ("child", "whole_group", "last"),
    [(CLEAN, True, "saved"), (CLEAN, False, "saved"), (DEAF, True, "up")],
)
def test_ctrl_c(child, whole_group, last):
    """The child gets it from the terminal, or else from us; no traceback; 130."""
    process = subprocess.Popen(
        [sys.executable, "-c", runner(child)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout.readline() == "up\n"
    time.sleep(0.1)
    (os.killpg if whole_group else os.kill)(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130 and err == "" and (out.split() or ["up"])[-1] == last


def runner(child: str) -> str:
    # A suite started in the background hands SIGINT down as ignored, and children inherit that.
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    patience = "import sys, install; install.PATIENCE = 0.3"
    return f"{heed}; {patience}; sys.exit(install.run([sys.executable, '-c', {child!r}]))"


# --- the lists ------------------------------------------------------------------------------------
# ------------------


def test_the_lists_are_pyprojects(install):
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 cannot read TOML")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    assert install.HOST_NEEDS == project["dependencies"] and extras["torch"] == [install.TORCH]
    assert (
        install.DEMO_NEEDS == install.HOST_NEEDS + extras["demo"]
        and install.TEST_NEEDS == install.HOST_NEEDS + extras["test"]
    )


def test_older_pythons_can_read_the_file_as_far_as_the_message():
    ast.parse(INSTALL.read_text(encoding="utf-8"), feature_version=(3, 6))


def test_the_packs_door_opens_without_a_host(monkeypatch):
    spec = spec_from_file_location("stepdistill_door", ROOT / "__init__.py")
    door = module_from_spec(spec)
    monkeypatch.setitem(
        sys.modules, "stepdistill_door", door
    )  # as ComfyUI does before it runs a pack
    spec.loader.exec_module(door)
    assert door.NODE_CLASS_MAPPINGS and (
        door.NODE_CLASS_MAPPINGS.keys() == door.NODE_DISPLAY_NAME_MAPPINGS.keys()
    )
    assert (ROOT / door.WEB_DIRECTORY).is_dir()
