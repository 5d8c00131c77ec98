"""Who is no kin, whoever says so: told before a recipe is run.

By weights, whose samples a record keeps; by the channels of the latents; and, where a record is not of the
very weights by the artist's own hand, by the way that its model goes: how much of the path of its predictions
D lies above each noise level, which its inner products tell and the picture at hand does too. Two models'
ways are as far apart as these shares are at most (as Kolmogorov and Smirnov compare distributions).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..fingerprint.kinship import OTHER
from ..lookup.match import STORE
from ..record.inner_products import Gram
from .finding import Kin, other_channels

WEIGHTS, CHANNELS, UNSHOWN, WAY = "weights", "channels", "unshown", "way"
# Measured (docs/kin.md): under their base's guidance and size, finetunes, rounded weights and LoRAs up to
# strength 1 come to .23 at most, a merge to .34; mixtures whose recipes pass the check itself to .33 and
# more.
MOST_APART = 0.3
LEAST_NODES = 4  # noise levels that both have: fewer tell no way
CLOSEST = 1e-4  # to a flow's sigma 1, where the log odds end


def stranger(kin: Kin, latent_shape: Sequence[int]) -> str:
    """Why a record is not worth a model call, or ""."""
    if kin.kinship == OTHER:
        return WEIGHTS
    if other_channels(kin.record, latent_shape):
        return CHANNELS
    elsewhere = kin.match.place != STORE
    return UNSHOWN if elsewhere and kin.gram is None else ""


def goes_another_way(kin: Kin, drawn: Gram) -> bool:
    """Whether a kin's model comes to its pictures another way than the one at hand. drawn: its inner
    products. Weights that were compared by the artist's own hand say more; where too few noise levels are
    shared to tell, somebody else's record has shown nothing."""
    if kin.known or kin.gram is None:
        return False
    found = apart(kin.gram, drawn, kin.model.process)
    return kin.match.place != STORE if found is None else found > MOST_APART


def apart(one: Gram, other: Gram, process: str) -> float | None:
    """How far apart the ways of two models are, 0 to 1, over the noise levels that both have; None where
    these are too few. process: "flow" (levels count in log odds) or "ve" (in log sigma)."""
    places, lengths = zip(*(_way(each, process) for each in (one, other)), strict=True)
    low = max(each[0] for each in places)
    high = min(each[-1] for each in places)
    shared = [each[(each >= low) & (each <= high)] for each in places]
    if min(len(each) for each in shared) < LEAST_NODES:
        return None
    levels = np.unique(np.concatenate([*shared, [low, high]]))
    ways = [_shares(levels, *each) for each in zip(places, lengths, strict=True)]
    return float(np.abs(ways[0] - ways[1]).max())


def _way(gram: Gram, process: str) -> tuple[np.ndarray, np.ndarray]:
    """The noise levels of the nodes, ascending, and the length of the path of D from the lowest up to
    each: ||D_i - D_j||^2 = <D_i, D_i> + <D_j, D_j> - 2 <D_i, D_j>."""
    products = gram.products[len(gram.sigmas) :, len(gram.sigmas) :]
    sizes = np.diag(products)
    steps = np.sqrt(np.maximum(sizes[:-1] + sizes[1:] - 2 * np.diag(products, 1), 0))
    sigmas = gram.sigmas[:-1]
    if process == "flow":
        sigmas = np.minimum(sigmas, 1 - CLOSEST)
        sigmas = sigmas / (1 - sigmas)
    return np.log(sigmas)[::-1], np.concatenate([[0.0], np.cumsum(steps[::-1])])


def _shares(levels: np.ndarray, places: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The share of the path between the outermost of some levels that lies below each."""
    found = np.interp(levels, places, lengths)
    return (found - found[0]) / max(found[-1] - found[0], 1e-30)
