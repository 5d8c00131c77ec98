"""A make-believe WebUI: as much of the host as registering and looking up need, and our packages
loaded as its script loads them."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections import namedtuple
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from unittest.mock import MagicMock

import torch

ROOT = Path(__file__).resolve().parents[2]
ALIAS = "stepdistill_webui"
SamplerData = namedtuple("SamplerData", ["name", "constructor", "aliases", "options"])


@dataclass
class Scheduler:
    """As the host's."""

    name: str
    label: str
    function: object
    default_rho: float = -1
    need_inner_model: bool = False
    aliases: list | None = None


def karras(n, sigma_min, sigma_max, device="cpu", rho=7.0):
    """The host's."""
    high, low = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    return torch.cat([(high + torch.linspace(0, 1, n) * (low - high)) ** rho, torch.zeros(1)])


class KDiffusionSampler:
    """As much of the host's as our wrapping sees."""

    def __init__(self, funcname, model):
        self.funcname, self.func, self.config, self.model = funcname, funcname, None, model

    def get_sigmas(self, p, steps):
        drops = self.config.options.get("discard_next_to_last_sigma", False)
        scheduler = sys.modules["modules.sd_schedulers"].schedulers_map[p.scheduler]
        inner = SimpleNamespace(inner_model=self.model)
        sigmas = scheduler.function(
            n=steps + drops,
            sigma_min=0.0291675,
            sigma_max=14.614643,
            inner_model=inner,
            device="cpu",
        )
        return torch.cat([sigmas[:-2], sigmas[-1:]]) if drops else sigmas

    def sample(
        self, p, x, conditioning, unconditional_conditioning, steps=None, image_conditioning=None
    ):
        return self.get_sigmas(p, steps or p.steps)

    def sample_img2img(
        self,
        p,
        x,
        noise,
        conditioning,
        unconditional_conditioning,
        steps=None,
        image_conditioning=None,
    ):
        total, last = setup_img2img_steps(p, steps)
        return self.get_sigmas(p, total)[total - last - 1 :]


def setup_img2img_steps(p, steps=None):
    """The host's rule."""
    if getattr(p, "fixed", False) or steps is not None:
        asked = steps or p.steps
        return (
            int(asked / min(p.denoising_strength, 0.999)) if p.denoising_strength > 0 else 0
        ), asked - 1
    return p.steps, int(min(p.denoising_strength, 0.999) * p.steps)


class Diffusion(torch.nn.Module):
    """A few weights to know a model by."""

    def __init__(self):
        super().__init__()
        drawn = torch.Generator().manual_seed(0)
        self.layers = torch.nn.ModuleList([torch.nn.Linear(16, 16) for _ in range(4)])
        for layer in self.layers:
            layer.weight.data = torch.randn(16, 16, generator=drawn)


class Model(torch.nn.Module):
    """A loaded SD1 of A1111's kind."""

    def __init__(self, file: Path):
        super().__init__()
        self.model = torch.nn.Module()
        self.model.diffusion_model = Diffusion()
        betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
        self.alphas_cumprod = torch.cumprod(1 - betas, 0).float()
        self.parameterization, self.sd_checkpoint_info = "eps", SimpleNamespace(filename=str(file))


def install(
    monkeypatch,
    options: dict | None = None,
    without: tuple[str, ...] = (),
    others: dict[str, dict] | None = None,
) -> SimpleNamespace:
    """Put the make-believe host into sys.modules and load our script as the host does; returns what
    tests ask for. without: modules that the host does not have. others: what stands in its modules
    besides, by module."""
    opts = SimpleNamespace(
        always_discard_next_to_last_sigma=False,
        add_option=lambda name, info: None,
        **(options or {}),
    )
    state = SimpleNamespace(
        interrupted=False,
        skipped=False,
        begin=lambda job: None,
        end=lambda: None,
        job_count=0,
        textinfo=None,
    )
    schedulers = [
        Scheduler("automatic", "Automatic", None),
        Scheduler("karras", "Karras", karras, default_rho=7.0),
    ]
    samplers = [SamplerData("Euler", None, ["k_euler"], {})]
    # A class of its own each time: what is tested replaces methods of it.
    k_diffusion = type("KDiffusionSampler", (KDiffusionSampler,), dict(vars(KDiffusionSampler)))
    parts = {
        "shared": {
            "opts": opts,
            "cmd_opts": SimpleNamespace(),
            "state": state,
            "OptionInfo": MagicMock(),
        },
        "sd_schedulers": {
            "Scheduler": Scheduler,
            "schedulers": schedulers,
            "schedulers_map": {key: s for s in schedulers for key in (s.name, s.label)},
        },
        "sd_samplers": {
            "all_samplers": samplers,
            "all_samplers_map": {each.name: each for each in samplers},
            "set_samplers": lambda: None,
        },
        "sd_samplers_common": {
            "SamplerData": SamplerData,
            "setup_img2img_steps": setup_img2img_steps,
        },
        "sd_samplers_kdiffusion": {"KDiffusionSampler": k_diffusion},
        "sd_models": {"model_data": SimpleNamespace(sd_model=None)},
        "script_callbacks": {},
        "scripts": {"Script": object, "AlwaysVisible": True, "scripts_data": []},
        "call_queue": {},
    }
    for name, contents in (others or {}).items():
        parts[name] = parts[name] | contents
    package = ModuleType("modules")
    package.__path__ = []
    monkeypatch.setitem(sys.modules, "modules", package)
    for name in without:
        monkeypatch.delitem(sys.modules, f"modules.{name}", raising=False)
        parts.pop(name)
    for name, contents in parts.items():
        module = MagicMock() if name == "script_callbacks" else ModuleType(f"modules.{name}")
        vars(module).update(contents)
        monkeypatch.setitem(sys.modules, f"modules.{name}", module)
        setattr(package, name, module)
    monkeypatch.setitem(sys.modules, "gradio", MagicMock())
    script = run_script()
    return SimpleNamespace(
        opts=opts,
        modules=package,
        sampler=package.sd_samplers_kdiffusion.KDiffusionSampler,
        script=script,
    )


def run_script() -> ModuleType:
    """Execute scripts/stepdistill.py under a bare name, as the host does at its start and at each
    Reload UI."""
    spec = importlib.util.spec_from_file_location(
        "stepdistill.py", ROOT / "scripts" / "stepdistill.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def ours(name: str) -> ModuleType:
    """One of our modules as the host has it, such as "a1111.schedule"."""
    return importlib.import_module(f"{ALIAS}.{name}")
