"""The matrix of models and routes in a real ComfyUI: a tiny model of each class that the host knows,
learnt, distilled and drawn by each route, each picture beside what the library draws.

    python -m benchmarks.classes /path/to/ComfyUI                  # a markdown table
    python -m benchmarks.classes /path/to/ComfyUI --only Flux Wan
    python -m benchmarks.classes /path/to/ComfyUI --packs /path/to/ComfyUI-GGUF --only "bundled flow, gguf"

With ComfyUI's Python. The weights are random, so what is drawn means nothing and most recipes gain
nothing: a number is the distance from the library's picture over its size, and is to be below 1e-5.
`*` marks a recipe of ours, without it a stock one won; a sentence below the table is a refusal.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.class_cells import COMPILED, Cell, Row, Subject
from scheduler.store import Store
from tests.comfyui.pack.tiny_classes import TINY
from tests.comfyui.server import Server

ROUTES = ("learn", "draw", "apply", "sampler", "start", "lora", "distil", "full", "batch")
AFRESH = ("distil", "full")  # begin with an empty store
TREATED = (
    Subject("Flux", "fp8"),
    Subject("bundled flow"),
    Subject("bundled flow", "fp8 scaled"),
    Subject("Wan", "partly loaded"),
    Subject("SD3", COMPILED),
)
SAME = 1e-5
GGUF_PACK = "ComfyUI-GGUF"


def subjects(checkout: str | Path, gguf: bool = False) -> list[Subject]:
    """All rows for a host, which may not know every class. gguf: with the loader of such files."""
    text = (Path(checkout) / "comfy" / "supported_models.py").read_text(encoding="utf-8")
    known = [name for name, each in TINY.items() if f"class {each.config}(" in text]
    return [*map(Subject, known), *TREATED, *((Subject("bundled flow", "gguf"),) if gguf else ())]


def emptied(server: Server) -> None:
    """An empty store, and no recordings."""
    store = Store(server.store)
    for brief in store.records():
        store.remove(brief.file)
    store.clear_recordings()


def cells_of(server: Server, subject: Subject, routes: Sequence[str] = ROUTES) -> dict[str, Cell]:
    """A row: the routes one after the other."""
    row, cells = Row(server, subject), {}
    emptied(server)
    for route in routes:
        if route in AFRESH:
            emptied(server)
        cells[route] = getattr(row, route)()
    emptied(server)
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkout", help="ComfyUI's folder")
    parser.add_argument("--only", nargs="*", default=(), help="these rows")
    parser.add_argument("--routes", nargs="*", default=ROUTES, choices=ROUTES, help="these columns")
    parser.add_argument("--packs", nargs="*", default=(), type=Path, help="other packs beside ours")
    options = parser.parse_args()
    sentences: list[str] = []
    packs = {each.resolve().name: each.resolve() for each in options.packs}
    with Server(options.checkout, packs=packs) as server:
        print(f"| {'.'.join(map(str, server.version))} | {' | '.join(options.routes)} | s |")
        print("|---" * (len(options.routes) + 2) + "|")
        for subject in subjects(options.checkout, GGUF_PACK in packs):
            if options.only and subject.title not in options.only:
                continue
            began = time.monotonic()
            cells = cells_of(server, subject, options.routes)
            shown = [_shown(cell, sentences) for cell in cells.values()]
            took = time.monotonic() - began
            print(f"| {subject.title} | {' | '.join(shown)} | {took:.0f} |", flush=True)
    for number, sentence in enumerate(sentences, 1):
        print(f"[{number}] {sentence}")


def _shown(cell: Cell, sentences: list[str]) -> str:
    problem = cell.problem and _numbered(cell.problem, sentences)
    if cell.apart is not None:
        return (
            f"{cell.apart:.0e}{'*' if cell.ours else ''}"
            + ("" if cell.steps < 24 else " full")
            + problem
        )
    return problem or _numbered(cell.said, sentences)


def _numbered(sentence: str, sentences: list[str]) -> str:
    """A note's number, which it gets where it is new."""
    if sentence not in sentences:
        sentences.append(sentence)
    return f" [{sentences.index(sentence) + 1}]"


if __name__ == "__main__":
    sys.exit(main())
