"""The inner products inside a record: exact there and back, and one sentence for whatever is none."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.errors import RecordError
from scheduler.record import Gram, Record
from scheduler.record.inner_products import MAX_NODES, packed, packed_length, unpacked
from tests.weights import record_of, smooth_gram

ROOT = Path(__file__).parents[2]


def data(gram: Gram | None = None) -> dict:
    return json.loads(replace(record_of(), gram=gram or smooth_gram(6)).to_json())


def refused(record: dict) -> str:
    with pytest.raises(RecordError) as caught:
        Record.from_json(json.dumps(record))
    text = str(caught.value)
    assert text.count("\n") == 0 and len(text) < 300
    return text


def test_they_come_back_to_the_bit():
    gram = smooth_gram(12)
    found = Record.from_json(replace(record_of(), gram=gram).to_json()).gram
    assert found == gram and found.products.dtype == np.float64 and found.steps == 12
    np.testing.assert_array_equal(found.products, found.products.T)


def test_the_file_holds_the_upper_triangle_row_by_row_as_the_specification_says():
    gram = smooth_gram(3)
    found = data(gram)["inner_products"]
    numbers = np.frombuffer(base64.b64decode(found["products"]), dtype="<f8")
    wanted = [gram.products[i, j] for i in range(7) for j in range(i, 7)]
    assert numbers.tolist() == wanted and found["sigmas"] == gram.sigmas.tolist()
    assert found["rows"] == gram.samples == 2 and found["spread"] == gram.spread.tolist()


@given(st.integers(1, MAX_NODES))
def test_the_length_of_the_text_is_known_beforehand(nodes):
    vectors = 2 * nodes + 1
    text = base64.b64encode(bytes(8 * (vectors * (vectors + 1) // 2)))
    assert packed_length(nodes) == len(text)


def test_two_grams_are_equal_by_their_numbers():
    gram = smooth_gram(4)
    assert gram == replace(gram, products=gram.products.copy())
    for change in ({"samples": 3}, {"sigmas": gram.sigmas / 2}, {"spread": gram.spread + 1}):
        assert gram != replace(gram, **change)
    assert gram != "gram"


def test_products_that_honest_arithmetic_gives_are_taken():
    """Far more vectors than elements, so that the matrix has no full rank and rounds below zero."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(201, 3)) * np.geomspace(1e-4, 200, 201)[:, None]
    products = vectors @ vectors.T / 3
    gram = Gram(np.append(np.geomspace(1, 1e-3, 100), 0), products, 1, np.zeros(101))
    assert unpacked(packed(gram)) == replace(gram, products=(products + products.T) / 2)


def with_products(gram: Gram, products: np.ndarray) -> dict:
    record = data(gram)
    triangle = products[np.triu_indices(len(products))].astype("<f8")
    record["inner_products"]["products"] = base64.b64encode(triangle.tobytes()).decode()
    return record


def test_what_is_not_positive_semidefinite_is_refused():
    gram = smooth_gram(6)
    eigenvalues, basis = np.linalg.eigh(gram.products)
    for place in (0, 6, 12):
        bent = eigenvalues.copy()
        bent[place] = -0.01 * eigenvalues.max()
        assert "not positive" in refused(with_products(gram, (basis * bent) @ basis.T))
    assert "not positive" in refused(with_products(gram, -gram.products))
    tiny = gram.products.copy()  # a square that says nothing of the products beside it
    tiny[4, 4] = 5e-324
    assert "not positive semidefinite" in refused(with_products(gram, tiny))
    small = gram.products.copy()  # the least vector's alone, far below the others
    small[5, 5] *= 0.5
    assert "not positive semidefinite" in refused(with_products(gram, small))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e31, -1e-9])
def test_numbers_that_are_none_or_beyond_all_bounds_are_refused(value):
    gram = smooth_gram(6)
    spoilt = gram.products.copy()
    spoilt[3, 3] = value
    assert "inner_products.products: " in refused(with_products(gram, spoilt))


CHANGES = [
    ({"products": "A" * 100}, "has 100 characters, must have"),
    ({"products": "not base64!"}, "must be base64 text"),
    ({"products": 7}, "inner_products.products: is 7, must be base64 text"),
    ({"rows": 0}, "inner_products.rows: is 0"),
    ({"rows": 2.5}, "inner_products.rows: is 2.5"),
    ({"spread": [0.0] * 3}, "inner_products.spread: has 3 entries, must have one for each sigma"),
    ({"spread": [-1.0] * 7}, r"inner_products.spread\[0\]: is -1.0"),
    ({"sigmas": [1.0, 0.5, 0.5, 0.3, 0.2, 0.1, 0.0]}, r"inner_products.sigmas\[2\]: is 0.5 after"),
    ({"sigmas": [1.0, 0.9, 0.8, 0.3, 0.2, 0.1, 0.05]}, "must end at exactly 0"),
    ({"sigmas": [1.5, 0.9, 0.8, 0.3, 0.2, 0.1, 0.0]}, "above the model's sigma_max"),
    ({"sigmas": [1.0, 0.5, 0.0]}, "inner_products.spread: has 7 entries"),
    ({"sigmas": [0.0]}, "inner_products.sigmas: has 1 entries, must have 2 to 201"),
    ({"other": 1}, "inner_products: has an unknown key 'other'"),
]


@pytest.mark.parametrize(("change", "said"), CHANGES, ids=[said[:50] for _, said in CHANGES])
def test_each_fault_names_its_place(change, said):
    import re

    record = data()
    record["inner_products"] |= change
    text = refused(record)
    assert re.search(said, text), text


def test_base64_cut_or_with_a_stray_end_is_refused():
    record = data()
    text = record["inner_products"]["products"]
    for spoilt in (text[:-1], text + "A", "=" + text[1:], text[:-4] + "A==="):
        record["inner_products"]["products"] = spoilt
        assert "inner_products.products" in refused(record)


def test_more_nodes_than_the_bound_are_refused_on_saving():
    for nodes, fits in ((MAX_NODES, True), (MAX_NODES + 1, False)):
        record = replace(record_of(), gram=smooth_gram(nodes))
        if fits:
            assert len(record.to_json()) < 1_000_000
        else:
            with pytest.raises(RecordError, match="inner_products.sigmas: has 202 entries"):
                record.to_json()


def test_what_cannot_be_packed_is_not_saved():
    gram = smooth_gram(4)
    for change, said in (
        ({"products": gram.products[:-1]}, "have the shape"),
        ({"products": gram.products + np.triu(np.ones((9, 9)), 1)}, "are not symmetric"),
        ({"products": np.full((9, 9), np.nan)}, "not finite"),
        ({"spread": np.full(5, np.nan)}, "inner_products.spread"),
        ({"samples": 0}, "inner_products.rows"),
    ):
        with pytest.raises(RecordError, match=f"cannot be saved: inner_products.*{said}|{said}"):
            replace(record_of(), gram=replace(gram, **change)).to_json()


def test_reading_them_imports_no_torch(tmp_path):
    replace(record_of(), gram=smooth_gram(6)).save(tmp_path / "a.json")
    code = (
        "import sys; from scheduler.record import load_record; "
        "assert load_record(sys.argv[1]).gram.steps == 6; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "a.json"], cwd=ROOT, check=True)
