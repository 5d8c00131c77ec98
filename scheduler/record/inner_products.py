"""The inner products of a recorded teacher, as numbers and as the text that a record file holds.

They live here, below the search that makes and uses them, because reading a record must import
neither that nor torch.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

import numpy as np

from .checkers import Misfit

MAX_NODES = 200  # of a teacher, the 0 at the end not counted; the finest of `distill` has 50
MAX_PRODUCT = 1e30
# Of the matrix scaled to a diagonal of ones. Rounding alone, of honest products in float64, is
# below 1e-12; products that were ever kept in float32 miss by about 1e-7.
LEAST_EIGENVALUE = -1e-9


@dataclass(frozen=True, eq=False)
class Gram:
    """Mean inner products of the vectors x_0..x_T, D_0..D_{T-1} of one or more recorded trajectory
    sets.

    sigmas: (T + 1,) float64, strictly decreasing to 0. products: (2T + 1, 2T + 1) float64, in that
    order of vectors, a mean over samples and latent elements. samples: how many rows went in.
    spread: (T + 1,), half the mean squared distance per element between pairs of rows of a set (the
    variance across samples), zeros where sets have one row each.
    """

    sigmas: np.ndarray
    products: np.ndarray
    samples: int
    spread: np.ndarray

    @property
    def steps(self) -> int:
        """T: how many teacher steps there are, and the most steps a schedule on this grid can have."""
        return len(self.sigmas) - 1

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Gram):
            return NotImplemented
        arrays = ("sigmas", "products", "spread")
        same = all(np.array_equal(getattr(self, each), getattr(other, each)) for each in arrays)
        return same and self.samples == other.samples

    __hash__ = None  # type: ignore[assignment]  # arrays can change


def packed_length(nodes: int) -> int:
    """Characters of the text that holds the products of a teacher with so many sigmas above 0."""
    vectors = 2 * nodes + 1
    size = 8 * (vectors * (vectors + 1) // 2)
    return 4 * -(-size // 3)


def packed(gram: Gram) -> dict:
    """The data that a file holds: the upper triangle of the products, row by row, little-endian
    float64, as base64. Raises Misfit where they are not square and symmetric."""
    sigmas, products, spread = (
        np.asarray(each, dtype=np.float64) for each in (gram.sigmas, gram.products, gram.spread)
    )
    size = 2 * len(sigmas) - 1
    if products.shape != (size, size):
        raise Misfit(
            f"have the shape {products.shape}, must have {(size, size)} for {len(sigmas)} sigmas"
        )
    if not np.isfinite(products).all():
        raise Misfit("hold a number that is not finite")
    if not np.allclose(products, products.T, rtol=1e-9, atol=1e-12 * np.abs(products).max()):
        raise Misfit("are not symmetric")
    triangle = products[np.triu_indices(size)].astype("<f8")
    return {
        "sigmas": sigmas.tolist(),
        "rows": int(gram.samples),
        "spread": spread.tolist(),
        "products": base64.b64encode(triangle.tobytes()).decode("ascii"),
    }


def unpacked(data: dict) -> Gram:
    """The Gram of a file's data, which has passed the schema; raises Misfit for numbers that are no
    inner products."""
    sigmas = np.array(data["sigmas"], dtype=np.float64)
    size = 2 * len(sigmas) - 1
    try:
        raw = base64.b64decode(data["products"], validate=True)
        triangle = np.frombuffer(raw, dtype="<f8")
    except (binascii.Error, ValueError):
        raise Misfit("is not base64 text of whole numbers of 8 bytes", ".products") from None
    if len(triangle) != size * (size + 1) // 2:
        raise Misfit(_size_words(len(triangle), len(sigmas)), ".products")
    products = np.empty((size, size))
    rows, columns = np.triu_indices(size)
    products[rows, columns] = triangle
    products[columns, rows] = triangle
    _check_products(products)
    spread = np.array(data["spread"], dtype=np.float64)
    return Gram(sigmas, products, data["rows"], spread)


def _check_products(products: np.ndarray) -> None:
    """Raise Misfit unless a symmetric matrix is positive semidefinite up to rounding."""
    if not np.isfinite(products).all():
        raise Misfit("hold a number that is not finite", ".products")
    squares = products.diagonal()
    if squares.min() < 0 or np.abs(products).max() > MAX_PRODUCT:
        raise Misfit("are no inner products (not positive, or beyond all bounds)", ".products")
    # Scaled to ones on the diagonal, so that the long states of high noise do not hide what is
    # wrong with the short ones; Cholesky ends exactly where an eigenvalue is below the tolerance.
    lengths = np.sqrt(np.where(squares > 0, squares, 1.0))
    with np.errstate(over="ignore"):
        scaled = products / lengths / lengths[:, None]
    scaled[np.diag_indices_from(scaled)] -= LEAST_EIGENVALUE
    try:
        if not np.isfinite(scaled).all():
            raise np.linalg.LinAlgError
        np.linalg.cholesky(scaled)
    except np.linalg.LinAlgError:
        raise Misfit("are no inner products (not positive semidefinite)", ".products") from None


def _size_words(found: int, sigmas: int) -> str:
    size = 2 * sigmas - 1
    needed = size * (size + 1) // 2
    return f"holds {found:,} numbers, must hold {needed:,} for {sigmas} sigmas"
