"""The space that a fit's vectors span: coordinates stand for the vectors in every inner product."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scheduler.fit import span as module
from scheduler.fit.span import MOST_ELEMENTS, Span
from tests.mixture import unit_noise


def coordinates_of(span: Span, vectors) -> np.ndarray:
    """(V, R, d) of V tensors (R, ...), added in turn."""
    found = [span.add([vector]) for vector in vectors]
    return np.stack([span.widened(each) for each in found])


def products_of(vectors: torch.Tensor) -> np.ndarray:
    """(R, V, V) mean inner products of (V, R, ...)."""
    flat = vectors.flatten(2).double().numpy().swapaxes(0, 1)
    return flat @ flat.swapaxes(1, 2) / flat.shape[-1]


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 4),
    st.integers(1, 30),
    st.integers(1, 12),
    st.floats(-9, 0),
)
def test_coordinates_reproduce_inner_products(seed, rows, elements, count, apart):
    """Of any number of vectors of any length, some of them nearly combinations of those before."""
    rng = torch.Generator().manual_seed(seed)
    vectors = torch.randn(count, rows, elements, generator=rng, dtype=torch.float64)
    vectors *= 10 ** torch.randn(count, 1, 1, generator=rng, dtype=torch.float64)
    for k in range(2, count, 2):
        vectors[k] = vectors[k - 1] + vectors[k - 2] + 10**apart * vectors[k]
    span = Span(rows, elements)
    at = coordinates_of(span, vectors).swapaxes(0, 1)
    expected = products_of(vectors)
    lengths = np.sqrt(np.einsum("rkk->rk", expected))
    beside = lengths[:, :, None] * lengths[:, None]
    assert (np.abs(at @ at.swapaxes(1, 2) - expected) <= 1e-6 * beside).all()
    assert span.dimension <= count


def test_the_distance_of_vectors_a_millionth_apart_is_still_there():
    """1e-12 of their squares: what in float32 would be noise chooses between fits."""
    x = unit_noise(3, 1000)
    other = x + 1e-6 * unit_noise(3, 1000, seed=1)
    here, there = coordinates_of(Span(3, 1000), [x, other])
    np.testing.assert_allclose(
        np.square(there - here).sum(-1), (other - x).square().mean(1).numpy(), rtol=1e-6
    )


def test_what_is_known_already_needs_no_direction():
    span, (x, y) = Span(2, 9), (unit_noise(2, 9), unit_noise(2, 9, seed=1))
    for known in (x, y, 0.3 * x - 2 * y, torch.zeros(2, 9), x * (1 + 1e-9)):
        span.add([known])
    assert span.dimension == 2


def test_no_more_directions_than_elements():
    span = Span(2, 5)
    coordinates_of(span, unit_noise(12, 2, 5))
    assert span.dimension == 5


def test_every_row_has_a_basis_of_its_own():
    """A direction that is new in one row alone is nothing in the other."""
    x, y = unit_noise(2, 6), unit_noise(2, 6, seed=1)
    y[1] = 3 * x[1]
    span = Span(2, 6)
    first, second = coordinates_of(span, [x, y])
    assert span.dimension == 2 and second[0, 1] > 0 and second[1, 1] == 0
    np.testing.assert_allclose(second[1], 3 * first[1], rtol=1e-12)


def test_rows_may_come_in_several_tensors():
    vectors = unit_noise(4, 5, 2, 3)
    whole, parted = Span(5, 6), Span(5, 6)
    for vector in vectors:
        np.testing.assert_array_equal(whole.add([vector]), parted.add([vector[:2], vector[2:]]))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_numbers_of_any_precision_count_as_what_they_are(dtype):
    vectors = unit_noise(3, 2, 10).to(dtype)
    found = coordinates_of(Span(2, 10), vectors)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, coordinates_of(Span(2, 10), vectors.double()), rtol=1e-12)


def test_shorter_coordinates_are_widened_by_zeros_and_nothing_else_changes():
    span = Span(2, 8)
    early = span.add([unit_noise(2, 8)])
    assert span.widened(early) is early
    for seed in range(1, 4):
        span.add([unit_noise(2, 8, seed=seed)])
    for coordinates in (early, np.stack([early, 2 * early, 3 * early])):
        wide = span.widened(coordinates)
        assert wide.shape == (*coordinates.shape[:-1], 4)
        np.testing.assert_array_equal(wide[..., :1], coordinates)
        assert not wide[..., 1:].any()


def test_a_basis_grows_beyond_its_first_room():
    vectors = unit_noise(150, 1, 200)
    at = coordinates_of(Span(1, 200), vectors)[:, 0]
    np.testing.assert_allclose(at @ at.T, products_of(vectors)[0], atol=1e-12)


# --- a choice of elements ---


def test_a_small_latent_enters_whole():
    assert torch.equal(Span(1, MOST_ELEMENTS).chosen, torch.arange(MOST_ELEMENTS))


def test_of_a_large_one_the_same_elements_enter_in_every_row_and_process():
    elements = 3 * MOST_ELEMENTS
    torch.manual_seed(1)
    np.random.seed(1)
    chosen = Span(1, elements).chosen
    torch.manual_seed(2)
    np.random.seed(2)
    assert torch.equal(Span(4, elements).chosen, chosen)
    assert len(chosen) == MOST_ELEMENTS and chosen.max() < elements
    assert (chosen.diff() > 0).all() and chosen[-1] > 2 * MOST_ELEMENTS  # each once, from all of it


def test_a_choice_stands_for_the_whole(monkeypatch):
    monkeypatch.setattr(module, "MOST_ELEMENTS", 40)
    span = Span(2, 100)
    vectors = unit_noise(3, 2, 10, 10)
    at = coordinates_of(span, vectors).swapaxes(0, 1)
    part = vectors.flatten(2)[:, :, span.chosen]
    np.testing.assert_allclose(at @ at.swapaxes(1, 2), products_of(part), atol=1e-12)


def test_a_choice_may_be_given():
    vectors, chosen = unit_noise(3, 2, 10), torch.tensor([0, 3, 7])
    at = coordinates_of(Span(2, 10, chosen), vectors)
    np.testing.assert_allclose(at, coordinates_of(Span(2, 3), vectors[..., chosen]), atol=1e-12)
