"""What a distillation costs beside its model calls: seconds and memory, for a latent of FLUX's shape."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

import torch

from benchmarks.memory import peak_mib
from benchmarks.runs import Counted
from scheduler.denoiser import start_state
from scheduler.distilling.run import distill
from scheduler.record.evidence_table import table
from scheduler.recordings import record_run
from scheduler.rows import noise_for
from scheduler.samplers import sample
from scheduler.sigmas import baselines
from scheduler.sigmas.noise_table import table_for

SHAPE = (16, 128, 128)
RANGE = (0.002, 1.0)
SHIFT = 3.0
PICTURE_STEPS = 25
VARIANCE = 0.3
SHARE = 0.03  # of a call's own seconds, at most
# (a name, what `distill` is told; recordings: pictures to learn from)
CASES: dict[str, dict] = {
    "plain sampling": {},
    "instant, N = 4": {"steps": 4},
    "instant, N = 6": {"steps": 6},
    "instant, N = 8": {"steps": 8},
    "one recording, 75 calls, N = 6": {"steps": 6, "budget": 75, "recordings": 1},
    "standard, N = 6": {"steps": 6, "effort": "standard"},
    "1,000 calls, N = 6": {"steps": 6, "budget": 1000},
}


def denoise(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """Of a flow model: a Gaussian's shrinkage, and a part that is not linear."""
    s = float(sigma[0])
    shrunk = x * ((1 - s) * VARIANCE / ((1 - s) ** 2 * VARIANCE + s**2))
    return shrunk + 0.1 * torch.sin(3 * shrunk.roll(1, -1))


def measured(case: str, device: str) -> tuple[int, float, float, float]:
    """In this process: (model calls, seconds beside the denoiser's own, MiB of memory at the peak on
    top of what was there before, the same on the device)."""
    how = dict(CASES[case])
    low, high = RANGE
    noise = noise_for(SHAPE, 1, 0, torch.device(device))
    schedule = baselines(table_for(*RANGE, "flow", SHIFT), PICTURE_STEPS, low, high)["simple"]
    start = start_state(noise, high, "flow")
    sample(denoise, start, schedule[-3:], "euler")  # what any first call loads
    pictures = how.pop("recordings", 0)
    if pictures:
        how["recordings"] = [record_run(denoise, start, schedule, "dpmpp_2m", "flow")] * pictures
    counted = Counted(denoise)
    before, began = peak_mib(), time.perf_counter()
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
    if how:
        distill(counted, SHAPE, high, low, evidence_budget=0, device=device, **how)
    else:
        sample(counted, start, schedule, "dpmpp_2m")
    seconds = time.perf_counter() - began - counted.seconds
    on_device = torch.cuda.max_memory_allocated() / 2**20 if device != "cpu" else float("nan")
    return counted.calls, seconds, peak_mib() - before, on_device


def shown() -> str:
    """The table, a fresh process a line."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    rows = []
    for case in CASES:
        command = [sys.executable, "-m", "benchmarks.overhead", "--case", case, "--device", device]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        calls, seconds, host, on_device = map(float, said.split())
        a_call = seconds / calls
        cells = f"{seconds:.2f}", f"{1000 * a_call:.1f}", f"{a_call / SHARE:.2f}", f"{host:.0f}"
        rows.append((case, int(calls), *cells, *([f"{on_device:.0f}"] if device != "cpu" else [])))
    header = ("", "calls", "seconds", "ms a call", "s", "MiB", *(["on device"] * (device != "cpu")))
    return (
        f"\n== beside the model's own calls, one latent {'x'.join(map(str, SHAPE))}, {device}\n"
        f"   s: a call takes at least so long where this is at most {SHARE:.0%} of it; MiB: peak\n"
        + table(header, rows, left=(0,))
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", choices=CASES)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    print(*measured(args.case, args.device) if args.case else [shown()])


if __name__ == "__main__":
    main()
