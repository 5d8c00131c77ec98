"""The fit of one step: known numbers are found again, and what the data do not say stays near Euler."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.fit.coefficients import (
    EULER,
    MOST_COEFFICIENT,
    ORDERS,
    SIMPLER,
    columns,
    error_of,
    fit_step,
    step_weights,
)

SIGMA, NEXT = 2.0, 0.8


def products_of(vectors: np.ndarray) -> np.ndarray:
    """(R, m + 2, m + 2) of (R, m + 2, elements)."""
    return vectors @ vectors.swapaxes(1, 2) / vectors.shape[-1]


def rows_with_target(row, rows=6, predictions=3, elements=200, noise=0.0, seed=0):
    """Random x and predictions, with the target that `row` makes of them."""
    rng = np.random.default_rng(seed)
    seen = rng.standard_normal((rows, 1 + predictions, elements))
    target = np.einsum("m,rme->re", step_weights(row, SIGMA, NEXT, predictions), seen)
    target += noise * rng.standard_normal(target.shape)
    return np.concatenate([seen, target[:, None]], axis=1)


@pytest.mark.parametrize(
    "predictions, row",
    [(1, [0, 0, 0.2, -0.1]), (2, [0.4, 0, 0.2, 0.05]), (3, [0.5, -0.2, 0.1, -0.05])],
)
def test_known_coefficients_are_found_again(predictions, row):
    found = fit_step(
        products_of(rows_with_target(row, predictions=predictions)), SIGMA, NEXT, ridge=1e-10
    )
    np.testing.assert_allclose(found.coefficients, row, atol=1e-6)
    np.testing.assert_allclose(
        found.weights, step_weights(row, SIGMA, NEXT, predictions), atol=1e-6
    )
    assert found.error < 1e-10


def test_the_default_ridge_costs_little():
    row = [0.5, -0.2, 0.1, -0.05]
    vectors = rows_with_target(row, noise=0.01)
    found = fit_step(products_of(vectors), SIGMA, NEXT)
    euler = error_of(products_of(vectors).mean(0), step_weights(EULER, SIGMA, NEXT, 3))
    assert found.error < 0.01 * euler


def test_the_error_is_the_mean_square_that_the_step_leaves():
    vectors = rows_with_target([0.3, 0.1, 0.1, 0.1], noise=0.3)
    found = fit_step(products_of(vectors), SIGMA, NEXT)
    left = np.einsum("m,rme->re", found.weights, vectors[:, :-1]) - vectors[:, -1]
    assert found.error == pytest.approx(np.square(left).mean())
    np.testing.assert_allclose(found.weights, step_weights(found.coefficients, SIGMA, NEXT, 3))


@pytest.mark.parametrize("predictions", [1, 2, 3])
def test_columns_and_weights_say_the_same(predictions):
    row = np.array([0.3, -0.2, 0.1, 0.05])
    by_columns = np.array(step_weights(EULER, SIGMA, NEXT, predictions)) + row @ columns(
        SIGMA, NEXT, predictions
    )
    np.testing.assert_allclose(step_weights(row, SIGMA, NEXT, predictions), by_columns)


def test_equal_predictions_stay_near_euler():
    """c1 and c2 have nothing to work on; nothing blows up."""
    rng = np.random.default_rng(0)
    x, denoised = rng.standard_normal((2, 5, 1, 100))
    target = NEXT / SIGMA * x + (1 - NEXT / SIGMA) * denoised
    found = fit_step(
        products_of(np.concatenate([x, denoised, denoised, denoised, target], axis=1)), SIGMA, NEXT
    )
    np.testing.assert_allclose(found.coefficients, 0, atol=1e-9)
    assert found.error < 1e-15


def test_a_difference_of_predictions_that_is_rounding_beside_the_target_is_left_out():
    """At right angles: x, D_0 and the target; D_1 is D_0 but for its last digits."""
    x, denoised, target = np.eye(3)[:, None]
    last = denoised * (1 + 1e-11)
    rows = np.stack([x, denoised, last, target], axis=1)
    found = fit_step(products_of(np.concatenate([rows, rows])), SIGMA, NEXT)
    assert found.coefficients[0] == 0


def test_the_order_does_not_depend_on_the_units():
    rows = products_of(rows_with_target([0, 0, 0.3, 0], **FEW | {"seed": 0}))
    found, small = fit_step(rows, SIGMA, NEXT), fit_step(1e-6 * rows, SIGMA, NEXT)
    np.testing.assert_allclose(small.coefficients, found.coefficients, rtol=1e-9)
    assert not found.coefficients[:2].any()


def test_nothing_but_zeros_is_no_error():
    found = fit_step(np.zeros((3, 5, 5)), SIGMA, 0.0)
    assert not found.coefficients.any() and found.error == 0


def test_the_order_falls_back_with_few_rows():
    row = [0.5, -0.2, 0.1, 0.0]
    for rows, unused in ((1, [0, 1]), (2, [1])):
        found = fit_step(products_of(rows_with_target(row, rows=rows)), SIGMA, NEXT)
        assert not found.coefficients[unused].any()
    assert fit_step(products_of(rows_with_target(row, rows=3)), SIGMA, NEXT).coefficients[1] != 0


def left_out_errors(rows: np.ndarray) -> dict[int, float]:
    """Of each order: the sum over rows of a row's error under the fit to the others, one fit at a time."""
    return {
        order: sum(
            error_of(rows[k], fit_step(np.delete(rows, k, 0), SIGMA, NEXT, (order,)).weights)
            for k in range(len(rows))
        )
        for order in ORDERS
    }


# What the next x needs, how many rows and numbers there are to learn it from, noise, and the seed; then
# the order that rows left out in turn speak for.
FEW = {"rows": 4, "elements": 2, "noise": 0.5}


@pytest.mark.parametrize(
    "row, seen, chosen",
    [
        ([0, 0, 0.3, 0], FEW | {"seed": 0}, 1),  # no past is needed, and higher orders fit noise
        ([0, 0, 0.3, 0], FEW | {"seed": 1}, 3),  # order 1 is better, but not by enough
        ([0.8, 0, 0, 0], {"rows": 4, "elements": 2, "noise": 0.3, "seed": 10}, 2),
        ([0.5, -0.2, 0.1, 0], {"rows": 6, "elements": 50, "noise": 0.05}, 3),
    ],
)
def test_the_order_is_the_one_that_rows_left_out_speak_for(row, seen, chosen):
    rows = products_of(rows_with_target(row, **seen))
    errors = left_out_errors(rows)
    best = min(errors, key=errors.get)
    assert chosen == (best if errors[best] <= SIMPLER**2 * errors[3] else 3)
    found, alone = fit_step(rows, SIGMA, NEXT), fit_step(rows, SIGMA, NEXT, (chosen,))
    assert found.coefficients.tolist() == alone.coefficients.tolist()
    assert np.flatnonzero(found.coefficients[:2]).tolist() == list(range(chosen - 1))


@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(1, 6), st.floats(0, 0.99))
def test_coefficients_are_bounded_and_no_worse_than_euler_on_their_rows(
    seed, predictions, rows, ratio
):
    rng = np.random.default_rng(seed)
    products = products_of(
        rng.standard_normal((rows, predictions + 2, 5))
        * 10.0 ** rng.uniform(-3, 3, (1, predictions + 2, 1))
    )
    found = fit_step(products, SIGMA, ratio * SIGMA)
    assert (
        np.isfinite(found.coefficients).all()
        and np.abs(found.coefficients).max() <= MOST_COEFFICIENT
    )
    if np.abs(found.coefficients).max() < MOST_COEFFICIENT:
        euler = error_of(products.mean(0), step_weights(EULER, SIGMA, ratio * SIGMA, predictions))
        assert found.error <= euler * (1 + 1e-6)
