"""Makes tests/golden/*.json anew, by the programs that the numbers come from, run unmodified.

    COMFYUI_PATH=/path/to/ComfyUI OSS_PATH=/path/to/OptimalSteps python -m tools.make_golden --output FOLDER

COMFYUI_PATH names a checkout of ComfyUI, 0.3.64 or newer (run this with the Python that its requirements are
installed for), OSS_PATH one of the OSS authors' code, github.com/bebebe666/OptimalSteps. Where one
is missing, its files are left out. The problems (mixtures, noise, grids) are read from the present
files; everything that the programs answer is computed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module
from pathlib import Path

import torch

from scheduler.samplers import SAMPLERS
from scheduler.samplers.brownian import BrownianPath
from scheduler.samplers.names import ON_PATHS, VE_ONLY
from scheduler.samplers.stochastic import noise_time
from scheduler.sigmas import STOCK
from tests.comfyui.launcher import fill_gaps
from tests.golden_numbers import HOSTLESS, golden
from tests.mixture import mixture_denoiser

STEPS = (1, 2, 4, 5, 8, 10, 20)
TABLE_STEPS = (4, 5, 8, 10, 20)
# Of the samplers' results: the process and the noise table.
PROCESSES = {"results": ("ve", "sd_eps"), "flow_results": ("flow", "flow_shift3")}
IN_FLOAT32 = ("uni_pc", "uni_pc_bh2")
PATH_SEED = 12
NOISY_RUNS = ("karras-5", "normal-8", "beta-10")
STOCHASTIC_SOURCE = (
    "ComfyUI 0.3.64's sampler functions run unmodified in float64 on the mixture and noise of "
    "stock_samplers.json, their noise_sampler answering increments of scheduler/samplers/brownian.py's "
    "path of this seed"
)


# ComfyUI


@cache
def enter_comfyui() -> None:
    """Make ComfyUI's modules importable, on the CPU."""
    fill_gaps()
    sys.path.insert(0, os.environ["COMFYUI_PATH"])
    import_module("comfy.cli_args").args.cpu = True


def noise_tables() -> dict[str, object]:
    """ComfyUI's model_sampling of the three models: Stable Diffusion, a flow of shift 3, Flux."""
    sampling = import_module("comfy.model_sampling")
    shifted = sampling.ModelSamplingDiscreteFlow()
    shifted.set_parameters(shift=3.0)
    flux = sampling.ModelSamplingFlux()
    flux.set_parameters(shift=1.15)
    return {
        "sd_eps": sampling.ModelSamplingDiscrete(),
        "flow_shift3": shifted,
        "flux_mu1_15": flux,
    }


def offered(names: Iterable[str]) -> list[str]:
    """Ours that the hosts have too."""
    return [name for name in names if name not in HOSTLESS]


def schedules_of(table, name: str, steps: int) -> list[float]:
    found = import_module("comfy.samplers").calculate_sigmas(table, name, steps)
    return [float(sigma) for sigma in found]


def described(table) -> dict:
    """A noise table's ends, a sample of it, and every stock schedule on it."""
    sigmas = table.sigmas
    last = len(sigmas) - 1
    return {
        "sigma_min": float(table.sigma_min),
        "sigma_max": float(table.sigma_max),
        "table_length": len(sigmas),
        "table_sample": {
            str(k): float(sigmas[k]) for k in (0, 1, 10, 100, (last + 1) // 2, last - 1, last)
        },
        "schedules": {
            name: {str(n): schedules_of(table, name, n) for n in STEPS} for name in offered(STOCK)
        },
    }


def stock_schedules() -> dict:
    """stock_schedules.json."""
    enter_comfyui()
    models = {name: described(table) for name, table in noise_tables().items()}
    return golden("stock_schedules") | {"models": models, "tables": published_tables()}


def published_tables() -> dict:
    """The three scheduler nodes' answers: Align Your Steps, GITS, OptimalSteps."""
    ays = import_module("comfy_extras.nodes_align_your_steps").AlignYourStepsScheduler
    gits = import_module("comfy_extras.nodes_gits").GITSScheduler
    optimal = import_module("comfy_extras.nodes_optimalsteps").OptimalStepsScheduler
    nodes = {
        "ays": (ays, {name: name for name in ("SD1", "SDXL", "SVD")}),
        "gits": (gits, {"1.0": 1.0, "1.2": 1.2}),
        "optimal_steps": (optimal, {name: name for name in ("FLUX", "Wan", "Chroma")}),
    }
    return {
        kind: {label: asked(node, value) for label, value in choices.items()}
        for kind, (node, choices) in nodes.items()
    }


def asked(node, value) -> dict[str, list[float]]:
    answers = {n: node.execute(value, n, 1.0).args[0] for n in TABLE_STEPS}
    return {str(n): [float(sigma) for sigma in sigmas] for n, sigmas in answers.items()}


def stock_samplers() -> dict:
    """stock_samplers.json."""
    enter_comfyui()
    found = dict(golden("stock_samplers"))
    for key, (process, table) in PROCESSES.items():
        runs = list(found[key]["euler"])
        found[key] = {
            sampler: {run: end_states(found, process, table, sampler, run) for run in runs}
            for sampler in dict.fromkeys([*found[key], *offered(SAMPLERS)])
        }
    return found


class Network:
    """An ideal denoiser, as ComfyUI's samplers call a model: (x, sigma) -> x0, in float64 inside."""

    def __init__(self, problem: dict, process: str, table):
        self.denoise = mixture_denoiser(
            problem["means"], problem["weights"], problem["variance"], process
        )
        self.inner_model = self.model_patcher = self
        self.model_sampling = table

    def __call__(self, x, sigma, **_):
        return self.denoise(x, sigma)

    def get_model_object(self, _name):
        return self.model_sampling


def end_states(problem: dict, process: str, table: str, sampler: str, run: str) -> list:
    """What a sampler makes of the noise on the schedule and number of steps that `run` names."""
    name, steps = run.rsplit("-", 1)
    model_sampling = noise_tables()[table]
    dtype = torch.float32 if sampler in IN_FLOAT32 else torch.float64
    sigmas = torch.tensor(schedules_of(model_sampling, name, int(steps)), dtype=dtype)
    start = torch.tensor(problem["noise"], dtype=dtype) * sigmas[0]
    network = Network(problem, process, model_sampling)
    with torch.no_grad():
        end = sampler_function(sampler)(network, start, sigmas, extra_args={}, disable=True)
    return end.tolist()


def stochastic_samplers() -> dict:
    """stochastic_samplers.json: the hosts' samplers, their noise taken from a path of ours."""
    enter_comfyui()
    problem = golden("stock_samplers")
    found = {"source": STOCHASTIC_SOURCE, "seed": PATH_SEED}
    for key, (process, table) in PROCESSES.items():
        found[key] = {
            sampler: {run: noisy_end(problem, process, table, sampler, run) for run in NOISY_RUNS}
            for sampler in ON_PATHS
            if process == "ve" or sampler not in VE_ONLY
        }
    return found


def noisy_end(problem: dict, process: str, table: str, sampler: str, run: str) -> list:
    """The end state of a stochastic sampler."""
    name, steps = run.rsplit("-", 1)
    model_sampling = noise_tables()[table]
    if process == "flow":  # how ComfyUI's samplers know one
        const = import_module("comfy.model_sampling").CONST
        kind = type(model_sampling)
        model_sampling.__class__ = type("FlowSampling", (kind, const), {})
    schedule = schedules_of(model_sampling, name, int(steps))
    sigmas = torch.tensor(schedule, dtype=torch.float64)
    start = torch.tensor(problem["noise"], dtype=torch.float64) * sigmas[0]
    path, time = BrownianPath(start.shape, PATH_SEED), noise_time(sampler, process)

    def noise(sigma, sigma_next):
        return path.noise(time(float(sigma)), time(float(sigma_next))).to(start)

    network = Network(problem, process, model_sampling)
    with torch.no_grad():
        end = sampler_function(sampler)(
            network, start, sigmas, extra_args={}, disable=True, noise_sampler=noise
        )
    return end.tolist()


def sampler_function(name: str) -> Callable:
    if name in IN_FLOAT32:
        variants = import_module("comfy.extra_samplers.uni_pc")
        own = variants.sample_unipc if name == "uni_pc" else variants.sample_unipc_bh2
        return lambda model, x, sigmas, **rest: own(model, x, sigmas, **rest)
    return getattr(import_module("comfy.k_diffusion.sampling"), f"sample_{name}")


# The authors of OptimalSteps


class Velocity:
    """An ideal denoiser, as the authors' search calls a model.

    (z, grid index, class, options) -> velocity.
    """

    def __init__(self, case: dict):
        self.denoise = mixture_denoiser(case["means"], case["weights"], case["variance"])
        self.fm_steps = torch.tensor(case["grid"], dtype=torch.float64)

    def __call__(self, z, index, _class, _options):
        t = self.fm_steps[index]
        return (z - self.denoise(z, t)) / t.reshape(-1, *[1] * (z.dim() - 1))


def oss_reference() -> dict:
    """oss_reference.json."""
    found = dict(golden("oss_reference"))
    sys.path.insert(0, os.environ["OSS_PATH"])
    oss = import_module("OSS.OSS")
    found["cases"] = [case | answers(oss, case) for case in found["cases"]]
    return found


def answers(oss, case: dict) -> dict:
    model = Velocity(case)
    noise = torch.tensor(case["noise"], dtype=torch.float64)
    rows = len(noise)
    device = "cpu"
    counts = {"teacher_steps": case["teacher_steps"], "student_steps": case["student_steps"]}
    schedules = oss.search_OSS(model, noise, rows, None, device, **counts)
    batched = oss.search_OSS_batch(model, noise, rows, None, device, **counts)
    every = list(range(1, case["teacher_steps"] + 1))
    teacher = oss.infer_OSS(every, model, noise, None, device, float32=False)
    ends = [
        oss.infer_OSS(steps, model, noise[k : k + 1], None, device, float32=False)[0]
        for k, steps in enumerate(schedules)
    ]
    gaps = [(end - teacher[k]).square().mean().sqrt().item() for k, end in enumerate(ends)]
    return {
        "schedules": schedules,
        "batch_equal": batched == schedules,
        "median_schedule": oss.cal_medium(schedules),
        "teacher_end": teacher.tolist(),
        "end_rms_own_schedule": gaps,
    }


MAKERS = {
    "stock_schedules": (stock_schedules, "COMFYUI_PATH"),
    "stock_samplers": (stock_samplers, "COMFYUI_PATH"),
    "stochastic_samplers": (stochastic_samplers, "COMFYUI_PATH"),
    "oss_reference": (oss_reference, "OSS_PATH"),
}


def main() -> None:
    shown = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=shown)
    parser.add_argument("--output", type=Path, required=True, help="the folder to write into")
    folder = parser.parse_args().output
    sys.argv[1:] = []  # ComfyUI reads the command line too
    folder.mkdir(parents=True, exist_ok=True)
    for name, (make, variable) in MAKERS.items():
        if not os.environ.get(variable):
            print(f"{name}.json: left out, {variable} names no checkout")
            continue
        (folder / f"{name}.json").write_text(json.dumps(make()), encoding="utf-8")
        print(f"{name}.json: made")


if __name__ == "__main__":
    main()
