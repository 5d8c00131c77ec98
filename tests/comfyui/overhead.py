"""What a sampling run costs beyond the stock one, in the real server: python -m
tests.comfyui.overhead /path/to/ComfyUI [REPEATS]

Prints, for each route, the median and least milliseconds of a prompt in which nothing but the
sampling node runs again, beside the stock route of equally many model calls, and the differences.
Run it on an idle machine.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable

from tests.comfyui.client import Client, Graph
from tests.comfyui.graphs import Scene, scene
from tests.comfyui.server import Server

STEPS = 6


def stock(s: Scene, seed: int) -> None:
    s.ksampler(name="timed", scheduler="simple", seed=seed, steps=STEPS)


def dropdown(s: Scene, seed: int) -> None:
    s.ksampler(name="timed", seed=seed, steps=STEPS)


def apply(s: Scene, seed: int) -> None:
    s.ksampler(
        s.add("StepDistillApply", model=s.model, use_offsets=True), "timed", seed=seed, steps=STEPS
    )


def apply_distilled(s: Scene, seed: int) -> None:
    applied = s.add("StepDistillApply", model=s.model, use_offsets=True)
    s.ksampler(applied, "timed", seed=seed, steps=STEPS, sampler_name="distilled")


def stock_custom(s: Scene, seed: int) -> None:
    sigmas = s.add("BasicScheduler", model=s.model, scheduler="simple", steps=STEPS, denoise=1.0)
    s.custom(sigmas, "dpmpp_2m", "timed", seed=seed)


def sampler_custom(s: Scene, seed: int) -> None:
    sampler = s.add(
        "StepDistillSampler", model=s.model, steps=STEPS, denoise=1.0, if_missing="error"
    )
    s.custom(sampler[1], sampler, "timed", seed=seed)


ROUTES: dict[str, tuple[Callable, Callable]] = {
    "KSampler, dropdown, euler": (dropdown, stock),
    "Apply + KSampler, euler with offsets": (apply, stock),
    "Apply + KSampler, distilled": (apply_distilled, stock),
    "Distilled Sampler + SamplerCustomAdvanced": (sampler_custom, stock_custom),
}


def milliseconds(client: Client, graph: Graph) -> float:
    """From the start to the end of a prompt, by the server's own clock."""
    prompt_id = client.queue(graph)
    client.wait(prompt_id)
    status = client.get(f"/history/{prompt_id}")[prompt_id]["status"]
    stamps = {kind: data["timestamp"] for kind, data in status["messages"]}
    return stamps["execution_success"] - stamps["execution_start"]


def timed(client: Client, route: Callable, seed: int) -> float:
    """A run with a fresh seed."""
    s = scene()
    route(s, seed)
    return milliseconds(client, s.graph)


def main() -> None:
    """Distil once, then time every route in turns with its stock one."""
    repeats = int(sys.argv[2]) if len(sys.argv) > 2 else 40
    with Server(sys.argv[1]) as server:
        s = scene()
        s.distill(sampler_name="all", max_steps=STEPS)
        server.client.run(s.graph)
        for name, routes in ROUTES.items():
            times = [
                [timed(server.client, route, 1000 + 2 * k + i) for i, route in enumerate(routes)]
                for k in range(repeats)
            ][3:]
            ours, plain = zip(*times, strict=True)
            median = f"{statistics.median(ours):.0f} against {statistics.median(plain):.0f} ms"
            least = f"{min(ours):.0f} against {min(plain):.0f} ms"
            difference = f"{statistics.median(a - b for a, b in times):+.1f} ms"
            print(f"{name}: median {median}, least {least}, difference {difference}", flush=True)


if __name__ == "__main__":
    main()
