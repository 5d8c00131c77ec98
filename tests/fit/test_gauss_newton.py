"""The damped Gauss-Newton step, against the same step taken on the vectors themselves."""

from __future__ import annotations

import numpy as np
import pytest

from scheduler.fit.gauss_newton import damped_step

ROWS, PARAMETERS, ELEMENTS = 5, 3, 40


def problem(seed=0, small_row=None) -> tuple[np.ndarray, np.ndarray]:
    """(errors (R, E), derivatives (R, P, E)); one row's error may be a thousandth of the others'."""
    rng = np.random.default_rng(seed)
    errors = rng.standard_normal((ROWS, ELEMENTS))
    if small_row is not None:
        errors[small_row] *= 1e-3
    return errors, rng.standard_normal((ROWS, PARAMETERS, ELEMENTS))


def products_of(errors: np.ndarray, derivatives: np.ndarray) -> np.ndarray:
    vectors = np.concatenate([errors[:, None], derivatives], axis=1)
    return vectors @ vectors.swapaxes(1, 2) / ELEMENTS


@pytest.mark.parametrize("small_row", [None, 2])
@pytest.mark.parametrize("damping", [0.05, 0.3])
def test_it_is_the_reweighted_least_squares_step(damping, small_row):
    errors, derivatives = problem(small_row=small_row)
    norms = np.sqrt(np.mean(errors**2, axis=1))
    norms = np.maximum(norms, 0.01 * norms.mean())  # no row counts more than a hundredfold
    rows = np.sqrt(1 / (ELEMENTS * norms))
    tall = (derivatives * rows[:, None, None]).swapaxes(1, 2).reshape(-1, PARAMETERS)
    right = (errors * rows[:, None]).reshape(-1)
    root = np.sqrt(damping * norms.sum()) * np.eye(PARAMETERS)
    expected = np.linalg.lstsq(
        np.vstack([tall, root]), -np.append(right, np.zeros(PARAMETERS)), rcond=None
    )[0]
    found = damped_step(products_of(errors, derivatives), damping)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_what_the_parameters_can_mend_is_mended():
    _, derivatives = problem()
    wanted = np.array([0.3, -0.2, 0.1])
    errors = -np.einsum("p,rpe->re", wanted, derivatives)
    found = damped_step(products_of(errors, derivatives), 1e-12)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_a_step_that_is_too_long_is_shortened_as_a_whole():
    products = products_of(*problem())
    free = damped_step(products, 1e-3)
    longest = np.abs(free).max()
    np.testing.assert_allclose(damped_step(products, 1e-3, longest / 4), free / 4)
    np.testing.assert_allclose(damped_step(products, 1e-3, longest * 4), free)


def test_rows_without_any_error_ask_for_no_step():
    _, derivatives = problem()
    assert not damped_step(products_of(np.zeros((ROWS, ELEMENTS)), derivatives), 0.1).any()
