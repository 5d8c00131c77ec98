"""One run of a host, as it was drawn: what its model saw and answered at each step, and its end."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch

from ..counted import counted
from ..denoiser import check_process
from ..errors import RecordingError
from ..record.inner_products import Gram
from ..record.words import NO_LABELS, Labels, sampler_label
from ..search.gram import gram_of, row_products
from .checking import usable
from .own_error import own_error

SAME_SIGMA = 1e-6  # relative: closer than that, a level is asked twice
MOST_REWOUND = 2  # levels that a sampler looks ahead (Heun 1, heunpp2 2) before it asks again above
# Numbers of a row that enter its own inner products: all of a picture of 1024x1024; of larger
# latents every second, third, ... one.
MOST_ELEMENTS = 1 << 18


class Recording:
    """A run in the making, then a teacher: x_0..x_T, D_0..D_{T-1} and the end, of B rows.

    latent_shape: one sample's, without batch. parametrisation: "flow" or "ve". sampler: our name
    ("dpmpp_2m") of what draws. seed: of its noise. name: what the host calls the setting ("DPM++ 2M
    Karras"). prompt: a hash by which equal conditionings are known, never the text.

    `step` and `finish` copy to the CPU at once, in float32, and hold and change nothing of the
    host's. They never raise, for a picture must not fail because somebody listens: what was wrong
    with a run is said by `check`. Raises UnknownNameError for another parametrisation.
    """

    def __init__(
        self,
        latent_shape: Sequence[int],
        parametrisation: str,
        sampler: str | None = None,
        seed: int | None = None,
        name: str | None = None,
        prompt: str | None = None,
    ):
        check_process(parametrisation)
        self.latent_shape = tuple(int(size) for size in latent_shape)
        self.parametrisation = parametrisation
        self.sampler, self.seed, self.name, self.prompt = sampler, seed, name, prompt
        self.finished = False
        self.problem = ""  # the first thing that made it useless, a sentence
        self._levels: list[float] = []
        self._states: list[torch.Tensor] = []
        self._predictions: list[torch.Tensor] = []

    def step(self, x: torch.Tensor, sigma: float | torch.Tensor, denoised: torch.Tensor) -> None:
        """One step: x (B, ...) as the model saw it, at sigma (a tensor's first number counts), and
        its answer.

        Best heard at the model's own calls: ComfyUI's callbacks pass the start each time for ipndm,
        ipndm_v and deis, and the next state for uni_pc. A sampler that looks ahead and asks again
        at a level, or at one or two above, rewinds: the last state at each level counts.
        """
        if self._refused(x, denoised):
            return
        level = _number(sigma)
        ahead = sum(kept <= level * (1 + SAME_SIGMA) for kept in self._levels[-MOST_REWOUND - 1 :])
        if 0 < ahead <= MOST_REWOUND:
            for kept in (self._levels, self._states, self._predictions):
                del kept[-ahead:]
        self._levels.append(level)
        self._states.append(_copied(x))
        self._predictions.append(_copied(denoised))

    def finish(self, x: torch.Tensor, sigma: float | torch.Tensor = 0.0) -> None:
        """The run's end: x (B, ...) at the schedule's last sigma, which must be 0 to learn from."""
        if self._refused(x):
            return
        if _number(sigma) != 0:
            self._give_up(
                f"This run ended at sigma {_number(sigma):.4g}; only one that goes down to 0 can be "
                "learnt from."
            )
            return
        self._states.append(_copied(x))
        self.finished = True

    @classmethod
    def of(cls, sigmas: np.ndarray, vectors: Sequence[torch.Tensor], **about) -> Recording:
        """A finished recording of what one held: its `sigmas` and `vectors`, and what the
        constructor takes."""
        made = cls(**about)
        steps = len(sigmas) - 1
        made._levels = [float(sigma) for sigma in sigmas[:-1]]
        made._states, made._predictions = list(vectors[: steps + 1]), list(vectors[steps + 1 :])
        made.finished = True
        return made

    @property
    def about(self) -> dict:
        """What the constructor was told, by name."""
        names = ("latent_shape", "parametrisation", "sampler", "seed", "name", "prompt")
        return {name: getattr(self, name) for name in names}

    @property
    def sigmas(self) -> np.ndarray:
        """(T + 1,) float64, descending in a run that can be learnt from, ending in 0."""
        self._need_end()
        return np.array([*self._levels, 0.0])

    @property
    def vectors(self) -> list[torch.Tensor]:
        """x_0..x_T and D_0..D_{T-1}: 2T + 1 tensors (B, ...) in float32 on the CPU."""
        self._need_end()
        return [*self._states, *self._predictions]

    @property
    def steps(self) -> int:
        """T: the steps so far."""
        return len(self._levels)

    @property
    def rows(self) -> int:
        """B: the samples of the batch, 0 before the first step."""
        return len(self._states[0]) if self._states else 0

    @property
    def elements(self) -> int:
        """The numbers of one sample."""
        return int(np.prod(self.latent_shape))

    @property
    def start_sigma(self) -> float:
        """Where the run began: the model's sigma_max, or below it at denoise < 1."""
        return float(self.sigmas[0])

    @property
    def noise(self) -> torch.Tensor:
        """x_0 / sigma_0 (B, ...): unit Gaussian where the run began in pure noise; below, the picture
        that it began with is in it too."""
        return self.vectors[0] / self.start_sigma

    @cached_property
    def products(self) -> np.ndarray:
        """(B, 2T + 1, 2T + 1) float64: mean inner products of the vectors, row by row, over at most
        MOST_ELEMENTS evenly spread numbers of each."""
        stride = -(-self.elements // MOST_ELEMENTS)
        thinned = [vector.flatten(1)[:, ::stride] for vector in self.vectors]
        return row_products(thinned, np.ones(self.rows, dtype=bool))

    @property
    def gram(self) -> Gram:
        """The inner products of all rows, as a record holds them: all of a recording that ever
        leaves with one."""
        flat = torch.stack([vector.flatten(1) for vector in self.vectors])
        return gram_of(self.sigmas, flat)

    def check(self, sigma_min: float | None = None) -> None:
        """Raise RecordingError, with the reason, where nothing can be learnt from the run (`usable`)."""
        usable(self, sigma_min)

    def words(self, labels: Labels = NO_LABELS) -> str:
        """ "25 steps of DPM++ 2M Karras": by the host's name of the setting, else by its label of the
        sampler."""
        drawn = self.name or (sampler_label(self.sampler, labels) if self.sampler else "")
        return counted(self.steps) + (f" of {drawn}" if drawn else "")

    def description(self) -> dict:
        """What a record's provenance says of the run, plain data without a number of its latents:
        steps, rows, start_sigma, own_error and, where they are known, sampler, name and seed."""
        known = {"sampler": self.sampler, "name": self.name, "seed": self.seed}
        return {
            "steps": self.steps,
            "rows": self.rows,
            "start_sigma": self.start_sigma,
            "own_error": own_error(self),
            **{name: value for name, value in known.items() if value is not None},
        }

    def _refused(self, *tensors: torch.Tensor) -> bool:
        """Whether nothing more is kept, because of these tensors or of earlier ones."""
        if self.problem:
            return True
        if self.finished:
            self._give_up("This run went on after its end; make a recording for each run.")
            return True
        shape = self._states[0].shape if self._states else tensors[0].shape
        others = [tuple(each.shape) for each in tensors if each.shape != shape]
        if others:
            self._give_up(
                f"The latents of this run changed their shape from {tuple(shape)} to {others[0]}; "
                "only one that keeps it can be learnt from."
            )
        return bool(others)

    def _give_up(self, sentence: str) -> None:
        self.problem = sentence
        self.finished = False
        for kept in (self._levels, self._states, self._predictions):
            kept.clear()

    def _need_end(self) -> None:
        if not self.finished:
            raise RecordingError(self.problem or UNFINISHED)


UNFINISHED = "This run has no end yet; call `finish` with its clean latents first."


def _copied(x: torch.Tensor) -> torch.Tensor:
    """A tensor of our own: contiguous, float32, on the CPU."""
    return torch.empty(x.shape, dtype=torch.float32).copy_(x.detach())


def _number(sigma: float | torch.Tensor) -> float:
    return float(sigma.flatten()[0]) if isinstance(sigma, torch.Tensor) else float(sigma)
