"""Analytic test beds: ideal denoisers of known mixtures, class-conditional.

Construction and seed are fixed. x = alpha x0 + s n (alpha = 1 for VE, 1 - s for flow) and x0 from a
mixture of Gaussians: E[x0 | x] is exact, so that errors measured here are the sampler's alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

SD_RANGE = (0.029167158529162407, 14.614641189575195)


@dataclass(frozen=True)
class Mixture:
    """sum_k w_k N(mean_k, rest_k I + U_k diag(spread_k) U_k'); labels: each component's class."""

    means: torch.Tensor  # (K, d) float64
    labels: torch.Tensor  # (K,)
    rest: torch.Tensor  # (K,)
    directions: torch.Tensor | None = None  # (K, d, r), orthonormal columns
    spread: torch.Tensor | None = None  # (K, r)

    def posterior_mean(
        self, x: torch.Tensor, s: float, alpha: float, classes: torch.Tensor | None
    ) -> torch.Tensor:
        """E[x0 | x] for x of shape (B, d); a class of -1 (or None) means every component."""
        noisy = alpha**2 * self.rest + s**2
        shrink = alpha * self.rest / noisy  # (K,): how far x pulls the mean of its component
        distance = (
            x.square().sum(-1, keepdim=True)
            - 2 * alpha * x @ self.means.T
            + alpha**2 * self.means.square().sum(-1)
        )
        logits = -0.5 * (distance / noisy + self.means.shape[1] * noisy.log())
        if self.directions is not None:
            along = torch.einsum("bd,kdr->bkr", x, self.directions) - alpha * torch.einsum(
                "kd,kdr->kr", self.means, self.directions
            )
            wide = noisy[:, None] + alpha**2 * self.spread
            logits = logits + 0.5 * (
                (1 / noisy[:, None] - 1 / wide) * along.square() - (wide / noisy[:, None]).log()
            ).sum(-1)
        if classes is not None:
            other = (classes[:, None] >= 0) & (self.labels != classes[:, None])
            logits = logits.masked_fill(other, -torch.inf)
        weight = logits.softmax(-1)
        mean = (weight * (1 - alpha * shrink)) @ self.means + (weight @ shrink)[:, None] * x
        if self.directions is not None:
            extra = alpha * (self.rest[:, None] + self.spread) / wide - shrink[:, None]
            mean = mean + torch.einsum("kdr,bkr,bk->bd", self.directions, extra * along, weight)
        return mean


@dataclass(frozen=True)
class Bed:
    """One test bed: a mixture seen through a parametrisation and a sigma range."""

    name: str
    mixture: Mixture
    parametrisation: str
    sigma_min: float
    sigma_max: float
    shift: float | None = None
    classes: int = field(default=1)

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """(1, d): a one-channel latent of d elements."""
        return (1, self.mixture.means.shape[1])

    def denoiser(self, classes: torch.Tensor, cfg: float = 1.0):
        """denoise(x, sigma) for rows with these classes (B,), under classifier-free guidance."""

        def denoise(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
            s = float(sigma[0])
            alpha = 1 - s if self.parametrisation == "flow" else 1.0
            flat = x.reshape(len(x), -1).double()
            answer = self.mixture.posterior_mean(flat, s, alpha, classes)
            if cfg != 1:
                free = self.mixture.posterior_mean(flat, s, alpha, None)
                answer = free + cfg * (answer - free)
            return answer.reshape(x.shape).to(x.dtype)

        return denoise


def isotropic_bed() -> Bed:
    """Sixteen dimensions, twelve round components in four classes; VE over SD's range."""
    rng = torch.Generator().manual_seed(11)
    means = torch.randn(12, 16, generator=rng, dtype=torch.float64)
    mixture = Mixture(means, torch.arange(12) % 4, torch.full((12,), 0.05, dtype=torch.float64))
    return Bed("isotropic-16", mixture, "ve", *SD_RANGE, classes=4)


def low_rank_bed() -> Bed:
    """64 dimensions, eight components with six wide directions each, four classes; flow, shift 1."""
    rng = torch.Generator().manual_seed(12)
    means = 0.8 * torch.randn(8, 64, generator=rng, dtype=torch.float64)
    directions = torch.linalg.qr(torch.randn(8, 64, 6, generator=rng, dtype=torch.float64)).Q
    spread = 2.0 * torch.rand(8, 6, generator=rng, dtype=torch.float64) + 0.2
    mixture = Mixture(
        means, torch.arange(8) % 4, torch.full((8,), 0.02, dtype=torch.float64), directions, spread
    )
    return Bed("low-rank-64", mixture, "flow", 0.002, 1.0, shift=1.0, classes=4)


def photo_bed() -> Bed:
    """8x8 grey patches of scikit-learn's two sample photos; VE over SD's range.

    As a 24-component full-covariance mixture.
    """
    from sklearn.cluster import KMeans
    from sklearn.datasets import load_sample_images

    patches = []
    for photo in load_sample_images().images:
        grey = photo.mean(-1)[: photo.shape[0] // 8 * 8, : photo.shape[1] // 8 * 8] / 127.5 - 1
        patches.append(grey.reshape(grey.shape[0] // 8, 8, -1, 8).swapaxes(1, 2).reshape(-1, 64))
    data = np.concatenate(patches)
    data = data / data.std()
    found = KMeans(24, n_init=1, random_state=13).fit(data)
    parts = [data[found.labels_ == k] for k in range(24)]
    means = torch.tensor(found.cluster_centers_)
    values, vectors = zip(*(_principal(part) for part in parts), strict=True)
    rest = torch.full((24,), 0.002, dtype=torch.float64)
    mixture = Mixture(
        means, _brightness_classes(means, 4), rest, torch.stack(vectors), torch.stack(values)
    )
    return Bed("photo-patches", mixture, "ve", *SD_RANGE, classes=4)


def digits_bed() -> Bed:
    """scikit-learn's digits as atoms with a kernel of width 0.2, ten classes; flow, shift 3."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    data = torch.tensor(digits.data / 8 - 1)
    mixture = Mixture(
        data, torch.tensor(digits.target), torch.full((len(data),), 0.04, dtype=torch.float64)
    )
    return Bed("digit-atoms", mixture, "flow", 3 / 1002, 1.0, shift=3.0, classes=10)


def analytic_beds() -> list[Bed]:
    """The four beds, in the order in which the tables print them."""
    return [isotropic_bed(), low_rank_bed(), photo_bed(), digits_bed()]


def _principal(part: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """The 16 leading eigenvalues and directions of a cluster's covariance."""
    values, vectors = np.linalg.eigh(np.cov(part.T))
    return torch.tensor(values[-16:].clip(1e-4)), torch.tensor(vectors[:, -16:].copy())


def _brightness_classes(means: torch.Tensor, classes: int) -> torch.Tensor:
    ranks = means.mean(1).argsort().argsort()
    return ranks % classes
