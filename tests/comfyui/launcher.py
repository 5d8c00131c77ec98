"""Runs a ComfyUI's main.py in a Python that may lack what CPU-only tests have no use for; started
by server.py.

usage: launcher.py /path/to/ComfyUI/main.py ARGUMENTS. Ends when its standard input does, so that no
server outlives its starter.
"""

import importlib.machinery
import importlib.util
import os
import runpy
import sys
import tempfile
import threading
import types
from pathlib import Path

KEPT = []


def main() -> None:
    """Fill the gaps, then become ComfyUI."""
    script = sys.argv[1]
    sys.argv = [script, *sys.argv[2:]]
    sys.path[0] = str(Path(script).parent)
    threading.Thread(target=_end_with_input, daemon=True).start()
    fill_gaps()
    if (
        importlib.util.find_spec("comfyui_frontend_package") is None
        and "--front-end-root" not in sys.argv
    ):
        sys.argv += ["--front-end-root", _blank_page()]
    runpy.run_path(script, run_name="__main__")


def fill_gaps() -> None:
    """What ComfyUI imports at its start and tests on the CPU have no use for."""
    _torchvision()
    if importlib.util.find_spec("torchaudio") is None:
        _torchaudio()


def _end_with_input() -> None:
    while sys.stdin.buffer.read(4096):
        pass
    os._exit(0)


def _torchvision() -> None:
    """PyPI's torchvision is a CUDA build; beside a CPU-only torch it imports once its two operators
    are declared."""
    import torch

    if torch.version.cuda is None and torch.version.hip is None:
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor boxes, Tensor scores, float threshold) -> Tensor")
        KEPT.append(library)  # the declaration lasts as long as this object


def _torchaudio() -> None:
    """An empty torchaudio: some versions import it at the start, and only audio nodes use it."""
    for name in ("torchaudio", "torchaudio.functional", "torchaudio.transforms"):
        module = types.ModuleType(name)
        module.__spec__ = importlib.machinery.ModuleSpec(name, None)
        module.__path__ = []
        sys.modules[name] = module
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, module)


def _blank_page() -> str:
    folder = tempfile.mkdtemp(prefix="stepdistill-page-")
    Path(folder, "index.html").write_text(
        "<!doctype html><title>no front end</title>", encoding="utf-8"
    )
    return folder


if __name__ == "__main__":
    main()
