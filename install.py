"""Sets StepDistill up, and runs it.

    python install.py --demo [options of the demo]     the main job, on the bundled checkpoint
    python install.py --test [options of pytest]       the test-suite
    python install.py                                  the install hook of ComfyUI and of the WebUIs

The first two need Python 3.10 or newer and pip, nothing else. Where this Python has torch, it is
used, and only small packages that are missing are added to it; otherwise .venv is made in this
folder, with torch in it, and used again the next time. torch itself is never touched where there is
one. `--torch SPEC`, after --demo or --test, or the environment variable STEPDISTILL_TORCH says what
pip is to install instead of the pinned torch; pip's own variables, such as PIP_EXTRA_INDEX_URL, do
what they always do.
"""

import sys

if sys.version_info < (3, 10):  # noqa: UP036 - this file must say so itself; it has no syntax that Python 3.6 lacks
    sys.exit(
        "StepDistill needs Python 3.10 or newer, this is Python {}.{}: start install.py with a "
        "newer one.".format(*sys.version_info)
    )

import os
from importlib.machinery import PathFinder

ROOT = os.path.dirname(os.path.abspath(__file__))
VENV = os.path.join(ROOT, ".venv")
STAMP = os.path.join(VENV, "stepdistill-stamp.txt")

TORCH = "torch==2.13.0"
OLDEST_TORCH = (2, 1)
# The same lists as pyproject.toml's. What is imported under another name than it is installed by
# stands in MODULES.
HOST_NEEDS = ["numpy>=1.26", "safetensors>=0.4"]
DEMO_NEEDS = HOST_NEEDS + ["matplotlib>=3.8", "tqdm>=4.66"]
TEST_NEEDS = DEMO_NEEDS + [
    "scikit-learn>=1.4",
    "pytest>=8.0",
    "hypothesis>=6.100",
    "comfyui-workflow-templates-json>=0.1.123",
    "pytest-timeout>=2.3",
    "setuptools>=77",
    "jsonschema>=4.18",
    "cryptography>=42",
    "tomli>=2",
]
MODULES = {
    "scikit-learn": "sklearn",
    "comfyui-workflow-templates-json": "comfyui_workflow_templates_json",
    "pytest-timeout": "pytest_timeout",
}
STOPPED = 130  # the shells' exit code for Ctrl-C
PATIENCE = 8  # seconds that a child may take to finish after Ctrl-C
# The folder comes first on the path by hand: a host's embedded Python heeds neither PYTHONPATH nor
# the folder it is started in.
DEMO = """import runpy, sys
sys.path.insert(0, sys.argv.pop(1))
sys.argv.insert(1, "demo")
runpy.run_module("scheduler", run_name="__main__", alter_sys=True)"""


class SetupError(Exception):
    """What went wrong, in a sentence for the user."""


def main(arguments: list) -> int:
    """Do what the command line asks; returns the exit code."""
    if not arguments:
        return hook()
    mode, rest = arguments[0], arguments[1:]
    if mode not in ("--demo", "--test"):
        print(__doc__)
        return 0 if mode in ("-h", "--help") else 2
    try:
        torch, rest = _asked_torch(rest)
        python = prepared_python(DEMO_NEEDS if mode == "--demo" else TEST_NEEDS, torch)
        return (
            run([python, "-c", DEMO, ROOT, *rest])
            if mode == "--demo"
            else run([python, "-m", "pytest", *rest], cwd=ROOT)
        )
    except SetupError as problem:
        print(f"StepDistill: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return STOPPED


def hook() -> int:
    """The hosts' install hook: silent and quick unless something is missing; returns the exit code."""
    if _find("torch") is None:  # no host lives in this Python: somebody tries the command by hand
        print(__doc__)
        return 0
    missing = [need for need in HOST_NEEDS if _find(_module(need)) is None]
    if not missing:
        return 0
    try:
        import launch  # A1111, Forge and reForge: theirs prints and logs in the host's own way
    except (Exception, SystemExit):
        launch = None
    for need in missing:
        if hasattr(launch, "run_pip"):
            launch.run_pip(f'install "{need}"', f"{need} for StepDistill")
        elif pip(sys.executable, [need]):
            return 1
    return 0


def prepared_python(needs: list, torch: str = "") -> str:
    """The path of a Python that has torch and the needs, after installing what it lacks; raises SetupError.

    `torch` is what the user wants pip to install in .venv; empty: what is there already, or the pinned one.
    """
    if _find("torch") is None:
        return _prepare_venv(needs, torch)
    if _version("torch") < OLDEST_TORCH:
        say("this Python's torch is older than {}.{} and is left as it is.".format(*OLDEST_TORCH))
        return _prepare_venv(needs, torch)
    if torch:
        say("this Python has torch, so the one that was asked for is not installed.")
    missing = [need for need in needs if not _has(need)]
    if missing and (_is_managed() or _find("pip") is None):
        say(
            "this Python has torch but may not be changed, so what is missing goes into .venv, "
            "put on top of it."
        )
        return _prepare_venv(needs, torch, on_top=True)
    if missing:
        say(
            f"this Python has torch {_text_version('torch')}, which is used as it is; adding "
            f"{', '.join(missing)} to {sys.prefix}"
        )
        _install(sys.executable, missing)
    return sys.executable


def _prepare_venv(needs: list, torch: str, on_top: bool = False) -> str:
    python = os.path.join(
        VENV, *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python"))
    )
    if not os.path.exists(python):
        _make_venv(on_top)
    done = _stamps()
    # A torch that is there stays, whatever the pin says by now, unless the user names another.
    has_torch = (
        f"torch {torch}" in done if torch else any(stamp.startswith("torch ") for stamp in done)
    )
    if not has_torch and not (on_top and _shares_packages()):
        _install_once(python, [torch or TORCH], [f"torch {torch or TORCH}"])
    missing = [need for need in needs if need not in done]
    if missing:
        _install_once(python, missing, missing)
    return python


def _make_venv(on_top: bool) -> None:
    if os.path.exists(VENV) and not os.path.exists(os.path.join(VENV, "pyvenv.cfg")):
        raise SetupError(
            f"{VENV} exists and is no virtual environment; move it away and start again."
        )
    say(
        f"making {VENV}"
        + ("" if on_top else ", for there is no torch in this Python that could be used")
    )
    code = run(
        [
            sys.executable,
            "-m",
            "venv",
            "--clear",
            *(["--system-site-packages"] if on_top else []),
            VENV,
        ]
    )
    _demand(
        code,
        "no virtual environment could be made; install Python's venv module (on Debian: "
        "python3-venv) and start again.",
    )


def _install_once(python: str, needs: list, stamps: list) -> None:
    if run(
        [python, "-c", "import pip"], stderr=-3
    ):  # subprocess.DEVNULL; a stopped start can leave .venv without pip
        run([python, "-m", "ensurepip"])
    say(f"installing {', '.join(needs)} into {VENV} (the first time only)")
    if stamps[0].startswith("torch ") and sys.platform == "linux" and not _has_nvidia():
        say(
            "there is no NVIDIA card here, yet pip's usual torch for Linux brings gigabytes for "
            "one; if you would rather have"
        )
        say(
            "PyTorch's small CPU build, name it by --torch or its index by PIP_EXTRA_INDEX_URL "
            "(Ctrl-C is safe)."
        )
    _install(python, [word for need in needs for word in _words(need)])
    with open(STAMP, "a", encoding="utf-8") as file:
        file.writelines(stamp + "\n" for stamp in stamps)


def _install(python: str, words: list) -> None:
    _demand(
        pip(python, words),
        f"pip could not install {' '.join(words)}; its own lines above say why. "
        "What is there is used again next time.",
    )


def _demand(code: int, message: str) -> None:
    if code == STOPPED:
        raise KeyboardInterrupt
    if code:
        raise SetupError(message)


def pip(python: str, words: list) -> int:
    """Run pip's install, quietly unless someone watches; returns its exit code."""
    manner = [] if sys.stdout.isatty() else ["--quiet", "--progress-bar", "off"]
    return run([python, "-m", "pip", "install", "--disable-pip-version-check", *manner, *words])


def run(command: list, **options) -> int:
    """Run a child to its end; returns its exit code, or 130 after Ctrl-C, which a terminal sends to
    the child as well."""
    import signal
    import subprocess

    sys.stdout.flush()
    stopped, process = False, subprocess.Popen(command, **options)
    # A child that was not told (the signal came to this process alone), or does not listen, is told
    # more and more firmly.
    means = iter(
        [
            process.terminate if os.name == "nt" else lambda: process.send_signal(signal.SIGINT),
            process.terminate,
        ]
    )
    while True:
        try:
            code = process.wait(PATIENCE if stopped else None)
            return (
                STOPPED if stopped or code == -signal.SIGINT else code if code >= 0 else 128 - code
            )
        except KeyboardInterrupt:
            stopped = True
        except subprocess.TimeoutExpired:
            next(means, process.kill)()


def say(sentence: str) -> None:
    """Tell the user what is being done."""
    print(f"StepDistill: {sentence}", flush=True)


def _asked_torch(arguments: list) -> tuple:
    if arguments[:1] != ["--torch"]:
        return os.environ.get("STEPDISTILL_TORCH", ""), arguments
    if len(arguments) < 2:
        raise SetupError('--torch needs what pip is to install, such as --torch "torch==2.12.0".')
    return arguments[1], arguments[2:]


def _words(need: str) -> list:
    return (
        [need] if os.path.exists(need) else need.split()
    )  # a wheel's path may hold spaces; pip's options follow a blank


def _stamps() -> set:
    """What was installed into .venv, a line each; "torch" and what pip was asked for, for torch."""
    try:
        with open(STAMP, encoding="utf-8") as file:
            return set(file.read().splitlines())
    except OSError:
        return set()


def _shares_packages() -> bool:
    try:
        with open(os.path.join(VENV, "pyvenv.cfg"), encoding="utf-8") as file:
            return "include-system-site-packages = true" in file.read()
    except OSError:
        return False


def _has_nvidia() -> bool:
    import shutil

    return os.path.exists("/proc/driver/nvidia") or shutil.which("nvidia-smi") is not None


def _is_managed() -> bool:
    """Whether the system's package manager owns this Python (PEP 668)."""
    import sysconfig

    return sys.prefix == sys.base_prefix and os.path.exists(
        os.path.join(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED")
    )


def _find(module: str):
    found = PathFinder.find_spec(
        module
    )  # quick; the other knows of more places, and takes longer to import than the hook should last
    if found is None:
        from importlib.util import find_spec

        found = find_spec(module)
    return found


def _module(need: str) -> str:
    name = need.partition(">=")[0]
    return MODULES.get(name, name)


def _has(need: str) -> bool:
    name, _, least = need.partition(">=")
    return _find(_module(need)) is not None and _version(name) >= _numbers(least)


def _version(name: str) -> tuple:
    return _numbers(_text_version(name))


def _text_version(name: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:  # importable without being installed: from a source folder, say
        return "999"


def _numbers(version: str) -> tuple:
    import re

    return tuple(int(number) for number in re.findall(r"\d+", version.partition("+")[0])[:3])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
