"""The pieces of prompts that the tests share: the bundled checkpoints in stock loaders, digits as
prompts, two rows a batch."""

from __future__ import annotations

from dataclasses import dataclass

from tests.comfyui.client import Graph, Out

LATENTS = {"flow": "EmptySD3LatentImage", "eps": "EmptyLatentImage"}
CFG = 3.0
DIGITS = "3, 7"


@dataclass
class Scene:
    """What every sampling node asks for."""

    graph: Graph
    model: Out
    positive: Out
    negative: Out
    latent: Out

    def add(self, kind: str, **inputs) -> Out:
        """A node in the same graph."""
        return self.graph.add(kind, **inputs)

    def distill(self, model: Out | None = None, **changed) -> Out:
        """Distill Schedule, quick, for the distilled sampler at 4 to 5 steps."""
        settings = {
            "cfg": CFG,
            "sampler_name": "distilled",
            "max_steps": 5,
            "quality": "instant",
            "noise_seed": 0,
        } | changed
        return self.add(
            "StepDistillDistill",
            model=model or self.model,
            **self.prompts,
            latent_image=self.latent,
            **settings,
        )

    def ksampler(self, model: Out | None = None, name: str | None = None, **changed) -> Out:
        """KSampler with the scheduler `distilled`, its latents saved where there is a name."""
        settings = {
            "seed": 5,
            "steps": 6,
            "cfg": CFG,
            "sampler_name": "euler",
            "scheduler": "distilled",
            "denoise": 1.0,
        } | changed
        drawn = self.add(
            "KSampler",
            model=model or self.model,
            **self.prompts,
            latent_image=self.latent,
            **settings,
        )
        return self.saved(name, samples=drawn)

    def custom(
        self,
        sigmas: Out,
        sampler: Out | str,
        name: str | None = None,
        model: Out | None = None,
        seed: int = 5,
    ) -> Out:
        """SamplerCustomAdvanced with CFGGuider."""
        sampler = (
            self.add("KSamplerSelect", sampler_name=sampler)
            if isinstance(sampler, str)
            else sampler
        )
        guider = self.add("CFGGuider", model=model or self.model, **self.prompts, cfg=CFG)
        noise = self.add("RandomNoise", noise_seed=seed)
        drawn = self.add(
            "SamplerCustomAdvanced",
            noise=noise,
            guider=guider,
            sampler=sampler,
            sigmas=sigmas,
            latent_image=self.latent,
        )
        return self.saved(name, samples=drawn)

    def recorded(self, name: str, seconds: float = 0.0, model: Out | None = None) -> Out:
        """The model, its runs written down under a name."""
        return self.add("TestRecorder", model=model or self.model, name=name, seconds=seconds)

    def saved(self, name: str | None, **values: Out) -> Out:
        """TestSave where there is a name; the first value."""
        if name:
            self.add("TestSave", name=name, **values)
        return next(iter(values.values()))

    @property
    def prompts(self) -> dict[str, Out]:
        return {"positive": self.positive, "negative": self.negative}


def scene(kind: str = "flow", rows: int = 2, digits: str = DIGITS) -> Scene:
    """A bundled checkpoint with its prompts and an empty latent, in a new graph."""
    g = Graph()
    model = g.add("UNETLoader", unet_name=f"{kind}.safetensors", weight_dtype="default")
    latent = g.add(LATENTS[kind], width=64, height=64, batch_size=rows)
    return Scene(
        g, model, g.add("TestDigits", digits=digits), g.add("TestDigits", digits="-1"), latent
    )


def video(seed: int) -> Scene:
    """A tiny Wan of its own weights with prompts and an empty latent (1, 16, 2, 8, 8), in a new graph."""
    g = Graph()
    latent = g.add("EmptyHunyuanLatentVideo", width=64, height=64, length=5, batch_size=1)
    yes, no = (
        g.add("TestConditioning", seed=number, tokens=4, width=4096, pooled=0) for number in (1, 2)
    )
    return Scene(g, g.add("TestWan", seed=seed), yes, no, latent)
