"""benchmarks/gpu.py under a real ComfyUI: a FLUX of random weights in KSampler and in Distill Schedule."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

from benchmarks.gpu import ASKED, FEW, FULL, REPEATS, SHORT, head, line
from scheduler.store import Store
from tests.comfyui.graphs import Scene
from tests.comfyui.server import ARGUMENTS, Server

PACK = {"stepdistill-benchmark": Path(__file__).with_name("gpu_pack")}
CFG = 1.0


def under_comfyui(checkout: str, tiny: bool) -> None:
    """The table of a server."""
    if not tiny:
        ARGUMENTS.remove("--cpu")
    with Server(checkout, packs=PACK) as server:
        head(
            f"ComfyUI {'.'.join(map(str, server.version))}, flux, {'tiny' if tiny else '12 B weights'}"
        )
        measured(server, tiny)


def measured(server: Server, tiny: bool) -> None:
    """All of its lines."""
    drawn(server, tiny, 2, seed=0)  # loads the model
    full, plain = least(server, tiny, FULL)
    short, _ = least(server, tiny, SHORT)
    one = (full - short) / (FULL - SHORT)
    line("one call", one, "s")
    s = scene(tiny)
    report = s.distill(cfg=CFG, max_steps=FEW)[2]
    peak = s.add("BenchmarkPeak", text=report)
    began = time.monotonic()
    result = server.client.run(s.graph, 3600)
    whole = time.monotonic() - began
    store = Store(server.store)
    record = store.load(store.records()[0].file)
    calls = record.provenance["model_calls"]
    line(f"distilling 4 to {FEW} steps, model calls", calls, "")
    line("distilling, seconds", whole, "s")
    line("over calls x one call", whole / (calls * one), f"   (at most {ASKED['time']})")
    if plain:
        share = float(result.text(peak)) / plain
        line("device memory over plain sampling", share, f"   (at most {ASKED['memory']})")
    few, _ = least(server, tiny, FEW, scheduler="distilled", sampler_name="distilled")
    line(f"picture of {FEW} steps", few, "s")


def least(server: Server, tiny: bool, steps: int, **others: Any) -> tuple[float, float]:
    """(the median seconds of a picture, MiB at most)."""
    found = [drawn(server, tiny, steps, seed, **others) for seed in range(1, REPEATS + 1)]
    return statistics.median(seconds for seconds, _ in found), max(peak for _, peak in found)


def drawn(server: Server, tiny: bool, steps: int, seed: int, **others: Any) -> tuple[float, float]:
    """(seconds, MiB) of one picture's latent."""
    s = scene(tiny)
    about = {"scheduler": "simple", "cfg": CFG, "steps": steps, "seed": seed} | others
    peak = s.add("BenchmarkPeak", latent=s.ksampler(**about))
    began = time.monotonic()
    result = server.client.run(s.graph, 3600)
    return time.monotonic() - began, float(result.text(peak))


def scene(tiny: bool) -> Scene:
    """The model with seeded conditioning and an empty latent."""
    from tests.comfyui.client import Graph

    g, size = Graph(), 64 if tiny else 1024
    yes, no = (
        g.add("TestConditioning", seed=seed, tokens=512, width=4096, pooled=768) for seed in (1, 2)
    )
    latent = g.add("EmptySD3LatentImage", width=size, height=size, batch_size=1)
    return Scene(g, g.add("BenchmarkFlux", tiny=tiny), yes, no, latent)
