from __future__ import annotations

import pytest

from scheduler.sources import Sources
from tests.sources.made import folder_of, served


@pytest.fixture
def published(tmp_path):
    """A folder of three records with an index."""
    return folder_of(tmp_path / "published")


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
