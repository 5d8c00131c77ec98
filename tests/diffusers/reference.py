"""The denoiser inside a pipeline, written down by hand: the network with the conditioning that the
pipeline gives it, its guidance, and what its answer means."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch


@dataclass
class Reference:
    """A pipeline, a call of it, and how its guidance is made: "doubled" batch, "pair" of calls, "single"."""

    pipe: object
    call: dict
    guidance: str
    scale: float = 1.0
    prediction: str = "epsilon"
    per_thousand: bool = False
    inputs: list = field(default_factory=list)

    def __post_init__(self):
        network = getattr(self.pipe, "transformer", None) or self.pipe.unet
        handle = network.register_forward_pre_hook(self._note, with_kwargs=True)
        self.pipe(**self.call, num_inference_steps=1, output_type="latent")
        handle.remove()
        self.network, self.stock = network, self.pipe.scheduler

    def _note(self, network, arguments, named):
        self.inputs.append(dict(named))

    def denoise(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        level = float(sigma[0])
        answer = self._answer(x, level)
        if self.prediction == "epsilon":
            return x - level * answer
        if self.prediction == "v_prediction":
            return x / (level**2 + 1) - answer * level / (level**2 + 1) ** 0.5
        return x - level * answer

    @property
    def flow(self) -> bool:
        return self.prediction == "flow"

    def _answer(self, x, level):
        if self.guidance == "doubled":
            free, asked = self._ask(torch.cat([x, x]), level, 0).chunk(2)
            return free + self.scale * (asked - free)
        asked = self._ask(x, level, 0)
        if self.guidance == "pair":
            free = self._ask(x, level, 1)
            return free + self.scale * (asked - free)
        return asked

    def _ask(self, x, level, which):
        named = dict(self.inputs[which])
        fed = x if self.flow else x / (level**2 + 1) ** 0.5
        time = level * 1000 if self.flow else self._time(level)
        time = torch.full((len(fed),), time / 1000 if self.per_thousand else time)
        with torch.no_grad():
            if "hidden_states" in named:
                named |= {"hidden_states": fed, "timestep": time, "return_dict": False}
                return self.network(**named)[0]
            return self.network(fed, time[0], **named | {"return_dict": False})[0]

    def _time(self, level: float) -> float:
        kept = self.stock.alphas_cumprod.double().numpy()
        levels = np.log(np.sqrt((1 - kept) / kept))
        return float(np.interp(np.log(level), levels, np.arange(len(levels))))
