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


@pytest.mark.parametrize("nothing", ["null", "", "{}", " null ", "undefined"])
def test_where_the_graph_is_nothing_the_prompt_counts(tmp_path, nothing):
    """As savers write it that were queued by a program."""
    path = tmp_path / "a.png"
    chunks = (
        chunk(b"tEXt", b"workflow\0" + nothing.encode()),
        chunk(b"tEXt", b"prompt\0" + json.dumps(prompt()).encode()),
    )
    path.write_bytes(png(*chunks))
    assert open_workflow(path).value == prompt()


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "AVIF"])
@pytest.mark.parametrize("where", ["named", "comment", "both in one"])
def test_exif_of_other_pictures(tmp_path, form, where):
    """As the savers write it that people use: texts with a name, or the user's comment."""
    image = Image.new("RGB", (8, 8))
    exif = image.getexif()
    if where == "named":
        exif[0x010F], exif[0x0110] = "Workflow:" + workflow_text(), "Prompt:" + json.dumps(prompt())
    else:
        both = json.dumps({"workflow": plain().data, "prompt": prompt()})
        text = workflow_text() if where == "comment" else both
        exif[0x0131] = "a saver"  # without a tag of its own Pillow leaves an AVIF bare
        exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + text.encode("utf-16-le")
    path = tmp_path / "a.bin"
    try:
        image.save(path, form, exif=exif)
    except (KeyError, OSError) as missing:
        pytest.skip(f"this Pillow writes no {form}: {missing}")
    assert open_workflow(path).value == plain().data


def test_a_webui_s_jpeg_is_called_that(tmp_path):
    image = Image.new("RGB", (8, 8))
    exif = image.getexif()
    text = "a cat\nSteps: 20, Sampler: Euler a, CFG scale: 7"
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + text.encode("utf-16-be")
    path = tmp_path / "a.jpg"
    image.save(path, "JPEG", exif=exif)
    with pytest.raises(WorkflowError, match="made by a WebUI"):
        open_workflow(path)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"\n<html lang='en'>", "a web page"),
        (b"\x40\0\0\0\0\0\0\0" + b'{"a":{"dtype":"F16"}}\xff', "a file of tensors"),
        (b"\x40\0\0\0\0\0\0\0" + b'{"a":{"dtype":"F16"}}', "a file of tensors"),
        (b"\0\0\0\x20ftypisom\xff", "This video holds no workflow"),
        (b"\x1aE\xdf\xa3\xff", "This video holds no workflow"),
        (b"GIF89a\xff", "a GIF"),
        ("{}".encode("utf-16"), "UTF-16"),
    ],
)
def test_what_the_file_is_instead(tmp_path, data, says):
    path = tmp_path / "a.json"
    path.write_bytes(data)
    with pytest.raises(WorkflowError, match=says):
        open_workflow(path)
