"""Workflows inside videos: as ComfyUI's own nodes write them (PyAV), VideoHelperSuite's, and damaged ones.

videos/: two frames of 16 x 16, written by PyAV 18.1 as SaveVideo and SaveWEBM do (metadata before the
streams, `use_metadata_tags`); comment.mp4 as VideoHelperSuite does (one comment with both).
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.errors import WorkflowError
from scheduler.workflow import open_workflow
from scheduler.workflow.videos import video_texts
from tests.workflow_graphs import plain, prompt

VIDEOS = Path(__file__).parent / "videos"


@pytest.mark.parametrize("name", ["saved.mp4", "saved.webm", "comment.mp4"])
def test_the_workflow_of_a_saved_video(name):
    document = open_workflow(VIDEOS / name)
    assert document.graph and document.value == plain().data | {"name": "café 字"}
    prompts = [text for key, text in video_texts(VIDEOS / name) if key == "prompt"]
    assert prompts[0] == json.dumps(prompt())


def test_a_video_without_a_workflow_says_so():
    with pytest.raises(WorkflowError, match="This video holds no workflow"):
        open_workflow(VIDEOS / "plain.mp4")


def box(kind: bytes, body: bytes, long: bool = False) -> bytes:
    if long:
        return struct.pack(">I4sQ", 1, kind, len(body) + 16) + body
    return struct.pack(">I4s", len(body) + 8, kind) + body


def movie(text: bytes, long: bool = False, full: bool = True) -> bytes:
    """Metadata in moov itself, or with boxes of 64-bit sizes, or with a meta of QuickTime's form."""
    key = box(b"mdta", b"workflow")
    keys = box(b"keys", struct.pack(">II", 0, 1) + key)
    item = box(b"\0\0\0\1", box(b"data", struct.pack(">II", 1, 0) + text))
    meta = b"\0" * 4 * full + box(b"hdlr", bytes(20)) + keys + box(b"ilst", item)
    return box(b"ftyp", b"qt  " + bytes(8)) + box(b"moov", box(b"meta", meta, long), long)


@pytest.mark.parametrize("long", [False, True])
@pytest.mark.parametrize("full", [False, True])
def test_other_forms_of_mp4(tmp_path, long, full):
    path = tmp_path / "a.mov"
    path.write_bytes(movie(json.dumps(plain().data).encode(), long, full))
    assert open_workflow(path).value == plain().data


def test_pictures_are_not_read(tmp_path):
    """A film of 200 MB before the metadata, of which not a byte is written to this disk."""
    path = tmp_path / "long.mp4"
    size = 200_000_000
    with open(path, "wb") as file:
        file.write(box(b"ftyp", b"isom" + bytes(8)) + struct.pack(">I4s", size + 8, b"mdat"))
        file.seek(size, 1)
        file.write(movie(json.dumps(plain().data).encode())[20:])
    assert open_workflow(path).value == plain().data


def test_a_live_webm_of_unknown_size(tmp_path):
    """Segment and cluster say no size."""

    def element(code: str, body: bytes, known: bool = True) -> bytes:
        size = (len(body) | 1 << 56).to_bytes(8, "big") if known else b"\x01" + b"\xff" * 7
        return bytes.fromhex(code) + size + body

    text = json.dumps(plain().data).encode()
    tag = element("67C8", element("45A3", b"WORKFLOW") + element("4487", text))
    cluster = element("1F43B675", element("E7", b"\0"), known=False)
    tags = element("1254C367", element("7373", tag))
    path = tmp_path / "live.webm"
    path.write_bytes(element("1A45DFA3", b"") + element("18538067", cluster + tags, known=False))
    assert open_workflow(path).value == plain().data


@pytest.mark.parametrize("name", ["saved.mp4", "saved.webm", "comment.mp4"])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_whatever_is_damaged_is_a_workflow_or_a_sentence(tmp_path_factory, name, data):
    whole = bytearray((VIDEOS / name).read_bytes())
    for _ in range(data.draw(st.integers(0, 6))):
        whole[data.draw(st.integers(12, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / name
    path.write_bytes(whole[: data.draw(st.integers(12, len(whole)))])
    try:
        open_workflow(path)
    except WorkflowError as problem:
        assert "\n" not in str(problem)
