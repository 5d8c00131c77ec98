"""What the ComfyUI registry is told: complete, and of things that are there."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
tomllib = pytest.importorskip("tomllib", reason="Python 3.10 cannot read TOML")


@pytest.fixture(scope="module")
def declared() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def png_size(name: str) -> tuple[int, int]:
    data = (ROOT / name).read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) < 200_000
    return struct.unpack(">II", data[16:24])


def test_nothing_is_missing(declared):
    comfy, project = declared["tool"]["comfy"], declared["project"]
    assert re.fullmatch(r"[a-z0-9-]+", comfy["PublisherId"]) and comfy["DisplayName"]
    assert "comfyui" not in project["name"] and re.fullmatch(r"\d+\.\d+\.\d+", project["version"])
    assert re.fullmatch(r">=\d+\.\d+\.\d+", comfy["requires-comfyui"])
    systems = [each for each in project["classifiers"] if each.startswith("Operating System")]
    assert systems == ["Operating System :: OS Independent"]
    assert "web" not in comfy  # WEB_DIRECTORY says it, and both would load the page's code twice


def test_the_pictures_are_there_and_of_the_registry_s_sizes(declared):
    comfy = declared["tool"]["comfy"]
    assert png_size(comfy["Icon"]) == (400, 400)
    width, height = png_size(comfy["Banner"])
    assert width * 9 == height * 21
    for name in (comfy["Icon"], comfy["Banner"]):
        assert (ROOT / name).with_suffix(".svg").read_text(encoding="utf-8").startswith("<?xml")
