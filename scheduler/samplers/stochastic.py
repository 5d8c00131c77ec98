"""The hosts' stochastic samplers at their defaults (eta 1, s_noise 1), on a given Brownian path.

All of them follow the reverse process of their noise, written for z = x / alpha and its noise level
lambda = sigma / alpha (VE: sigma; flow: s / (1 - s)). One step is

    z' = (down / lambda) z + (1 - down / lambda) D + sqrt(lambda'^2 - down^2) n ,

where n is unit Gaussian and the samplers differ in `down`, in what they take for D, and in the
number of model calls. With down = lambda'^2 / lambda the noise is lambda'^2 (B(t') - B(t)) for the
Brownian motion B in the time t = 1 / lambda^2: exact in its linear part, so that a coarse step's n is
the increment of the very path that fine steps take (Song et al., arXiv 2011.13456; SEEDS, 2305.14267).
er_sde has noise of its own, down / lambda = phi(lambda') / phi(lambda), and with it the time
t = (lambda / phi)^2 (ER-SDE, 2309.06169).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

import torch

from ..denoiser import AnyDenoiser, ScalarDenoiser, check_process, checked, start_state
from ..errors import UnknownNameError
from ..sigmas.noise_table import flow_table
from ..sigmas.validity import Sigmas, check_schedule, check_steps
from .brownian import BrownianPath
from .multistep import combine
from .names import ON_PATHS, VE_ONLY, Recipe
from .stock import Callback

FLOW_TOP = 0.9999  # where a flow's sigma 1 is put by hosts whose shift is 1
_ER_POINTS = 200  # of er_sde's integrals, as its authors take them


@dataclass(frozen=True)
class Level:
    """One noise level: sigma, the weight alpha of the clean part, and lambda = sigma / alpha."""

    sigma: float
    alpha: float

    @classmethod
    def of(cls, sigma: float, process: str) -> Level:
        return cls(sigma, 1 - sigma if process == "flow" else 1.0)

    @classmethod
    def at(cls, lam: float, process: str) -> Level:
        """The level with this lambda."""
        alpha = 1 / (1 + lam) if process == "flow" else 1.0
        return cls(alpha * lam, alpha)

    @property
    def lam(self) -> float:
        return self.sigma / self.alpha if self.alpha else math.inf

    @property
    def inverse(self) -> float:
        """1 / lambda, 0 at a flow's sigma 1."""
        return self.alpha / self.sigma


@dataclass
class _Run:
    """A run on its way: the state, and the answers and levels seen, the newest first."""

    model: ScalarDenoiser
    path: BrownianPath
    process: str
    x: torch.Tensor
    answers: list[torch.Tensor] = field(default_factory=list)
    levels: list[Level] = field(default_factory=list)

    def noise(self, now: Level, then: Level, time: Callable[[Level], float]) -> torch.Tensor:
        return self.path.noise(time(now), time(then)).to(self.x)

    def ask(self, x: torch.Tensor, level: Level) -> torch.Tensor:
        return self.model(x, level.sigma)


Step = Callable[[_Run, Level, Level], torch.Tensor]  # (run, now, then > 0) -> the next state


def check_stochastic(sampler: str, process: str) -> None:
    """Raise UnknownNameError unless the sampler can run on a path for models of this process."""
    check_process(process)
    if sampler in ON_PATHS and not (process == "flow" and sampler in VE_ONLY):
        return
    known = ", ".join(name for name in ON_PATHS if process == "ve" or name not in VE_ONLY)
    raise UnknownNameError(
        f"Sampler {sampler!r} cannot be measured on {process} models; use one of: {known}."
    )


def stochastic_calls(sampler: str, steps: int) -> int:
    """Model calls of `steps` steps for one sample; the last step, to sigma 0, takes one."""
    return ON_PATHS[sampler] * (check_steps(steps) - 1) + 1


def noise_time(sampler: str, process: str) -> Callable[[float], float]:
    """The time, by sigma, whose Brownian increments are the sampler's noise."""
    time = _er_time if sampler == "er_sde" else _snr
    return lambda sigma: time(Level.of(float(sigma), process))


@torch.no_grad()
def sample_on_path(
    denoise: AnyDenoiser,
    x: torch.Tensor,
    sigmas: Sigmas,
    sampler: str,
    path: BrownianPath,
    process: str,
    top: float = FLOW_TOP,
    callback: Callback | None = None,
) -> torch.Tensor:
    """Run a stochastic sampler down a schedule; the clean latent, of x's shape, dtype and device.

    x: (B, ...) at sigmas[0], already scaled. sigmas: (N+1,). path: of x's shape. top: of a flow
    model, the sigma that stands for 1 in samplers that need a finite lambda: the model's own at
    .01 % of its clock (`NoiseTable.percent_to_sigma(1e-4)`). callback(i, x, denoised) follows each
    step's first call. Raises UnknownNameError, ScheduleError and DenoiserError.
    """
    check_stochastic(sampler, process)
    values = check_schedule(sigmas).tolist()
    if process == "flow" and values[0] >= 1 and sampler not in _FROM_ONE:
        values[0] = max(top, math.sqrt(values[1]))  # never at or below the next one
    run, step = _Run(checked(denoise), path, process, x), _STEPS[sampler]
    for i, (sigma, s_next) in enumerate(pairwise(values)):
        now = Level.of(sigma, process)
        denoised = run.ask(run.x, now)
        if callback is not None:
            callback(i, run.x, denoised)
        run.answers, run.levels = [denoised, *run.answers[:2]], [now, *run.levels[:2]]
        run.x = step(run, now, Level.of(s_next, process)) if s_next > 0 else denoised
    return run.x


def run_on_path(
    denoise: AnyDenoiser,
    noise: torch.Tensor,
    recipe: Recipe,
    process: str,
    seed: int,
    shift: float | None = None,
    noise_scale: float = 1.0,
) -> torch.Tensor:
    """A stochastic sampler's recipe from unit Gaussian noise (B, ...) to the clean latent.

    seed: of the path. shift: a flow's. noise_scale: of the model's noise, and of the path. Raises
    UnknownNameError, ScheduleError and DenoiserError.
    """
    x = start_state(noise * noise_scale, recipe.sigmas[0], process)
    path = BrownianPath(noise.shape, seed, noise.device, noise_scale)
    top = FLOW_TOP if shift is None else flow_table(shift).percent_to_sigma(1e-4)
    return sample_on_path(denoise, x, recipe.sigmas, recipe.sampler, path, process, top)


def _snr(level: Level) -> float:
    """The time of the usual reverse process: 1 / lambda^2."""
    return level.inverse**2


def _toward(run: _Run, now: Level, then: Level, down: float, denoised: torch.Tensor):
    """The state at `then` without its noise, whose lambda is `down` still."""
    share = then.alpha * down / now.sigma
    return combine([share, then.alpha * (1 - down * now.inverse)], [run.x, denoised])


def _noised(run: _Run, x: torch.Tensor, now: Level, then: Level, down: float, time=_snr):
    """The state with the noise that lifts it from lambda `down` to that of `then`."""
    amount = then.alpha * math.sqrt(max(then.lam**2 - down**2, 0.0))
    return x.add_(run.noise(now, then, time), alpha=amount)


def _exact(now: Level, then: Level) -> float:
    return then.lam**2 * now.inverse


def _ancestral_down(run: _Run, now: Level, then: Level) -> float:
    """Where k-diffusion's ancestral step goes down to, or ComfyUI's own for flow models."""
    if run.process == "ve":
        return _exact(now, then)
    return Level.of(then.sigma**2 / now.sigma, "flow").lam


def _euler_ancestral(run: _Run, now: Level, then: Level) -> torch.Tensor:
    down = _ancestral_down(run, now, then)
    return _noised(run, _toward(run, now, then, down, run.answers[0]), now, then, down)


def _dpmpp_2s_ancestral(run: _Run, now: Level, then: Level) -> torch.Tensor:
    """The answer at the middle, in log lambda, of the way down (DPM-Solver++ 2S, arXiv 2211.01095)."""
    down = _ancestral_down(run, now, then)
    middle = Level.of(FLOW_TOP, "flow")
    if now.alpha:
        middle = Level.at(math.sqrt(now.lam * down), run.process)
    half = _toward(run, now, middle, middle.lam, run.answers[0])
    second = run.ask(half, middle)
    return _noised(run, _toward(run, now, then, down, second), now, then, down)


def _dpm_2_ancestral(run: _Run, now: Level, then: Level) -> torch.Tensor:
    """The slope at the middle, in log sigma, of the way down (Karras et al., arXiv 2206.00364)."""
    down = Level.at(_ancestral_down(run, now, then), run.process)
    middle = math.sqrt(now.sigma * down.sigma)
    half = combine([middle / now.sigma, 1 - middle / now.sigma], [run.x, run.answers[0]])
    second = run.ask(half, Level.of(middle, run.process))
    move = (down.sigma - now.sigma) / middle
    scale = then.alpha / down.alpha
    x = combine([scale, scale * move, -scale * move], [run.x, half, second])
    return _noised(run, x, now, then, down.lam)


def _midpoint_sde(run: _Run, now: Level, then: Level) -> torch.Tensor:
    """dpmpp_sde and seeds_2: the answer at the middle of the path itself, noise included."""
    middle = Level.at(math.sqrt(now.lam * then.lam), run.process)
    half = _exact_step(run, now, middle, run.answers[0])
    return _exact_step(run, now, then, run.ask(half, middle))


def _exact_step(run: _Run, now: Level, then: Level, denoised: torch.Tensor) -> torch.Tensor:
    down = _exact(now, then)
    return _noised(run, _toward(run, now, then, down, denoised), now, then, down)


def _seeds_3(run: _Run, now: Level, then: Level) -> torch.Tensor:
    """Three answers, at thirds of the step in log lambda (SEEDS-3, arXiv 2305.14267)."""
    h = 2 * math.log(now.lam / then.lam)
    first, second = (
        Level.at(now.lam * math.exp(-h * share / 2), run.process) for share in (1 / 3, 2 / 3)
    )
    d1 = run.answers[0]
    d2 = run.ask(_exact_step(run, now, first, d1), first)
    bend = 2 * _phi_2(2 / 3 * h) / -math.expm1(-2 / 3 * h)
    d3 = run.ask(_exact_step(run, now, second, combine([1 - bend, bend], [d1, d2])), second)
    bend = 3 / 2 * _phi_2(h) / -math.expm1(-h)
    return _exact_step(run, now, then, combine([1 - bend, bend], [d1, d3]))


def _phi_2(h: float) -> float:
    """1 - (1 - exp(-h)) / h: how much a slope in D adds over a step of length h."""
    return 1 + math.expm1(-h) / h


def _steps_back(run: _Run, then: Level) -> list[float]:
    """Lengths in log lambda: of this step, the one before, the one before that."""
    lams = [math.log(level.lam) for level in (then, *run.levels)]
    return [before - after for after, before in pairwise(lams)]


def _dpmpp_2m_sde(run: _Run, now: Level, then: Level, heun: bool = False) -> torch.Tensor:
    """Extrapolates D from the last two answers (DPM-Solver++ 2M SDE, arXiv 2211.01095)."""
    down = _exact(now, then)
    x = _toward(run, now, then, down, run.answers[0])
    if len(run.answers) > 1:
        h, before = _steps_back(run, then)[:2]
        gain = _phi_2(2 * h) if heun else -math.expm1(-2 * h) / 2
        _add_difference(x, then.alpha * gain * h / before, *run.answers[:2])
    return _noised(run, x, now, then, down)


def _add_difference(x: torch.Tensor, weight: float, one: torch.Tensor, other: torch.Tensor) -> None:
    x.add_(one, alpha=weight).sub_(other, alpha=weight)


def _dpmpp_3m_sde(run: _Run, now: Level, then: Level) -> torch.Tensor:
    """Extrapolates D from the last three answers (k-diffusion)."""
    if len(run.answers) < 3:
        return _dpmpp_2m_sde(run, now, then, heun=True)
    down = _exact(now, then)
    x = _toward(run, now, then, down, run.answers[0])
    h, one, two = _steps_back(run, then)
    phi_2 = _phi_2(2 * h)
    phi_3 = phi_2 / (2 * h) - 0.5
    # The slope and its change, from the differences D_0 - D_1 and D_1 - D_2 over their steps.
    slope = [h / one * (1 + one / (one + two)), -h / two * one / (one + two)]
    change = [h / one * h / (one + two), -h / two * h / (one + two)]
    for k in range(2):
        weight = then.alpha * (phi_2 * slope[k] - phi_3 * change[k])
        _add_difference(x, weight, *run.answers[k : k + 2])
    return _noised(run, x, now, then, down)


def _res_multistep_ancestral(run: _Run, now: Level, then: Level) -> torch.Tensor:
    """The way down by the second-order exponential rule of arXiv 2308.02157, as ComfyUI runs it."""
    down = _exact(now, then)
    x = _toward(run, now, then, down, run.answers[0])
    if len(run.levels) > 1:
        before = run.levels[1]
        h = math.log(now.lam / down)
        apart = math.log(_exact(before, now) / before.lam) / h
        _add_difference(x, -_phi_2(h) / apart, *run.answers[:2])
    return _noised(run, x, now, then, down)


def _er_scale(lam: float) -> float:
    """phi: how er_sde scales its noise."""
    return lam * _er_growth(lam)


def _er_growth(lam: float) -> float:
    return math.exp(lam**0.3) + 10


def _er_time(level: Level) -> float:
    """(lambda / phi(lambda))^2, which grows as lambda falls."""
    return _er_growth(level.lam) ** -2


def _er_sde(run: _Run, now: Level, then: Level) -> torch.Tensor:
    """Order 3 in lambda, with er_sde's own noise (arXiv 2309.06169)."""
    down = now.lam * _er_scale(then.lam) / _er_scale(now.lam)
    x = _toward(run, now, then, down, run.answers[0])
    move = then.lam - now.lam
    points = [then.lam - move * k / _ER_POINTS for k in range(_ER_POINTS)]
    share = -move / _ER_POINTS * _er_scale(then.lam)
    lams = [level.lam for level in run.levels]
    slopes = [
        (run.answers[k] - run.answers[k + 1]) / (lams[k] - lams[k + 1])
        for k in range(len(lams) - 1)
    ]
    if slopes:
        integral = sum(1 / _er_scale(lam) for lam in points)
        x.add_(slopes[0], alpha=then.alpha * (move + share * integral))
    if len(slopes) > 1:
        integral = sum((lam - now.lam) / _er_scale(lam) for lam in points)
        change = then.alpha * (move**2 / 2 + share * integral) / ((lams[0] - lams[2]) / 2)
        _add_difference(x, change, *slopes)
    return _noised(run, x, now, then, down, _er_time)


_STEPS: dict[str, Step] = {
    "euler_ancestral": _euler_ancestral,
    "dpm_2_ancestral": _dpm_2_ancestral,
    "dpmpp_2s_ancestral": _dpmpp_2s_ancestral,
    "dpmpp_sde": _midpoint_sde,
    "dpmpp_2m_sde": _dpmpp_2m_sde,
    "dpmpp_2m_sde_heun": partial(_dpmpp_2m_sde, heun=True),
    "dpmpp_3m_sde": _dpmpp_3m_sde,
    "res_multistep_ancestral": _res_multistep_ancestral,
    "er_sde": _er_sde,
    "seeds_2": _midpoint_sde,
    "seeds_3": _seeds_3,
    "ddpm": _euler_ancestral,
}
# The ancestral ones take a flow's sigma 1 as it is.
_FROM_ONE = ("euler_ancestral", "dpm_2_ancestral", "dpmpp_2s_ancestral")
