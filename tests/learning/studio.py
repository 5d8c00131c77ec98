"""A host as small as can be: the bundled flow checkpoint, a seed, and what it was told."""

from __future__ import annotations

from dataclasses import replace

import torch

from scheduler.checkpoints import load_checkpoint
from scheduler.denoiser import start_state
from scheduler.fingerprint import Fingerprint
from scheduler.learning import Situation, draw_and_learn
from scheduler.lookup.model_facts import ModelFacts
from scheduler.rows import noise_for
from scheduler.samplers.distilled import run_from
from scheduler.sigmas import flow_table

SHAPE = (16, 8, 8)
CFG = 3.0


def facts(**changes) -> ModelFacts:
    """The bundled flow checkpoint, as a host would say it."""
    table = flow_table(3.0)
    known = ModelFacts(
        Fingerprint("w1-studio"),
        "flow",
        "flow",
        "flow",
        3.0,
        table.sigma_min,
        table.sigma_max,
        table,
    )
    return replace(known, **changes)


class Studio:
    """Draws digits. seed: of the noise. fail_after: model calls before the user interrupts."""

    def __init__(self, seed: int = 0, digit: int = 3, fail_after: int | None = None):
        self.seed, self.digit, self.fail_after = seed, digit, fail_after
        self.told: list = []
        self.calls = 0
        self.denoise = load_checkpoint("flow").denoiser(torch.tensor([digit]), CFG)

    def draw(self, found, recording):
        recipe = found.recipe
        x = start_state(self.noise, recipe.sigmas[0], "flow")
        if recipe.sigmas[0] < 1:
            x = x + (1 - recipe.sigmas[0]) * self.before

        def listen(x, sigma):
            answer = self.asked(x, sigma)
            if recording is not None:
                recording.step(x, sigma, answer)
            return answer

        drawn = run_from(listen, x, recipe, "flow")
        if recording is not None:
            recording.finish(drawn)
        return drawn

    def with_model(self, planned, work):
        return work(self.asked, lambda done, planned, phase: None)

    def tell(self, told):
        self.told.append(told)

    def prompt(self):
        return f"digit {self.digit}"

    def asked(self, x, sigma):
        if self.fail_after is not None and self.calls >= self.fail_after:
            raise Interrupted
        self.calls += len(x)
        return self.denoise(x, sigma)

    @property
    def noise(self):
        return noise_for(SHAPE, 1, self.seed, torch.device("cpu"))

    @property
    def before(self):
        """The picture that image to image begins with."""
        return 0.5 * noise_for(SHAPE, 1, 77, torch.device("cpu"))


class Interrupted(Exception):
    """What a host raises where its user interrupts."""


def situation(steps: int = 6, denoise: float = 1.0, cfg: float = CFG, **changes) -> Situation:
    known = facts(**changes)
    return Situation.of(known, known.key(cfg, SHAPE), steps, denoise)


def picture(store, host: Studio | None = None, mode="from my pictures", of=None, **more):
    """(the host, what it drew, what happened)."""
    host = host or Studio()
    drawn, outcome = draw_and_learn(host, store, of or situation(), mode, **more)
    return host, drawn, outcome
