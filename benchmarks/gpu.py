"""What distilling costs on an accelerator, beside the model calls: one command, under ten minutes.

    python -m benchmarks.gpu                                # a FLUX-sized random model under diffusers
    python -m benchmarks.gpu --kind sdxl
    python -m benchmarks.gpu --comfyui /path/to/ComfyUI     # under ComfyUI too (COMFYUI_PYTHON: its Python)
    python -m benchmarks.gpu --tiny                         # a few layers on the CPU: tries this script

Printed: wall time of distilling over calls x one call (at most 1.03 is asked), its device memory over plain
sampling's (1.02), what recording a picture adds, seconds from the start to the first recipe at effort
`instant`, and what the few-step picture takes. Weights are random: nothing is said of quality.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

FULL, SHORT, FEW = 24, 8, 6
REPEATS = 3
ASKED = {"time": 1.03, "memory": 1.02}
WITHOUT = """\
There is no accelerator here, so nothing is measured. With one, this would time a {kind}-sized random model
(bfloat16, 1024x1024): distilling over calls x one call (at most {time} is asked), device memory over plain
sampling ({memory}), recording a picture, and the seconds from the start to the first recipe. --tiny tries the
script on the CPU."""


def main(arguments: list[str] | None = None) -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kind", choices=("flux", "sdxl"), default="flux")
    parser.add_argument(
        "--comfyui", metavar="PATH", help="a ComfyUI checkout to measure under, too"
    )
    parser.add_argument("--tiny", action="store_true", help="a few layers on the CPU")
    parser.add_argument("--without-diffusers", action="store_true", help="under ComfyUI alone")
    options = parser.parse_args(arguments)
    device = accelerator()
    if device == "cpu" and not options.tiny:
        print(WITHOUT.format(kind=options.kind.upper(), **ASKED))
        return
    device = "cpu" if options.tiny else device
    if not options.without_diffusers:
        under_diffusers(options.kind, device, options.tiny)
    if options.comfyui:
        from benchmarks.gpu_comfyui import under_comfyui

        under_comfyui(options.comfyui, options.tiny)


def accelerator() -> str:
    """The device that torch has beside the CPU, or "cpu"."""
    if torch.cuda.is_available():
        return "cuda"
    if hasattr(torch, "xpu") and torch.xpu.is_available():
        return "xpu"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def under_diffusers(kind: str, device: str, tiny: bool) -> None:
    """The table of a pipeline."""
    from benchmarks.gpu_models import subject
    from scheduler.diffusers import PipelineRecording, StepDistillScheduler, distill_pipeline

    of = subject(kind, device, tiny)
    head(
        f"diffusers, {of.name}, {sum(p.numel() for p in of.network.parameters()) / 1e9:.1f} B weights"
    )
    stock = of.pipe.scheduler

    def drawn(steps: int, **others: Any) -> float:
        return taken(lambda: pictured(of, steps, **others), device)

    drawn(2)  # kernels are chosen
    peak = Peak(device)
    full = statistics.median(drawn(FULL) for _ in range(REPEATS))
    short = statistics.median(drawn(SHORT) for _ in range(REPEATS))
    plain = peak.taken()
    one = (full - short) / (FULL - SHORT)
    line("one call (guidance inside)", one, "s")

    def recorded() -> None:
        recording = PipelineRecording(of.pipe, height=of.call["height"], width=of.call["width"])
        pictured(of, FULL, callback_on_step_end=recording)

    heard = statistics.median(taken(recorded, device) for _ in range(REPEATS))
    line("recording, a call", (heard - full) / FULL * 1000, "ms")
    peak.taken()

    first: list[float] = []
    began = time.monotonic()
    record = distill_pipeline(
        of.pipe,
        None,
        FEW,
        store=False,
        on_record=lambda record: first.append(time.monotonic() - began),
        **of.call,
    )
    wait(device)
    whole = time.monotonic() - began
    calls = record.provenance["model_calls"] + (
        kind == "flux"
    )  # a flow shows its latents after one
    line("distilling, model calls", calls, "")
    line("distilling, seconds", whole, "s")
    line("over calls x one call", whole / (calls * one), f"   (at most {ASKED['time']})")
    line("start to first recipe", first[0], "s")
    if plain:
        line(
            "device memory over plain sampling",
            peak.taken() / plain,
            f"   (at most {ASKED['memory']})",
        )
    own = ("guidance_scale", "height", "width")
    about = {name: of.call[name] for name in own}
    of.pipe.scheduler = StepDistillScheduler.for_pipeline(of.pipe, record, **about)
    few = statistics.median(drawn(FEW) for _ in range(REPEATS))
    of.pipe.scheduler = stock
    beside = statistics.median(drawn(FEW) for _ in range(REPEATS))
    line(f"picture of {FEW} steps", few, "s")
    line("beside the stock scheduler", (few - beside) * 1000, "ms")


def pictured(of: Any, steps: int, **others: Any) -> None:
    """A run of the pipeline, to its latents."""
    of.pipe(num_inference_steps=steps, output_type="latent", **of.call, **others)


def taken(work: Callable[[], None], device: str) -> float:
    """Seconds that something takes, the device's work included."""
    wait(device)
    began = time.monotonic()
    work()
    wait(device)
    return time.monotonic() - began


def wait(device: str) -> None:
    """Until the device has done what it was given."""
    if device != "cpu":
        getattr(torch, device).synchronize()


class Peak:
    """The most device memory since it was last asked, in bytes; 0 where the device does not tell."""

    def __init__(self, device: str):
        self.tells = device in ("cuda", "xpu")
        self.module = getattr(torch, device, None)
        if self.tells:
            self.module.reset_peak_memory_stats()

    def taken(self) -> int:
        """And begin anew."""
        if not self.tells:
            return 0
        found = self.module.max_memory_allocated()
        self.module.reset_peak_memory_stats()
        return found


def head(text: str) -> None:
    """Of a table."""
    print(f"\n{text}")


def line(what: str, number: float, unit: str) -> None:
    """One number."""
    print(f"  {what:<36}{number:>12.4g} {unit}", flush=True)


if __name__ == "__main__":
    main()
