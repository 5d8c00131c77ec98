"""A store that has learnt the base model's first picture."""

from __future__ import annotations

import pytest

from scheduler.store import Store
from tests.kin.relatives import BASE, known, of, studio
from tests.learning.studio import picture, record_of


@pytest.fixture(scope="package")
def learnt(tmp_path_factory):
    """The base model's record at cfg 3, of one picture."""
    store = Store(tmp_path_factory.mktemp("kin"))
    picture(store, studio(BASE), of=of(known()))
    return record_of(store)


@pytest.fixture
def taught(learnt, tmp_path):
    """A store with that record alone."""
    store = Store(tmp_path / "taught")
    store.put(learnt)
    return store
