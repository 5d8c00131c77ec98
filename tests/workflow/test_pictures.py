"""Workflows inside pictures, as ComfyUI writes them, and damaged ones."""

from __future__ import annotations

import json
import struct
import zlib

import pytest

from scheduler.errors import WorkflowError
from scheduler.workflow import open_workflow
from scheduler.workflow.pictures import PNG, embedded
from tests.workflow_graphs import plain, prompt

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*chunks: bytes) -> bytes:
    return PNG + chunk(b"IHDR", bytes(13)) + b"".join(chunks) + chunk(b"IEND", b"")


def workflow_text(**more) -> str:
    return json.dumps(plain().data | more)


@pytest.mark.parametrize("kind", ["tEXt", "zTXt", "iTXt", "packed iTXt"])
@pytest.mark.parametrize("name", ["café", "字"])
def test_png_texts_that_pillow_writes(tmp_path, kind, name):
    from PIL.PngImagePlugin import PngInfo

    text, info = (
        json.dumps(plain().data | {"name": name}, ensure_ascii=kind in ("tEXt", "zTXt")),
        PngInfo(),
    )
    info.add_text("prompt", json.dumps(prompt()))
    (info.add_itxt if "iTXt" in kind else info.add_text)(
        "workflow", text, zip=kind in ("zTXt", "packed iTXt")
    )
    path = tmp_path / "a.png"
    Image.new("RGB", (8, 8)).save(path, pnginfo=info)
    assert open_workflow(path).value == json.loads(text)


def test_an_animated_png(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(
        png(chunk(b"IDAT", b"x"), chunk(b"comf", b"workflow\0" + workflow_text().encode()))
    )
    assert open_workflow(path).graph


def test_without_a_graph_the_prompt_counts(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png(chunk(b"tEXt", b"prompt\0" + json.dumps(prompt()).encode())))
    assert not open_workflow(path).graph


@pytest.mark.parametrize("lossless", [True, False])
def test_webp(tmp_path, lossless):
    path, image = tmp_path / "a.webp", Image.new("RGB", (8, 8))
    exif = image.getexif()
    exif[0x0110], exif[0x010F] = "prompt:" + json.dumps(prompt()), "workflow:" + workflow_text()
    image.save(path, exif=exif, lossless=lossless)
    assert open_workflow(path).value == plain().data


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (png(), "holds no workflow"),
        (png(chunk(b"tEXt", b"parameters\0a cat")), "made by a WebUI"),
        (png(chunk(b"zTXt", b"workflow\0\0nonsense")), "damaged"),
        (
            png(chunk(b"zTXt", b"workflow\0\0" + zlib.compress(bytes(60_000_000)))),
            "more than 50 MB",
        ),
        (png(chunk(b"tEXt", b"workflow\0{")), "not JSON"),
        (PNG + b"\xff\xff\xff\xfftEXtworkflow", "holds no workflow"),
        (b"RIFF\x04\0\0\0WEBP", "holds no workflow"),
        (b"RIFF\xff\0\0\0WEBPEXIF\x10\0\0\0II*\0\xff\xff\xff\xff", "holds no workflow"),
        (b"RIFF\xff\0\0\0WEBPEXIF\x10\0\0\0II*\0\x08\0\0\0\xff\xff\x01", "holds no workflow"),
    ],
)
def test_pictures_without_a_usable_workflow(tmp_path, data, says):
    path = tmp_path / "picture"
    path.write_bytes(data)
    with pytest.raises(WorkflowError, match=says):
        open_workflow(path)


@pytest.mark.parametrize("cut", range(0, 200, 7))
def test_a_picture_cut_short(cut):
    data = png(
        chunk(b"iTXt", b"workflow\0\x01\0\0\0" + zlib.compress(b"{}" * 40)),
        chunk(b"tEXt", b"prompt\0{}"),
    )
    try:
        embedded(data[:cut])
    except WorkflowError:
        pass
