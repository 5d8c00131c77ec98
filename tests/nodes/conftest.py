"""What several tests of the nodes begin with."""

from __future__ import annotations

import pytest

from tests.nodes.pack import module


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A store of its own, where no model file is at hand."""
    monkeypatch.setenv("STEPDISTILL_STORE", str(tmp_path / "store"))
    of_files = module("nodes.server.records_of_files")
    monkeypatch.setattr(of_files, "_files", lambda names: [])
    return module("nodes.host.store").store()
