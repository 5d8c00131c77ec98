"""The noise of a model as its own `model_sampling` defines it: kind, prediction, shift, and its
discrete table."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...scheduler.errors import SigmaRangeError
from ...scheduler.sigmas.noise_table import NoiseTable

# ComfyUI's prediction classes by name, so that subclasses count and none must be imported; the
# special before the general.
PREDICTIONS = {
    "IMG_TO_IMG_FLOW": "img_to_img",
    "IMG_TO_IMG": "img_to_img",
    "LCM": "lcm",
    "COSMOS_RFLOW": "cosmos_rflow",
    "V_PREDICTION_DDPM": "v",
    "CONST": "flow",
    "X0": "x0",
    "EDM": "edm",
    "V_PREDICTION": "v",
    "EPS": "eps",
}


@dataclass(frozen=True, eq=False)
class HostTable(NoiseTable):
    """A model's own table whose clock is the host's: times, sigmas and percents are asked of
    `host`, the model_sampling object."""

    host: Any = None

    def timestep(self, sigma):
        return self._asked(self.host.timestep, sigma)

    def sigma(self, timestep):
        return self._asked(self.host.sigma, timestep)

    def _sigma_left(self, fraction: float) -> float:
        return float(self.host.percent_to_sigma(1 - fraction))

    def _asked(self, function, values):
        """The host's answer for one number or an array of them, in float64; some of its clocks take
        one number at a time."""
        import torch

        values = np.asarray(values, dtype=np.float64)
        given = torch.tensor(values.ravel(), dtype=torch.float32)
        try:
            found = torch.as_tensor(function(given)).reshape(-1)
        except (RuntimeError, ValueError, TypeError):
            found = torch.stack([torch.as_tensor(function(one)).reshape(()) for one in given])
        return found.cpu().double().numpy().reshape(values.shape)[()]


@dataclass(frozen=True)
class Noise:
    """process: "flow" or "ve". prediction: "flow", "eps", "v", ... shift: a flow's linear
    time shift (Flux's mu as e^mu), else None. table: the model's own levels and clock. scale: the
    standard deviation of the noise that its runs begin with. seen: what of the object tells whether
    somebody has set it otherwise since."""

    process: str
    prediction: str
    shift: float | None
    table: HostTable
    scale: float = 1.0
    seen: tuple = ()

    def is_of(self, model_sampling: Any) -> bool:
        """Whether it is that object's, as it stands now: some packs set a shift in place."""
        return self.table.host is model_sampling and self.seen == _seen(model_sampling)


def noise_of(model_sampling: Any) -> Noise:
    """What a `model_sampling` object says of a model's noise. Raises SigmaRangeError for one that
    is no diffusion of any kind known."""
    prediction = prediction_of(model_sampling)
    if prediction in (None, "img_to_img"):
        kind = ", ".join(each.__name__ for each in type(model_sampling).__mro__[1:3])
        raise SigmaRangeError(
            f"This model's noise ({kind}) has no schedule to distil; use a model that is sampled in steps."
        )
    process = "flow" if prediction == "flow" else "ve"
    shift = _shift(model_sampling) if process == "flow" else None
    sigmas = model_sampling.sigmas.detach().cpu().double().numpy()  # some devices have no float64
    if (np.diff(sigmas) == 0).any():  # some tables repeat their ends
        sigmas = sigmas * (1 + 1e-12 * np.arange(len(sigmas)))
    return Noise(
        process,
        prediction,
        shift,
        HostTable(sigmas, process, shift, model_sampling),
        _scale(model_sampling) if process == "flow" else 1.0,
        _seen(model_sampling),
    )


def prediction_of(model_sampling: Any) -> str | None:
    """The model's prediction by the names of its classes; None for an unknown one."""
    names = {each.__name__ for each in type(model_sampling).__mro__}
    return next((prediction for name, prediction in PREDICTIONS.items() if name in names), None)


def _seen(model_sampling: Any) -> tuple:
    """Its settings and three of its levels: all of them would cost each picture."""
    sigmas = model_sampling.sigmas
    levels = [float(sigmas[place]) for place in (0, len(sigmas) // 2, -1)]
    settings = [getattr(model_sampling, name, None) for name in ("shift", "noise_scale")]
    return (len(sigmas), *levels, *settings)


def _scale(model_sampling: Any) -> float:
    """What newer hosts multiply a flow's noise by. Raises SigmaRangeError where nothing is left of it."""
    scale = float(getattr(model_sampling, "noise_scale", 1.0))
    if not scale > 0:
        raise SigmaRangeError(
            f"This model's noise scale is {scale:g}, so it would draw from no noise at all; set it "
            "above 0 in ModelNoiseScale."
        )
    return scale


def _shift(model_sampling: Any) -> float:
    shift = float(getattr(model_sampling, "shift", 1.0))
    return (
        math.exp(shift)
        if "ModelSamplingFlux" in {each.__name__ for each in type(model_sampling).__mro__}
        else shift
    )
