from __future__ import annotations

import shutil

import pytest

from scheduler.sources import Sources
from tests.sources.made import folder_of, served


@pytest.fixture(scope="session")
def honest(tmp_path_factory):
    """A folder of three records with an index, to be copied."""
    return folder_of(tmp_path_factory.mktemp("honest") / "published")


@pytest.fixture
def published(honest, tmp_path):
    """One of a test's own."""
    return shutil.copytree(honest, tmp_path / "published")


@pytest.fixture
def sources(tmp_path):
    """No source yet."""
    return Sources(tmp_path / "store")


@pytest.fixture
def site(published, monkeypatch):
    """The same as a page on this machine, whatever proxy the environment names."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with served(published) as found:
        yield found
