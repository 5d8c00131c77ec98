"""A host as small as can be: a mosaic of mixtures as its model, a seed, and what it was told."""

from __future__ import annotations

from dataclasses import replace

import torch

from scheduler.denoiser import start_state
from scheduler.fingerprint import Fingerprint
from scheduler.learning.at_hand import drew_this
from scheduler.learning.drawing import draw_and_learn
from scheduler.learning.full_run import full_run
from scheduler.learning.situation import Situation
from scheduler.lookup.model_facts import ModelFacts
from scheduler.rows import noise_for
from scheduler.samplers.distilled import run_from
from scheduler.sigmas import flow_table
from tests.mixture import mixture_denoiser

SHAPE = (16, 8, 8)
CFG = 3.0


def facts(**changes) -> ModelFacts:
    """The model, as a host would say it."""
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


def mosaic(digit: int):
    """denoise(x (B, 16, 8, 8), sigma (B,)): 128 independent mixtures of eight numbers each, whose
    components are as likely as the prompt has it."""
    generator = torch.Generator().manual_seed(5)
    means = torch.randn(5, 8, generator=generator, dtype=torch.float64)
    likely = torch.rand(5, generator=torch.Generator().manual_seed(digit)) + 0.1
    denoise = mixture_denoiser(means, likely / likely.sum(), 0.05)

    def of_tiles(x, sigma):
        tiles = x.reshape(-1, 8)
        return denoise(tiles, sigma.repeat_interleave(len(tiles) // len(x))).reshape(x.shape)

    return of_tiles


class Studio:
    """seed: of the noise. digit: the prompt. fail_after: model calls before the user interrupts, or the
    process dies (`how`)."""

    def __init__(self, seed: int = 0, digit: int = 3, fail_after: int | None = None, how=None):
        self.seed, self.digit, self.fail_after = seed, digit, fail_after
        self.interruption, self.how = Interrupted, how or Interrupted
        self.told: list = []
        self.calls = 0
        self.denoise = mosaic(digit)

    def draw(self, found, recording):
        recipe = found.recipe
        x = self.began(recipe.sigmas[0])

        def listen(x, sigma):
            answer = self.asked(x, sigma)
            if recording is not None:
                recording.step(x, sigma, answer)
            return answer

        drawn = run_from(listen, x, recipe, "flow")
        if recording is not None:
            recording.finish(drawn)
        return drawn

    def handed(self, found, runs):
        x = self.began(found.recipe.sigmas[0])
        same = [each for each in runs if drew_this(each, x, self.asked)]
        return same[0].vectors[same[0].steps] if same else None

    def began(self, sigma):
        """The state that a run from this sigma begins with."""
        x = start_state(self.noise, sigma, "flow")
        return x + (1 - sigma) * self.before if sigma < 1 else x

    def with_model(self, planned, work):
        return work(self.asked, lambda done, planned, phase: None)

    def tell(self, told):
        self.told.append(told)

    def prompt(self):
        return f"digit {self.digit}"

    def asked(self, x, sigma):
        if self.fail_after is not None and self.calls >= self.fail_after:
            raise self.how
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


class Died(BaseException):
    """Nothing that anything hears of."""


def situation(steps: int = 6, denoise: float = 1.0, cfg: float = CFG, **changes) -> Situation:
    known = facts(**changes)
    return Situation.of(known, known.key(cfg, SHAPE), steps, denoise)


def picture(store, host: Studio | None = None, mode="from my pictures", of=None, **more):
    """(the host, what it drew, what happened)."""
    host = host or Studio()
    more.setdefault("handed", host.handed)
    drawn, outcome = draw_and_learn(host, store, of or situation(), mode, **more)
    return host, drawn, outcome


def record_of(store):
    """The one record of a store."""
    (brief,) = store.records()
    return store.load(brief.file)


def error(host, found, seed=9, denoise: float = 1.0) -> float:
    """RMS distance of a recipe from 80 steps on a noise and a digit that nothing was learnt from."""
    other = Studio(seed, digit=8)
    fine = full_run(situation(denoise=denoise), 80)
    drawn, wanted = (other.draw(each, None) for each in (found, fine))
    return float((drawn - wanted).square().mean().sqrt())
