"""One real WebUI for all tests of this folder. WEBUI_PATH names the checkout; tests/conftest.py
skips them without it."""

from __future__ import annotations

import base64
import io
import json
import os
import urllib.error
from pathlib import Path

import pytest

from tests.webui import checkpoint, made
from tests.webui.server import Server

API = "/stepdistill/v1"
PICTURE = {"prompt": "a cat", "steps": 4, "width": 64, "height": 64, "seed": 1, "cfg_scale": 7.0}


def pytest_configure(config):
    config.addinivalue_line(
        "markers",
        "forge(part): only for a Forge that has this part of its tree; deselected elsewhere",
    )


def pytest_collection_modifyitems(config, items):
    """No test of a host is stopped by a clock: patience.py waits as long as the host works. What is of
    Forge alone is deselected on others."""
    host, others = os.environ.get("WEBUI_PATH"), []
    for item in items:
        if "tests/webui" not in item.path.as_posix():
            continue
        item.add_marker(pytest.mark.timeout(0))
        part = item.get_closest_marker("forge")
        if host and part is not None and not (Path(host) / part.args[0]).exists():
            others.append(item)
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """The test's checkpoint file."""
    return checkpoint.write(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="session")
def server(model, tmp_path_factory):
    """The host that the tests share, in a temporary data folder with an empty store."""
    with Server(os.environ["WEBUI_PATH"], tmp_path_factory.mktemp("webui"), model) as started:
        yield started


@pytest.fixture(scope="session")
def other_model(server):
    """A second checkpoint, beside the first."""
    return checkpoint.write(server.folder / "models" / "Stable-diffusion", "second", seed=7)


@pytest.fixture
def host(server):
    """The shared host with an empty store and nothing remembered."""
    server.revive()
    for entry in server.get(f"{API}/records"):
        server._asked(_request(server, f"{API}/records/{entry['name']}", "DELETE"))
    server.get("/witness/forget")
    server.get("/witness")
    return Host(server)


@pytest.fixture(scope="session")
def record(model):
    """A record of the test's checkpoint, distilled by the library from a
    denoiser that takes no time."""
    return made.record_for(model)


@pytest.fixture
def stored(host, record):
    """The record's name, once it is in the host's store."""
    from scheduler.store import Store

    return Store(host.server.store).put(record).removesuffix(".json")


@pytest.fixture
def label(host, stored):
    """Its entry in the panel's list."""
    return host.get(f"/witness/label?name={stored}")


class Host:
    """Draws pictures and tells what was asked of the model meanwhile."""

    def __init__(self, server: Server):
        self.server, self.get, self.post = server, server.get, server.post
        self.pictures: list[str] = []  # of the last draw, in base64

    def draw(self, kind: str = "txt2img", **options):
        """(the parameters that a picture carries, the sigmas at which the model was asked)."""
        if self.server.is_forge and options.get("enable_hr"):
            options["hr_additional_modules"] = ["Use same choices"]
        self.get("/witness")
        answer = self.post(f"/sdapi/v1/{kind}", PICTURE | options)
        self.pictures = answer["images"]
        self.heard = self.get("/witness")
        told = json.loads(answer["info"])["extra_generation_params"]
        return told, [call["sigma"] for call in self.heard["calls"]]

    @property
    def pixels(self) -> bytes:
        """Of the last picture."""
        return self._picture.tobytes()

    @property
    def parameters(self) -> str:
        """What the last picture's own file says."""
        return self._picture.info["parameters"]

    def pasted(self) -> dict:
        """What the host reads of the last picture's parameters, and our controls with them."""
        from urllib.parse import quote

        return self.get(f"/witness/pasted?text={quote(self.parameters)}")

    @property
    def _picture(self):
        from PIL import Image

        return Image.open(io.BytesIO(base64.b64decode(self.pictures[0])))

    def delete(self, path: str) -> None:
        self.server._asked(_request(self.server, path, "DELETE"))

    def refused(self, path: str, data: dict | bytes, method: str = "POST") -> tuple[int, str]:
        """(status, text) of a request that must fail."""
        with pytest.raises(urllib.error.HTTPError) as problem:
            self.server._asked(_request(self.server, path, method, data))
        return problem.value.code, problem.value.msg


def _request(server: Server, path: str, method: str, data: dict | bytes | None = None):
    import urllib.request

    body = json.dumps(data).encode() if isinstance(data, dict) else data
    return urllib.request.Request(
        server.address + path, body, {"Content-Type": "application/json"}, method=method
    )
