"""As much of ComfyUI as the adapters touch, for tests without it: a MODEL, its model_sampling, and
modules named comfy."""

from __future__ import annotations

import sys
import uuid
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace

import torch

from scheduler.checkpoints import load_checkpoint


class CONST:
    """ComfyUI's flow prediction, by name."""


class EPS:
    """ComfyUI's eps prediction, by name."""


class V_PREDICTION(EPS):  # noqa: N801
    """ComfyUI's v prediction, by name."""


class ModelSamplingDiscreteFlow(torch.nn.Module):
    """A flow's clock and table."""

    def __init__(self, shift=3.0, count=1000):
        super().__init__()
        self.shift = shift
        self.register_buffer("sigmas", self.sigma(torch.arange(1, count + 1) / count * 1000))

    sigma_min = property(lambda self: self.sigmas[0])
    sigma_max = property(lambda self: self.sigmas[-1])

    def timestep(self, sigma):
        return sigma * 1000

    def sigma(self, timestep):
        t = timestep / 1000
        return self.shift * t / (1 + (self.shift - 1) * t)

    def percent_to_sigma(self, percent):
        return self.sigma((1 - percent) * 1000)


class ModelSamplingDiscrete(torch.nn.Module):
    """Stable Diffusion's clock and table; `ties` repeats its ends, as some models do."""

    def __init__(self, ties=False):
        super().__init__()
        from scheduler.sigmas import sd_table

        sigmas = torch.tensor(sd_table().sigmas, dtype=torch.float32)
        self.register_buffer(
            "sigmas", torch.cat([sigmas[:1], sigmas, sigmas[-1:]]) if ties else sigmas
        )

    sigma_min = property(lambda self: self.sigmas[0])
    sigma_max = property(lambda self: self.sigmas[-1])

    def timestep(self, sigma):
        return (sigma.log()[..., None] - self.sigmas.log()).abs().argmin(-1)

    def sigma(self, timestep):
        below = timestep.floor().long().clamp(0, len(self.sigmas) - 1)
        above = timestep.ceil().long().clamp(0, len(self.sigmas) - 1)
        return torch.lerp(self.sigmas.log()[below], self.sigmas.log()[above], timestep.frac()).exp()

    def percent_to_sigma(self, percent):
        return self.sigma(torch.tensor((1 - percent) * 999.0)).item()


def sampling(table=ModelSamplingDiscreteFlow, prediction=CONST, **settings):
    """A model_sampling object, its class made as ComfyUI makes it."""
    return type("ModelSampling", (table, prediction), {})(**settings)


class Patcher:
    """A MODEL: what ModelPatcher has that the adapters ask."""

    def __init__(self, model, file=None):
        self.model, self.patches, self.backup, self.hook_backup = model, {}, {}, {}
        self.object_patches, self.attachments, self.wrappers, self.injections = {}, {}, {}, {}
        self.model_options, self.patches_uuid = {"transformer_options": {}}, uuid.uuid4()
        if file:
            self.cached_patcher_init = (len, (file, {}))

    @contextmanager
    def use_ejected(self):
        yield

    def get_model_object(self, name):
        return (
            self.object_patches[name] if name in self.object_patches else getattr(self.model, name)
        )

    def add_object_patch(self, name, value):
        self.object_patches[name] = value

    def set_attachments(self, key, value):
        self.attachments[key] = value

    def get_attachment(self, key):
        return self.attachments.get(key)

    def add_wrapper_with_key(self, kind, key, function):
        self.wrappers.setdefault(kind, {}).setdefault(key, []).append(function)

    def remove_wrappers_with_key(self, kind, key):
        self.wrappers.get(kind, {}).pop(key, None)

    def clone(self):
        other = Patcher(self.model)
        other.__dict__.update(
            {
                key: value.copy() if isinstance(value, dict) else value
                for key, value in self.__dict__.items()
            }
        )
        return other

    def add_patches(self, patches, strength):
        for key, value in patches.items():
            self.patches[key] = [*self.patches.get(key, []), (strength, value, 1.0, None, None)]
        self.patches_uuid = uuid.uuid4()


class Config:
    """A model_config, whose class names a model of which nothing else is known."""


def patcher(kind="flow", sampled=None, file=None) -> Patcher:
    """A bundled checkpoint as a MODEL."""
    base = torch.nn.Module()
    base.diffusion_model = load_checkpoint(kind).model
    base.model_config = Config()
    base.model_sampling = sampled or (
        sampling() if kind == "flow" else sampling(ModelSamplingDiscrete, EPS)
    )
    return Patcher(base, file)


def simple_scheduler(model_sampling, steps):
    """The host's `simple`."""
    stride = len(model_sampling.sigmas) / steps
    return torch.tensor(
        [*(float(model_sampling.sigmas[-1 - int(i * stride)]) for i in range(steps)), 0.0]
    )


def comfy(monkeypatch) -> SimpleNamespace:
    """Modules named comfy in sys.modules, for one test; the namespace has `samplers`, `sampling`
    and `extension`."""
    names = (
        "comfy",
        "comfy.samplers",
        "comfy.k_diffusion",
        "comfy.k_diffusion.sampling",
        "comfy.patcher_extension",
    )
    found = {name: ModuleType(name) for name in (*names, "comfy.model_management")}
    samplers, k, extension = (
        found["comfy.samplers"],
        found["comfy.k_diffusion.sampling"],
        found["comfy.patcher_extension"],
    )
    samplers.SCHEDULER_HANDLERS, samplers.SCHEDULER_NAMES = {"simple": None}, ["simple"]
    samplers.KSAMPLER_NAMES, samplers.SAMPLER_NAMES = (
        ["euler", "dpmpp_2m"],
        ["euler", "dpmpp_2m", "uni_pc"],
    )
    samplers.SchedulerHandler = lambda handler, use_ms: (handler, use_ms)
    samplers.KSampler = SimpleNamespace(
        SCHEDULERS=samplers.SCHEDULER_NAMES, SAMPLERS=samplers.SAMPLER_NAMES
    )
    samplers.simple_scheduler = simple_scheduler
    k.sample_dpmpp_2m = lambda model, x, sigmas, **_: ("dpmpp_2m", sigmas)
    extension.WrappersMP = SimpleNamespace(
        OUTER_SAMPLE="outer_sample", PREDICT_NOISE="predict_noise"
    )
    extension.add_wrapper_with_key = _add_wrapper
    found["comfy.model_management"].throw_exception_if_processing_interrupted = lambda: None
    for name, module in found.items():
        monkeypatch.setitem(sys.modules, name, module)
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(found[parent], child, module)
    return SimpleNamespace(samplers=samplers, sampling=k, extension=extension)


def _add_wrapper(kind, key, function, options, is_model_options=False):
    options.setdefault("transformer_options", {}).setdefault("wrappers", {}).setdefault(
        kind, {}
    ).setdefault(key, []).append(function)
