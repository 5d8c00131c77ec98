"""A surrogate of the denoiser, interpolated from all that it has answered.

Near the teacher's path it is the teacher's own prediction, plus a Gaussian's slope for what lies
off the path, plus what earlier answers near by say of the difference (secants, by ridge
regression). A whole run of any linear sampler is then small algebra, and costs no model call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..samplers.query_offsets import FLOW_TOP
from ..search.gram import prediction_weights, state_weights
from .span import Span

WIDTH = 0.5  # in half log-SNR: answers further off say nothing
NEAR = 0.1  # in half log-SNR: a secant this far off counts half as near
NEIGHBOURS = 6
RIDGE = 1e-3


@dataclass
class Known:
    """One answer: where it was asked (half log-SNR, up to sign), how far from the teacher's path
    (R, d), and what the answer was beyond the slope (R, d)."""

    clock: float
    offset: np.ndarray
    rest: np.ndarray


class Path:
    """The trajectory of one set's rows, between its nodes too.

    sigmas: (T + 1,). vectors: (B, 2T + 1, d), the coordinates of x_0..x_T and D_0..D_{T-1}.
    """

    def __init__(self, sigmas: np.ndarray, vectors: np.ndarray):
        self.sigmas, self._vectors = sigmas, vectors

    def widen(self, span: Span) -> None:
        self._vectors = span.widened(self._vectors)

    def state(self, sigmas: np.ndarray) -> np.ndarray:
        """(S, B, d): x at S sigmas; above the first node, x there."""
        return self._combined(state_weights(self.sigmas, np.minimum(sigmas, self.sigmas[0])))

    def prediction(self, sigmas: np.ndarray) -> np.ndarray:
        """(S, B, d): D at S positive sigmas."""
        return self._combined(prediction_weights(self.sigmas, np.minimum(sigmas, self.sigmas[0])))

    @property
    def first(self) -> np.ndarray:
        """(B, d): the first answer."""
        return self._vectors[:, len(self.sigmas)]

    @property
    def end(self) -> np.ndarray:
        return self._vectors[:, len(self.sigmas) - 1]

    def _combined(self, weights: np.ndarray) -> np.ndarray:
        return (weights @ self._vectors).swapaxes(0, 1)


class Surrogate:
    """span: of all vectors. paths: of each set, in the order of their rows. variance: of the data,
    per latent element. noise_scale: the standard deviation of the noise at sigma 1."""

    def __init__(
        self,
        span: Span,
        paths: Sequence[Path],
        process: str,
        variance: float,
        noise_scale: float = 1.0,
    ):
        self.noise_scale = noise_scale
        self.span, self.paths, self.process = span, paths, process
        self.variance = variance
        self._known: list[Known] = []

    def state(self, sigmas: np.ndarray) -> np.ndarray:
        """(S, R, d): the teacher's state at S sigmas."""
        return self._of_all([path.state(sigmas) for path in self._wide()], axis=1)

    def prediction(self, sigmas: np.ndarray) -> np.ndarray:
        """(S, R, d): the teacher's prediction at S positive sigmas."""
        return self._of_all([path.prediction(sigmas) for path in self._wide()], axis=1)

    @property
    def first(self) -> np.ndarray:
        """(R, d): the teacher's first answer."""
        return self._of_all([path.first for path in self._wide()], axis=0)

    @property
    def end(self) -> np.ndarray:
        """(R, d): the teacher's end."""
        return self._of_all([path.end for path in self._wide()], axis=0)

    def _wide(self) -> Sequence[Path]:
        for path in self.paths:
            path.widen(self.span)
        return self.paths

    def _of_all(self, parts: Sequence[np.ndarray], axis: int) -> np.ndarray:
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis)

    def slope(self, sigmas: np.ndarray) -> np.ndarray:
        """dD/dx of a Gaussian of the data's variance about the path."""
        alpha = 1 - sigmas if self.process == "flow" else np.ones_like(sigmas)
        noise = (self.noise_scale * sigmas) ** 2
        return alpha * self.variance / (alpha**2 * self.variance + noise)

    def clock(self, sigmas: np.ndarray) -> np.ndarray:
        """Half log-SNR, with the sign of log sigma."""
        if self.process == "flow":
            return np.log(sigmas / np.maximum(1 - sigmas, 1 - FLOW_TOP))
        return np.log(sigmas)

    def learn(self, x: np.ndarray, sigma: float, denoised: np.ndarray) -> None:
        """Take in a true answer; x and denoised are coordinates (R, d)."""
        at = np.array([sigma])
        offset = self.span.widened(x) - self.state(at)[0]
        rest = self.span.widened(denoised) - self.prediction(at)[0] - self.slope(at) * offset
        self._known.append(Known(float(self.clock(at)[0]), offset, rest))

    def answer(self, x: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
        """(P, R, d): what the model would say at x (P, R, d) and P sigmas, which lie close together:
        the answers that count are chosen by the first."""
        offset = x - self.state(sigmas)
        plain = self.prediction(sigmas) + self.slope(sigmas)[:, None, None] * offset
        centre, others, gaps = self._near(offset[0], float(self.clock(sigmas[:1])[0]))
        if centre is None:
            return plain
        plain = plain + centre.rest
        if not others:
            return plain
        across = np.stack([each.offset - centre.offset for each in others], 1)  # (R, K, d)
        gained = np.stack([each.rest - centre.rest for each in others], 1)
        normal = across @ across.swapaxes(1, 2)
        scale = np.einsum("rkk->rk", normal)
        ridge = scale * RIDGE * (1 + np.square(gaps / (2 * NEAR))) + 1e-13 * scale.max(
            1, keepdims=True
        )
        normal = normal + ridge[:, :, None] * np.eye(len(others)) + 1e-60 * np.eye(len(others))
        to_gain = np.linalg.solve(normal, gained)  # (R, K, d)
        shares = (offset - centre.offset).swapaxes(0, 1) @ across.swapaxes(1, 2)  # (R, P, K)
        return plain + (shares @ to_gain).swapaxes(0, 1)

    def _near(
        self, offset: np.ndarray, clock: float
    ) -> tuple[Known | None, Sequence[Known], np.ndarray]:
        """The nearest answer (the teacher's own counts as one), the next ones, and their distance in
        half log-SNR."""
        near = [each for each in self._known if abs(each.clock - clock) < WIDTH]
        if not near:
            return None, (), np.empty(0)
        for each in near:
            each.offset, each.rest = self.span.widened(each.offset), self.span.widened(each.rest)
        own = Known(clock, np.zeros_like(offset), np.zeros_like(offset))
        candidates = [own, *near]
        gaps = np.array([abs(each.clock - clock) for each in candidates])
        far = np.array([np.square(each.offset - offset).sum() for each in candidates])
        order = np.argsort(far * (1 + np.square(gaps / NEAR)) + 1e-12)[: NEIGHBOURS + 1]
        first, *others = order.tolist()
        return candidates[first], [candidates[k] for k in others], gaps[others]
