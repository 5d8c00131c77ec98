"""Recordings on disk: found by what a record is found by, bounded, cleared, tolerant, and at home to
stay."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scheduler.errors import OutputError, RecordingError
from scheduler.lookup.key import Key, patch
from scheduler.lookup.match import same_key
from scheduler.record import load_record
from scheduler.recordings import Recording
from scheduler.store import Store
from scheduler.store.housekeeping import STALE
from scheduler.store.recording_file import brief_of
from tests.examples import examples
from tests.recordings.made import SHAPE, ancestral, drawn, grid
from tests.weights import cast, record_of, weights

OWN = weights()
RANGE = {"sigma_min": 0.003, "sigma_max": 1.0}
posix = pytest.mark.skipif(os.name == "nt", reason="needs a POSIX file system")


def key_of(tensors=OWN, **changes) -> Key:
    return Key.of(record_of(tensors, latent_shape=SHAPE, **{**RANGE, **changes}))


KEY = key_of()
OTHER = key_of(cfg=9.0)


def picture(seed: int = 0, **about) -> Recording:
    return drawn("flow", "dpmpp_2m", 16, rows=1, noise_seed=seed, seed=seed, **about)


def folder_of(store) -> list[str]:
    return sorted(os.listdir(store.folder / "recordings"))


def seeds(store, key=KEY) -> list[int]:
    return [each.seed for each in store.recordings(key)]


# --- kept and found --------------------------------------------------------------------------------


def test_what_is_kept_comes_back_whole_the_newest_first(store):
    kept = [picture(0, name="DPM++ 2M Karras", prompt="ab12"), picture(1)]
    names = [store.keep_recording(KEY, each, "My Model") for each in kept]
    assert names[0].startswith("my-model--") and folder_of(store) == sorted(names)
    newest, oldest = store.recordings(KEY)
    assert [each.prompt for each in store.recordings(KEY, "ab12")] == ["ab12"]
    assert oldest.about == kept[0].about and newest.about == kept[1].about
    for found, given_ in ((oldest, kept[0]), (newest, kept[1])):
        assert np.array_equal(found.sigmas, given_.sigmas) and found.finished
        assert all(torch.equal(a, b) for a, b in zip(found.vectors, given_.vectors, strict=True))
        found.check()


def test_a_list_says_what_there_is(store):
    assert store.list_recordings() == []
    name = store.keep_recording(KEY, picture(3, name="DPM++ 2M", prompt="ab12"), "My Model")
    (brief,) = store.list_recordings()
    assert (brief.file, brief.title, brief.sampler, brief.name) == (
        name,
        "My Model",
        "dpmpp_2m",
        "DPM++ 2M",
    )
    assert (brief.steps, brief.rows, brief.latent_shape, brief.seed) == (16, 1, SHAPE, 3)
    assert brief.prompt == "ab12"
    assert brief.bytes == os.path.getsize(store.folder / "recordings" / name)
    assert same_key(KEY, brief.key)


# What a record is matched by: each change, and whether an exact hit would still be one.
CHANGES = [
    ({}, True),
    ({"sampler": "euler"}, True),
    ({"sigma_max": 1.00005}, True),
    ({"cfg": 4.2}, True),  # of one bucket
    ({"sigma_max": 0.98}, False),
    ({"sigma_min": 0.004}, False),
    ({"cfg": 9.0}, False),
    ({"guidance": 3.5}, False),
    ({"shift": 1.0}, False),
    ({"latent_shape": (4, 32, 32)}, False),
    ({"patches": (patch("a lora", 0.8, ["blocks.0"]),)}, False),
    ({"prediction": "v"}, False),
    ({"process": "ve"}, False),
    ({"fingerprint": None}, False),
]


@pytest.mark.parametrize(("change", "same"), CHANGES)
def test_a_key_matches_as_a_record_s_does(store, change, same):
    store.keep_recording(KEY, picture())
    assert len(store.recordings(replace(KEY, **change))) == same


def test_patches_are_told_apart_after_reading_too(store):
    patched = replace(KEY, patches=(patch("a lora", 0.8, ["blocks.0"]),))
    store.keep_recording(patched, picture())
    assert len(store.recordings(patched)) == 1 and not store.recordings(KEY)


def test_weights_are_known_again_in_another_precision(store):
    store.keep_recording(key_of(cast(OWN, torch.float16)), picture())
    assert len(store.recordings(key_of(cast(OWN, torch.bfloat16)))) == 1
    assert not store.recordings(key_of(weights(seed=1)))


def test_what_cannot_be_learnt_from_is_not_kept(store):
    with pytest.raises(RecordingError, match="ancestral"):
        store.keep_recording(KEY, ancestral("flow", grid("flow", 16), 1.0))
    with pytest.raises(RecordingError, match="no end yet"):
        store.keep_recording(KEY, Recording(SHAPE, "flow"))
    with pytest.raises(RecordingError, match="the one at hand is flow"):
        store.keep_recording(KEY, drawn("ve", "euler", 16))
    with pytest.raises(RecordingError, match="model at hand draws"):
        store.keep_recording(replace(KEY, latent_shape=(4, 16, 16)), picture())
    with pytest.raises(RecordingError, match="weights of this run are not known"):
        store.keep_recording(replace(KEY, fingerprint=None), picture())
    with pytest.raises(RecordingError, match="cannot be kept: .*sampler"):
        store.keep_recording(KEY, Recording.of(**_held(picture()), sampler="two words"))
    assert not (store.folder / "recordings").exists()


def _held(recording: Recording) -> dict:
    about = {**recording.about, "sigmas": recording.sigmas, "vectors": recording.vectors}
    del about["sampler"]
    return about


# --- bounded ---------------------------------------------------------------------------------------


def test_of_one_key_the_oldest_goes_first(tmp_path):
    store = Store(tmp_path, most_recordings=3)
    for seed in range(5):
        store.keep_recording(KEY, picture(seed))
    store.keep_recording(OTHER, picture(9))
    assert seeds(store) == [4, 3, 2] and seeds(store, OTHER) == [9]


def test_of_all_bytes_the_oldest_goes_first(tmp_path):
    size = os.path.getsize(
        tmp_path / "recordings" / Store(tmp_path).keep_recording(KEY, picture(0))
    )
    store = Store(tmp_path, most_recording_bytes=3 * size + 100)
    for seed, key in ((1, OTHER), (2, KEY), (3, KEY), (4, OTHER)):
        store.keep_recording(key, picture(seed))
    assert seeds(store) == [3, 2] and seeds(store, OTHER) == [4]


def test_the_default_bounds():
    store = Store("anywhere")
    assert store._shelf.most_bytes == 2 << 30 and store._shelf.most_a_key == 8


def test_one_larger_than_all_room_is_refused_and_nothing_goes(tmp_path):
    Store(tmp_path).keep_recording(KEY, picture(0))
    store = Store(tmp_path, most_recording_bytes=20_000)
    with pytest.raises(OutputError, match=r"has 33,792 bytes, and 20,000 are kept"):
        store.keep_recording(KEY, picture(1))
    assert seeds(store) == [0]


def test_a_clock_that_was_set_back_does_not_make_the_newest_the_oldest(tmp_path, monkeypatch):
    store = Store(tmp_path, most_recordings=2)
    for seed in range(2):
        store.keep_recording(KEY, picture(seed))
    monkeypatch.setattr(time, "time_ns", lambda: 1)
    store.keep_recording(KEY, picture(2))
    assert seeds(store) == [2, 1]


def test_what_cannot_be_read_makes_room_too(tmp_path):
    store = Store(tmp_path)
    first = store.keep_recording(KEY, picture(0))
    path = store.folder / "recordings" / first
    size = path.stat().st_size
    path.write_bytes(b"x" * size)
    Store(tmp_path, most_recording_bytes=size + 100).keep_recording(KEY, picture(1))
    assert not path.exists() and seeds(store) == [1]


# --- cleared ---------------------------------------------------------------------------------------


def test_clearing_a_key_or_all(store):
    for seed, key in ((0, KEY), (1, OTHER), (2, KEY)):
        store.keep_recording(key, picture(seed))
    assert store.clear_recordings(KEY) == 2 and not store.recordings(KEY)
    assert store.clear_recordings() == 1 and folder_of(store) == []
    assert store.clear_recordings() == 0


def test_clearing_takes_what_cannot_be_read_and_what_killed_writers_left(store):
    name = store.keep_recording(KEY, picture())
    folder = store.folder / "recordings"
    (folder / name).write_bytes(b"cut")
    left, fresh, mine = (
        folder / ".x.0123456789ab.tmp.safetensors",
        folder / ".y.0123456789ab.tmp.safetensors",
        folder / "mine.txt",
    )
    for path in (left, fresh, mine):
        path.write_bytes(b"latents")
    old = time.time() - STALE - 10
    os.utime(left, (old, old))
    assert store.clear_recordings() == 1
    assert folder_of(store) == sorted([fresh.name, mine.name])


def test_what_killed_writers_left_goes_with_the_next_picture(store):
    store.keep_recording(KEY, picture())
    left = store.folder / "recordings" / ".x.0123456789ab.tmp.safetensors"
    left.write_bytes(b"latents")
    os.utime(left, (1, 1))
    store.keep_recording(KEY, picture(1))
    assert not left.exists()


@posix
def test_what_cannot_be_removed_is_said_after_the_rest(store, monkeypatch):
    names = [store.keep_recording(KEY, picture(seed)) for seed in range(3)]
    real = os.unlink

    def held(path, *arguments, **options):
        if str(path).endswith(names[1]):
            raise OSError(errno.EACCES, "Permission denied")
        real(path, *arguments, **options)

    monkeypatch.setattr(os, "unlink", held)
    monkeypatch.setattr(type(store.folder), "unlink", lambda self, missing_ok=False: held(self))
    with pytest.raises(OutputError, match=f"{names[1]} could not be removed: permission denied"):
        store.clear_recordings()
    assert folder_of(store) == [names[1]]


# --- foreign, broken, full -------------------------------------------------------------------------


def test_foreign_and_broken_files_are_named_and_left_alone(store):
    good = store.keep_recording(KEY, picture())
    folder = store.folder / "recordings"
    data = (folder / good).read_bytes()
    length = 8 + int.from_bytes(data[:8], "little")
    of_ours = {
        f"a--{1:020d}-000000.safetensors": data[:-1],
        f"b--{2:020d}-000000.safetensors": data[: length - 5],
        f"c--{3:020d}-000000.safetensors": b"",
        f"d--{4:020d}-000000.safetensors": data.replace(b"stepdistill_recording", b"x" * 21),
        f"e--{5:020d}-000000.safetensors": b"\xff" * 4000,
        f"f--{6:020d}-000000.safetensors": data.replace(b'\\"steps\\":', b'\\"stips\\":'),
    }
    foreign = {"notes.txt": b"mine", "model.safetensors": data}
    for name, content in (of_ours | foreign).items():
        (folder / name).write_bytes(content)
    (folder / f"g--{7:020d}-000000.safetensors").mkdir()
    problems = dict(store.problems())
    expected = {*of_ours, *foreign, f"g--{7:020d}-000000.safetensors"}
    assert set(problems) == {f"recordings/{name}" for name in expected}
    assert "cut short" in problems[f"recordings/a--{1:020d}-000000.safetensors"]
    assert [each.file for each in store.list_recordings()] == [good]
    assert seeds(store) == [0]
    assert all((folder / name).read_bytes() == content for name, content in foreign.items())


@examples(300)
@given(place=st.floats(0, 1), value=st.integers(0, 255), cut=st.booleans())
def test_a_damaged_file_is_read_as_it_says_or_refused_in_one_sentence(
    tmp_path_factory, place, value, cut
):
    folder = tmp_path_factory.getbasetemp() / "damaged"
    store = Store(folder)
    if not (folder / "recordings").exists():
        store.keep_recording(KEY, picture())
    (brief,) = store.list_recordings()
    data = bytearray((folder / "recordings" / brief.file).read_bytes())
    head = 8 + int.from_bytes(data[:8], "little")
    at = int(place * (head - 1))
    data[at] = value
    path = folder / "damaged.safetensors"
    path.write_bytes(data[:at] if cut else data)
    try:
        found = brief_of(path, path.stat().st_size)
        assert found.steps >= 1
    except RecordingError as problem:
        assert str(problem).endswith(".") and "\n" not in str(problem)


def test_a_full_disk_is_one_sentence_and_loses_nothing(tmp_path, monkeypatch):
    store = Store(tmp_path, most_recordings=1)
    store.keep_recording(KEY, picture(0))

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="could not be written: no space left on device;"):
        store.keep_recording(KEY, picture(1))
    assert seeds(store) == [0] and len(folder_of(store)) == 1


def test_recordings_are_no_part_of_the_catalogue(store):
    name = store.put(record_of(OWN))
    revision = store.revision()
    store.keep_recording(KEY, picture())
    assert store.problems() == [] and store.revision() == revision
    assert [brief.file for brief in store.records()] == [name]
    assert store._catalogue.scan.size == os.path.getsize(store.folder / name)  # of its own bound


def _keeps(folder: str, first: int) -> None:
    store = Store(folder, most_recordings=4)
    for seed in range(first, first + 4):
        store.keep_recording(KEY, picture(seed))


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="forks")
def test_writers_at_the_same_time_are_safe(tmp_path):
    store = Store(tmp_path, most_recordings=4)
    forked = multiprocessing.get_context("fork")
    writers = [forked.Process(target=_keeps, args=(str(tmp_path), 10 * k)) for k in range(3)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        for found in store.recordings(KEY):  # whole, or not there
            assert found.rows == 1 and found.steps == 16
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert 1 <= len(store.recordings(KEY)) <= 4 and store.problems() == []


# --- at home to stay -------------------------------------------------------------------------------


def learnt(recording: Recording):
    """A record whose inner products are a recording's."""
    record = record_of(OWN, latent_shape=SHAPE, **RANGE)
    about = {**record.provenance, "recordings": [recording.description()]}
    return replace(record, gram=recording.gram, provenance=about)


def test_a_record_learnt_from_a_recording_leaves_without_its_latents(store, tmp_path):
    from scheduler import cli

    recording = picture(0)
    store.keep_recording(KEY, recording)
    name = store.put(learnt(recording))
    out = tmp_path / "out"
    out.mkdir()
    assert cli.main(["store", "export", name, str(out), "--folder", str(store.folder)]) == 0
    assert os.listdir(out) == [name]
    there = load_record(out / name)
    assert there.gram == recording.gram
    data = json.loads((out / name).read_text(encoding="utf-8"))
    numbers = 3 * len(data["inner_products"]["products"]) // 4 // 8
    vectors = 2 * 16 + 1
    assert numbers == vectors * (vectors + 1) // 2  # of 33 vectors, not of 33 x 256 numbers
    assert data["provenance"]["recordings"][0]["sampler"] == "dpmpp_2m"


def test_records_learnt_from_pictures_that_are_rotations_of_each_other_are_equal():
    recording = picture(0)
    square = torch.randn(256, 256, generator=torch.Generator().manual_seed(3)).double()
    turn = torch.linalg.qr(square).Q
    vectors = [
        (turn @ each.double().flatten()).reshape(each.shape).float() for each in recording.vectors
    ]
    turned = Recording.of(recording.sigmas, vectors, **recording.about)
    assert not torch.allclose(turned.vectors[16], recording.vectors[16], atol=0.5)
    one, other = learnt(recording), learnt(turned)
    assert np.allclose(one.gram.products, other.gram.products, rtol=1e-5, atol=1e-6)
    errors = [each.provenance["recordings"][0].pop("own_error") for each in (one, other)]
    assert errors[0] == pytest.approx(errors[1], rel=1e-3)
    assert replace(one, gram=None).to_json() == replace(other, gram=None).to_json()
