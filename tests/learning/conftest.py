"""A store that has learnt one picture, for the tests of what follows."""

from __future__ import annotations

import pytest

from scheduler.store import Store
from tests.learning.studio import Studio, picture, record_of


@pytest.fixture(scope="package")
def first(tmp_path_factory):
    """A store that has learnt one picture: (the store, the host, what was drawn, what happened)."""
    store = Store(tmp_path_factory.mktemp("first"))
    return (store, *picture(store, Studio(seed=0, digit=3)))


@pytest.fixture
def taught(first, store):
    """A store of its own with that record, and without the run."""
    store.put(record_of(first[0]))
    return store
