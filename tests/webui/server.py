"""A real A1111 or Forge on a free port, in a temporary data folder with this pack as an extension
and a small checkpoint."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.webui import checkpoint, vocabulary
from tests.webui.patience import wait_for

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
PARTS = (
    "scripts",
    "a1111",
    "javascript",
    "scheduler",
    "nodes",
    "__init__.py",
    "install.py",
)  # of the pack, as a clone of it has
FLAGS = [
    "--skip-prepare-environment",
    "--skip-install",
    "--skip-python-version-check",
    "--skip-torch-cuda-test",
    "--skip-version-check",
]
FLAGS += ["--api", "--no-download-sd-model", "--do-not-download-clip"]
OF_A1111 = ["--use-cpu", "all", "--no-half", "--precision", "full"]
STARTED = "Startup time:"
SLOWEST = 3600  # seconds of one answer: a picture on a busy machine


class Server:
    """A host that runs while the `with` block does. `log` is its output so far; `get` and `post`
    speak JSON with its API.

    account: "user:password" for --api-auth, sent with every request unless it is blanked.
    """

    account = ""

    def __init__(
        self,
        host: str | Path,
        folder: Path,
        model: Path,
        flags: tuple[str, ...] = (),
        options: dict | None = None,
    ):
        self.host, self.folder, self.flags, self.options = (
            Path(host).resolve(),
            folder,
            flags,
            options or {},
        )
        self.is_forge = (self.host / "modules_forge").is_dir()
        self.store, self.port = folder / "store", 0
        self.log_path = folder / "log.txt"
        self._lay_out(model)

    def _lay_out(self, model: Path) -> None:
        models, extensions = self.folder / "models" / "Stable-diffusion", self.folder / "extensions"
        models.mkdir(parents=True, exist_ok=True)
        for path in (model, model.with_suffix(".yaml")):
            if not (models / path.name).exists():
                os.symlink(path, models / path.name)
        pack = extensions / "StepDistill"
        pack.mkdir(parents=True, exist_ok=True)
        for part in PARTS:
            if not (pack / part).exists():
                os.symlink(ROOT / part, pack / part)
        for extra in sorted((HERE / "extensions").iterdir()):
            if extra.is_dir() and not (extensions / extra.name).exists():
                os.symlink(extra, extensions / extra.name)
        checkpoint.write_lora(self.folder / "models" / "Lora")
        self.tokenizer = vocabulary.write(self.folder / "hub")
        settings = {
            "sd_model_checkpoint": model.name,
            "samples_save": False,
            "grid_save": False,
            "CLIP_stop_at_last_layers": 1,
        }
        (self.folder / "config.json").write_text(
            json.dumps(settings | self.options), encoding="utf-8"
        )

    def __enter__(self):
        if not self.port:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self.port = free.getsockname()[1]
        flags = [*FLAGS, "--port", str(self.port), "--data-dir", str(self.folder), *self.flags]
        flags += (
            ["--always-cpu", "--gradio-allowed-path", str(self.host)] if self.is_forge else OF_A1111
        )
        environment = os.environ | {
            "HF_HUB_OFFLINE": "1",
            "STEPDISTILL_STORE": str(self.store),
            "GRADIO_ANALYTICS_ENABLED": "False",
        }
        environment |= {
            "HF_HUB_CACHE": str(self.folder / "hub"),
            "HUGGINGFACE_HUB_CACHE": str(self.folder / "hub"),
            "MPLBACKEND": "Agg",
        }
        python = os.environ.get("WEBUI_PYTHON", sys.executable)
        command = [python, str(HERE / "launcher.py"), str(self.host / "launch.py"), *flags]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.host,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait()
        return self

    def __exit__(self, *trouble) -> None:
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def _wait(self, starts: int = 1) -> None:
        """Until the host has started for the n-th time by its own word: a request before that
        breaks A1111, which then still adds to its server; then until our routes, the last thing to
        be there, answer. However long it takes, as long as the host works."""
        began = time.monotonic()

        def ready() -> bool:
            return self.log.count(STARTED) >= starts and self._answers()

        try:
            wait_for(ready, self.process.pid, "started", 0.3)
        except AssertionError as problem:
            raise RuntimeError(f"{problem}:\n{self.log[-4000:]}") from None
        self.started = time.monotonic() - began

    def revive(self) -> None:
        """Start again where an earlier test has ended it, at the same address."""
        if self.process.poll() is not None:
            self.log_path.rename(self.log_path.with_suffix(f".{time.time_ns()}.txt"))
            self.__enter__()

    def _answers(self) -> bool:
        try:
            self.get("/witness")
        except (OSError, ValueError):
            return False
        return True

    def reload(self) -> None:
        """The page's own Reload UI, to its end."""
        starts = self.log.count(STARTED)
        self.get("/witness/reload")
        try:
            self._wait(starts + 1)
        except RuntimeError:  # others find it ended, and start it again
            self.__exit__()
            raise

    @property
    def log(self) -> str:
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str):
        """The JSON at a path."""
        return self._asked(urllib.request.Request(self.address + path))

    def post(self, path: str, data: dict | None = None):
        """The JSON answer to a JSON body; raises urllib's HTTPError with the host's text."""
        body = json.dumps(data or {}).encode()
        return self._asked(
            urllib.request.Request(self.address + path, body, {"Content-Type": "application/json"})
        )

    def _asked(self, request: urllib.request.Request):
        if self.account:
            request.add_header(
                "Authorization", "Basic " + base64.b64encode(self.account.encode()).decode()
            )
        try:
            with urllib.request.urlopen(request, timeout=SLOWEST) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as problem:
            problem.msg = f"{problem.msg}: {problem.read().decode(errors='replace')[:2000]}"
            raise
