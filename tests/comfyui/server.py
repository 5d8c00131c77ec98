"""The real ComfyUI server for tests: any checkout, a folder of its own.

With this pack and the test pack in custom_nodes.

How to use it by hand (with the Python that ComfyUI's requirements are installed for):

    # prints the address, runs until Ctrl-C
    python tests/comfyui/server.py /path/to/ComfyUI
    # the same folder every time: the store and outputs stay
    python tests/comfyui/server.py /path/to/ComfyUI --keep /tmp/base

or in Python, from the repository's root:

    from tests.comfyui.client import Graph
    from tests.comfyui.server import Server
    # 7-10 s; server.client, server.base (its folder), server.log() (what it printed)
    with Server("/path/to/ComfyUI") as server:
        g = Graph()
        model = g.add("UNETLoader", unet_name="flow.safetensors", weight_dtype="default")
        # flow: (16, 8, 8); eps: EmptyLatentImage, (4, 8, 8)
        latent = g.add("EmptySD3LatentImage", width=64, height=64, batch_size=2)
        yes = g.add("TestDigits", digits="3, 7")
        no = g.add("TestDigits", digits="-1")
        drawn = g.add("KSampler", model=model, positive=yes, negative=no, latent_image=latent,
                      seed=1, steps=6, cfg=3.0, sampler_name="euler", scheduler="distilled",
                      denoise=1.0)
        g.add("TestSave", name="drawn", samples=drawn)
        # raises Refused (bad prompt) or Failed (a node's error, with its message)
        result = server.client.run(g)
        latents = server.array("drawn.samples")     # numpy

As tests: COMFYUI_PATH=/path/to/ComfyUI python -m pytest tests/comfyui. The server dies with the
process that started it, however that ends: it watches its standard input. pack/__init__.py lists
the test nodes. COMFYUI_PYTHON names another Python for the server.
"""

from __future__ import annotations

import argparse
import atexit
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PACKS = {"comfyui-stepdistill": ROOT, "stepdistill-test-pack": HERE / "pack"}
CHECKPOINTS = ROOT / "scheduler" / "checkpoints"
ARGUMENTS = "--cpu --listen 127.0.0.1 --disable-auto-launch --disable-api-nodes --database-url sqlite:///:memory:".split()
BOOT_SECONDS = 120


class Server:
    """ComfyUI on a free port, from `start` (or `with`) to `stop`.

    checkout: ComfyUI's folder. base: its working folder, kept; None: a temporary one, removed at
    the end. pack: False leaves StepDistill out (a plain ComfyUI). packs: more folders for
    custom_nodes, name -> path. arguments: more of ComfyUI's own.
    """

    def __init__(
        self,
        checkout: str | Path,
        base: str | Path | None = None,
        pack: bool = True,
        packs: dict | None = None,
        arguments=(),
    ):
        self.checkout, self._given = Path(checkout).resolve(), base
        packs = PACKS | (packs or {})
        self.packs = packs if pack else {name: path for name, path in packs.items() if path != ROOT}
        self.arguments = list(arguments)
        self.base = self.process = self.client = None

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(self, *_) -> None:
        self.stop()

    @property
    def version(self) -> tuple[int, ...]:
        """The checkout's version, such as (0, 3, 64)."""
        return version(self.checkout)

    @property
    def output(self) -> Path:
        """The folder that output nodes write to."""
        return self.base / "output"

    @property
    def store(self) -> Path:
        """The folder of StepDistill's store in this server."""
        return self.base / "user" / "default" / "stepdistill"

    def start(self) -> Server:
        """Start and wait until it answers; RuntimeError with the end of its log where it does not."""
        from tests.comfyui.client import Client

        self.base = Path(self._given or tempfile.mkdtemp(prefix="stepdistill-comfyui-")).resolve()
        atexit.register(self.stop)
        furnish(self.base, self.packs)
        port = free_port()
        command = [
            os.environ.get("COMFYUI_PYTHON") or sys.executable,
            str(HERE / "launcher.py"),
            str(self.checkout / "main.py"),
        ]
        command += [
            *ARGUMENTS,
            "--port",
            str(port),
            "--base-directory",
            str(self.base),
            *self.arguments,
        ]
        with open(self.base / "log.txt", "wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.checkout,
                env=environment(),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.client = Client(f"127.0.0.1:{port}")
        self._await_answer()
        return self

    def stop(self) -> None:
        """Stop the server, at once, and remove its temporary folder; safe to call twice."""
        atexit.unregister(self.stop)
        if self.process is not None:
            self.process.stdin.close()
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None
        if self.base is not None and self._given is None:
            shutil.rmtree(self.base, ignore_errors=True)

    def log(self) -> str:
        """What the server has printed so far."""
        return (self.base / "log.txt").read_text(encoding="utf-8", errors="replace")

    def array(self, name: str) -> np.ndarray:
        """What TestSave wrote: "<name>.samples" or "<name>.sigmas"."""
        return np.load(self.output / f"{name}.npy")

    def runs(self, name: str) -> list[dict]:
        """What TestRecorder wrote under this name: of each sampling run the sampler's name, the
        sigmas given to it, those asked."""
        return [
            json.loads(line) for line in (self.output / f"{name}.jsonl").read_text().splitlines()
        ]

    def _await_answer(self) -> None:
        from tests.speed import scaled

        end = time.monotonic() + scaled(BOOT_SECONDS)
        while time.monotonic() < end and self.process.poll() is None:
            try:
                self.client.get("/system_stats")
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        tail = self.log()[-4000:]
        self.stop()
        raise RuntimeError(f"ComfyUI did not start. The end of its log:\n{tail}")


def version(checkout: str | Path) -> tuple[int, ...]:
    """The version of a checkout, read from its file."""
    text = (Path(checkout) / "comfyui_version.py").read_text(encoding="utf-8")
    return tuple(
        int(part) for part in re.search(r'__version__ = "([\d.]+)', text)[1].strip(".").split(".")
    )


def furnish(base: Path, packs: dict[str, Path]) -> None:
    """Folders, the bundled checkpoints as models, and the packs in custom_nodes."""
    for folder in (
        "user",
        "custom_nodes",
        "input",
        "output",
        "models/checkpoints",
        "models/diffusion_models",
        "models/loras",
    ):
        (base / folder).mkdir(parents=True, exist_ok=True)
    for name in ("flow", "eps"):
        for folder in ("checkpoints", "diffusion_models"):
            _place(
                CHECKPOINTS / f"{name}.safetensors",
                base / "models" / folder / f"{name}.safetensors",
            )
    for name, path in packs.items():
        _place(Path(path), base / "custom_nodes" / name)


def _place(source: Path, target: Path) -> None:
    """A link, or a copy where the system makes no links for plain users."""
    if os.path.lexists(target):
        return
    try:
        target.symlink_to(source, target_is_directory=source.is_dir())
    except OSError:
        hidden = shutil.ignore_patterns(".*", "__pycache__")
        shutil.copytree(source, target, ignore=hidden) if source.is_dir() else shutil.copy(
            source, target
        )


def environment() -> dict[str, str]:
    """One thread, no store but the server's own, and the way to the repository for the test pack."""
    own = {
        "OMP_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "STEPDISTILL_TEST_ROOT": str(ROOT),
    }
    return {name: value for name, value in os.environ.items() if name != "STEPDISTILL_STORE"} | own


def free_port() -> int:
    """A port that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main() -> None:
    """Run a server by hand until Ctrl-C."""
    parser = argparse.ArgumentParser(
        description="Runs ComfyUI with StepDistill and the test pack until Ctrl-C."
    )
    parser.add_argument("checkout", help="ComfyUI's folder")
    parser.add_argument(
        "--keep",
        metavar="FOLDER",
        help="work in this folder and leave it (default: a temporary one)",
    )
    options, more = parser.parse_known_args()
    with Server(options.checkout, options.keep, arguments=more) as server:
        print(
            f"http://{server.client.address}  (working in {server.base}; its log is log.txt there)",
            flush=True,
        )
        try:
            server.process.wait()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
