"""What all tests share: one thread a process, hypothesis' profiles, and hosts' tests skipped where
there is no host."""

from __future__ import annotations

import os

import pytest

from tests.examples import register_profiles
from tests.speed import slowness

os.environ.setdefault(
    "OMP_NUM_THREADS", "1"
)  # before torch is imported: its small tensors run slower on more

register_profiles(repeatable=bool(os.environ.get("CI")))


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    from scheduler.store import Store

    return Store(tmp_path / "store")


@pytest.fixture(scope="module")
def gram():
    """Inner products of a made-up, smooth teacher."""
    from tests.weights import smooth_gram

    return smooth_gram()


HOST_SECONDS = 900  # for one test on a host, which may distil on a slow machine
HOSTS = {"comfyui": "COMFYUI_PATH", "webui": "WEBUI_PATH"}


def pytest_collection_modifyitems(items):
    """Mark the tests of a host's folder with its name, and skip them with a reason where no
    checkout of it is named."""
    seconds = HOST_SECONDS * slowness()
    for item in items:
        folder = item.path.parent.name
        if folder in ("comfyui", "webui", "browser"):
            item.add_marker(folder)
            item.add_marker(pytest.mark.timeout(seconds))
        for marker, variable in HOSTS.items():
            if item.get_closest_marker(marker) and not os.environ.get(variable):
                item.add_marker(pytest.mark.skip(reason=f"{variable} names no checkout"))
