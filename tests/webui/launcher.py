"""Runs a WebUI's launch.py in a Python that may lack what CPU-only tests have no use for; started
by server.py.

usage: launcher.py /path/to/webui/launch.py ARGUMENTS. Ends when its standard input does, so that no
server outlives its starter.
"""

import os
import runpy
import sys
import threading
from pathlib import Path

KEPT = []


def main() -> None:
    """Fill the gaps, then become the host."""
    script = sys.argv[1]
    sys.argv = [script, *sys.argv[2:]]
    sys.path[0] = str(Path(script).parent)
    threading.Thread(target=_end_with_input, daemon=True).start()
    _torchvision()
    runpy.run_path(script, run_name="__main__")


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


if __name__ == "__main__":
    main()
