"""The Few-Step KSampler from an empty store on, in a real ComfyUI, on the bundled flow checkpoint.

    python -m benchmarks.few_step /path/to/ComfyUI                 # all tables
    python -m benchmarks.few_step /path/to/ComfyUI --only overhead

pictures: ten of other digits and seeds each, one after the other, by default at 6 steps; calls are those
that the network was asked, over two for guidance. Errors are RMS per element from 80 steps of dpmpp_2m
on the same noise; stock is the best in hindsight of the pairs below, which favours it, each at equal and
at twice the steps. pays after: after which picture no more calls were made in all than without the node.
overhead: milliseconds of a prompt in which nothing but the sampling node runs, beside KSampler's; and
what recording adds to a run, in this process.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence

import numpy as np
import torch

from benchmarks.tables import mean
from scheduler.checkpoints import load_checkpoint
from scheduler.denoiser import start_state
from scheduler.record.evidence_table import table
from scheduler.recordings import Recording
from scheduler.rows import noise_for
from scheduler.samplers import sample
from scheduler.sigmas import flow_table, stock_schedule
from scheduler.store import Store
from tests.comfyui.graphs import Scene, scene
from tests.comfyui.overhead import milliseconds
from tests.comfyui.server import Server

FULL_STEPS, FINE = 24, 80
PICTURES = 10
FIRST_MEASURED = 3  # pictures before it are learnt from
PAIRS = tuple(
    (sampler, schedule)
    for sampler in ("euler", "dpmpp_2m", "uni_pc")
    for schedule in ("simple", "sgm_uniform", "beta", "normal")
)
DEFAULT = ("euler", "simple")
REPEATS = 100


def few_step(s: Scene, seed: int, steps: int, denoise: float, latent=None, model=None):
    """The node in a graph; its outputs."""
    return s.add(
        "StepDistillKSampler",
        model=model or s.model,
        **s.prompts,
        latent_image=latent or s.latent,
        seed=seed,
        steps=steps,
        cfg=3.0,
        denoise=denoise,
        learn="from my pictures",
    )


class Artist:
    """Pictures of one artist, who begins with an empty store."""

    def __init__(self, server: Server, trial: int, steps: int, denoise: float):
        self.server, self.trial, self.steps, self.denoise = server, trial, steps, denoise

    def scene_of(self, number: int) -> tuple[Scene, int]:
        """Another digit and seed for each picture."""
        digit = (3 * self.trial + 7 * number + 3) % 10
        return scene(rows=1, digits=str(digit)), 1000 * self.trial + number

    def before(self, s: Scene):
        """What the picture begins with: below denoise 1 another picture, else nothing."""
        if self.denoise == 1:
            return None
        other = s.add("TestDigits", digits="5")
        return s.add(
            "KSampler",
            model=s.model,
            positive=other,
            negative=s.negative,
            latent_image=s.latent,
            seed=77,
            steps=FULL_STEPS,
            cfg=3.0,
            sampler_name="dpmpp_2m",
            scheduler="beta",
            denoise=1.0,
        )

    def picture(self, number: int) -> dict:
        """One picture of the node: its latent, steps, calls and seconds."""
        s, seed = self.scene_of(number)
        before = self.before(s)
        name = f"few-{self.denoise:g}-{self.trial}-{number}"
        model = s.recorded(name, model=s.model)
        out = few_step(s, seed, self.steps, self.denoise, before, model)
        s.add("TestSave", name="few", samples=out)
        began = time.monotonic()
        result = self.server.client.run(s.graph)
        seconds = time.monotonic() - began
        (card,) = result.ui(out)["stepdistill"]
        calls = sum(sum(run["rows"]) for run in self.server.runs(name)) // 2
        latent = self.server.array("few.samples")
        return card["learning"] | {"latent": latent, "made": calls, "seconds": seconds}

    def errors(self, number: int, latent: np.ndarray) -> dict:
        """RMS of a picture, and of each stock pair at equal and twice the steps, from the fine one."""
        fine = self.stock(number, ("dpmpp_2m", "simple"), FINE)
        found = {"ours": _rms(latent, fine)}
        full = self.stock(number, ("dpmpp_2m", "beta"), FULL_STEPS)
        found["in full"] = _rms(full, fine)
        for times in (1, 2):
            for pair in PAIRS:
                drawn = self.stock(number, pair, times * self.steps)
                found[(*pair, times)] = _rms(drawn, fine)
        return found

    def stock(self, number: int, pair: tuple[str, str], steps: int) -> np.ndarray:
        s, seed = self.scene_of(number)
        latent = self.before(s) or s.latent
        drawn = s.add(
            "KSampler",
            model=s.model,
            **s.prompts,
            latent_image=latent,
            seed=seed,
            steps=steps,
            cfg=3.0,
            sampler_name=pair[0],
            scheduler=pair[1],
            denoise=self.denoise,
        )
        s.add("TestSave", name="stock", samples=drawn)
        self.server.client.run(s.graph)
        return self.server.array("stock.samples")


def _rms(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(one - other))))


def pictures(server: Server, steps: int, denoise: float, trials: Sequence[int]) -> str:
    """Ten pictures for each trial, and what they are worth."""
    rows, worth = [], []
    for trial in trials:
        _empty(server)
        artist = Artist(server, trial, steps, denoise)
        made = [artist.picture(number) for number in range(1, PICTURES + 1)]
        first = next(k for k, each in enumerate(made, 1) if each["steps"] == steps)
        extra = sum(each["made"] - each["steps"] for each in made)
        rows.append((trial, first, extra, _pays(made), *(each["made"] for each in made)))
        worth += [
            artist.errors(number, made[number - 1]["latent"])
            for number in range(FIRST_MEASURED, PICTURES + 1)
        ]
    header = ("trial", "first few-step", "extra calls", "pays after", *range(1, PICTURES + 1))
    head = f"\n== {steps} steps, denoise {denoise:g}: model calls of pictures 1 to {PICTURES}"
    return "\n".join([head, table(header, rows), _worth(worth, steps)])


def _pays(made: Sequence[dict]) -> int | str:
    """The picture after which the node has made no more calls than drawing all in full."""
    total = 0
    for number, each in enumerate(made, 1):
        total += each["made"]
        if total <= FULL_STEPS * number:
            return number
    return "never"


def _worth(found: Sequence[dict], steps: int) -> str:
    """Errors of the measured pictures: geometric means, and ours over stock's."""
    ours = mean(each["ours"] for each in found)
    rows = [("ours", steps, f"{ours:.4f}", "", "")]
    for times in (1, 2):
        best = min(PAIRS, key=lambda pair: mean(each[(*pair, times)] for each in found))
        for name, pair in (("best stock pair", best), ("the usual", DEFAULT)):
            error = mean(each[(*pair, times)] for each in found)
            won = sum(each["ours"] < each[(*pair, times)] for each in found)
            told = f"{name}: {pair[0]}, {pair[1]}", times * steps, f"{error:.4f}"
            rows.append((*told, f"{ours / error:.2f}", f"{won} of {len(found)}"))
    full = mean(each["in full"] for each in found)
    rows.append(("drawn in full", FULL_STEPS, f"{full:.4f}", f"{ours / full:.2f}", ""))
    header = ("pictures 3 to 10", "steps", "error", "ours over it", "ours nearer")
    return table(header, rows, left=(0,))


def _empty(server: Server) -> None:
    store = Store(server.store)
    for brief in store.records():
        store.remove(brief.file)
    store.clear_recordings()


# --- overhead ---


def overhead(server: Server, repeats: int = REPEATS) -> str:
    """Milliseconds of a few-step prompt beside KSampler's, in turns."""
    _empty(server)
    _timed(server, 0, few=True)
    times = [
        [_timed(server, 2 * k + i, few) for i, few in enumerate((True, False))]
        for k in range(1, repeats + 1)
    ][3:]
    apart = statistics.median(ours - stock for ours, stock in times)
    medians = [statistics.median(each) for each in zip(*times, strict=True)]
    few, stock = medians
    return (
        f"\n== overhead\na few-step run: {few:.0f} ms against {stock:.0f} ms of KSampler, dpmpp_2m, 6 "
        f"steps: {apart:+.1f} ms\n{_recording()}"
    )


def _timed(server: Server, seed: int, few: bool) -> float:
    s = scene(rows=1, digits="3")
    if few:
        drawn = few_step(s, seed, 6, 1.0)
    else:
        drawn = s.ksampler(seed=seed, steps=6, sampler_name="dpmpp_2m", scheduler="simple")
    s.add("TestSave", name="timed", samples=drawn)
    return milliseconds(server.client, s.graph)


def _recording(repeats: int = 150) -> str:
    """What recording adds to 24 calls of the bundled network, and its memory; for a latent of
    1024x1024 (16, 128, 128), what a call's recording takes by itself."""
    checkpoint = load_checkpoint("flow")
    denoise = checkpoint.denoiser(torch.tensor([3]), 3.0)
    sigmas = stock_schedule("beta", flow_table(3.0), FULL_STEPS)
    noise = noise_for(checkpoint.latent_shape, 1, 0, torch.device("cpu"))
    x = start_state(noise, 1.0, "flow")

    def run(recording: Recording | None) -> float:
        def asked(x, sigma):
            answer = denoise(x, sigma)
            if recording is not None:
                recording.step(x[:1], sigma, answer[:1])
            return answer

        began = time.process_time()
        end = sample(asked, x, sigmas, "dpmpp_2m")
        if recording is not None:
            recording.finish(end[:1])
        return time.process_time() - began

    shape = checkpoint.latent_shape
    times: dict[bool, list[float]] = {True: [], False: []}
    for k in range(repeats):
        for recorded in (k % 2 == 0, k % 2 == 1):  # who goes first, in turns
            times[recorded].append(run(Recording(shape, "flow") if recorded else None))
    recorded, plain = (statistics.median(times[each][2:]) for each in (True, False))
    large, step = torch.zeros(1, 16, 128, 128), Recording((16, 128, 128), "flow")
    began = time.process_time()
    for k in range(FULL_STEPS):
        step.step(large, 1 - k / FULL_STEPS, large)
    each = (time.process_time() - began) / FULL_STEPS
    size = (2 * FULL_STEPS + 1) * large.nbytes / 2**20
    return (
        f"a recorded run of the bundled network: {100 * (recorded / plain - 1):+.1f} %\n"
        f"at 1024x1024 of FLUX: {1000 * each:.1f} ms a call, {size:.0f} MB for a picture's run"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("comfyui", help="ComfyUI's folder")
    parser.add_argument("--only", choices=("pictures", "overhead"))
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--denoise", type=float, nargs="+", default=[1.0, 0.5])
    parser.add_argument("--trials", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    with Server(args.comfyui) as server:
        if args.only in (None, "pictures"):
            for denoise in args.denoise:
                print(pictures(server, args.steps, denoise, args.trials), flush=True)
        if args.only in (None, "overhead"):
            print(overhead(server))


if __name__ == "__main__":
    main()
