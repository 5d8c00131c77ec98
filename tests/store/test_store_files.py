"""The store among foreign and broken files, full disks, hostile names, and writers that are killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time

import pytest

from scheduler.errors import OutputError, UnknownNameError
from scheduler.record import load_record
from scheduler.store import Store
from tests.speed import scaled
from tests.weights import asked, record_of, weights

posix = pytest.mark.skipif(os.name == "nt", reason="needs a POSIX file system")
OWN = weights()


# --- what does not belong there
# -------------------------------------------------------------------------------------


def test_foreign_and_broken_files_are_named_and_left_alone(store):
    record = record_of(OWN)
    name = store.put(record)
    strangers = {
        "broken.json": b'{"stepdistill": 1',
        "notes.txt": b"mine",
        "newer.json": b'{"stepdistill": 99}',
        "lone.safetensors": b"x",
    }
    for file, data in strangers.items():
        (store.folder / file).write_bytes(data)
    (store.folder / "folder.json").mkdir()
    with open(store.folder / "large.json", "wb") as file:
        file.truncate(1 << 30)
    begun = time.process_time()
    problems = dict(store.problems())
    assert time.process_time() - begun < scaled(1)
    assert set(problems) == {*strangers, "folder.json", "large.json"}
    assert (
        "cut short" in problems["broken.json"]
        and "newer StepDistill" in problems["newer.json"]
        and "1,073,741,824" in problems["large.json"]
    )
    assert store.lookup(asked(record)).name == name
    assert all((store.folder / file).read_bytes() == data for file, data in strangers.items())


def test_what_stands_in_the_way_is_not_overwritten(store):
    name = store.put(record_of(OWN))
    (store.folder / name).write_text("precious")
    second = store.put(record_of(OWN))
    assert (
        second == name.replace(".json", "-2.json")
        and (store.folder / name).read_text() == "precious"
    )
    (store.folder / second).unlink()
    (store.folder / second).mkdir()
    assert store.put(record_of(OWN)) == name.replace(".json", "-3.json")


@posix
def test_links_are_not_followed(store, tmp_path):
    record = record_of(OWN)
    record.save(tmp_path / "outside.json")
    store.folder.mkdir()
    (store.folder / "link.json").symlink_to(tmp_path / "outside.json")
    assert (
        store.lookup(asked(record)) is None
        and "links are not followed" in dict(store.problems())["link.json"]
    )
    store.put(record)
    assert (
        load_record(tmp_path / "outside.json") == record
        and (store.folder / "link.json").is_symlink()
    )


NAMES = [
    "../outside",
    "..",
    "a/b",
    "a\\b",
    "n\0ul",
    "x" * 300,
    "ä",
    "/etc/passwd",
    "",
    ".",
    "CON",
    "a.json\n",
    ".index/index.json",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_never_paths(store, tmp_path, name):
    record_of(OWN).save(tmp_path / "outside.json")
    store.put(record_of(OWN))
    for use in (store.load, store.gram, store.remove, store.path):
        with pytest.raises(UnknownNameError) as caught:
            use(name)
        assert str(caught.value).isprintable() and len(str(caught.value)) < 400
    assert (tmp_path / "outside.json").exists()


@pytest.mark.parametrize(
    "name",
    ["../../evil", "n/a/m/e", "träger 模型", "x" * 300, "con", "...", "", "a b\\c:d*e?", None],
)
def test_any_models_name_gives_a_safe_file(store, name):
    file = store.put(record_of(OWN, name=name))
    assert os.listdir(store.folder).count(file) == 1 and len(file) < 100 and file.isascii()
    assert not set(file) & set('/\\:*?"<>| ') and store.load(file).model.name == name


def test_full_disk_keeps_the_earlier_record(store, monkeypatch):
    record = record_of(OWN)
    name = store.put(record)

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="no space left on device"):
        store.put(record_of(OWN, seed=9))
    assert store.load(name) == record and store.lookup(asked(record)).name == name


@posix
def test_a_read_only_store_is_read(store):
    record = record_of(OWN)
    name = store.put(record)
    store.folder.chmod(0o500)
    try:
        if os.access(store.folder, os.W_OK):
            pytest.skip("this user may write everywhere")
        assert Store(store.folder).lookup(asked(record)).name == name
        with pytest.raises(OutputError, match="permission denied"):
            store.put(record_of(OWN, cfg=9.0))
    finally:
        store.folder.chmod(0o700)


def test_a_file_where_the_store_should_be(tmp_path):
    (tmp_path / "store").write_text("")
    store = Store(tmp_path / "store")
    assert (
        store.lookup(asked(record_of(OWN))) is None
        and "could not be read" in store.problems()[0][1]
    )
    with pytest.raises(OutputError):
        store.put(record_of(OWN))


def test_a_full_store_refuses_and_drops_nothing(store):
    small = Store(store.folder, most_records=2)
    names = [small.put(record_of(OWN, cfg=cfg)) for cfg in (1.0, 4.0)]
    with pytest.raises(OutputError, match="full .2 records"):
        small.put(record_of(OWN, cfg=12.0))
    assert small.put(record_of(OWN, cfg=1.0, seed=3)) == names[0], "what is there may be replaced"
    with pytest.raises(OutputError, match="full"):
        Store(store.folder, most_bytes=1000).put(record_of(OWN, cfg=12.0))
    assert sorted(brief.file for brief in small.records()) == sorted(names)


def test_what_killed_writers_left_is_swept_in_time(store):
    store.put(record_of(OWN))
    old, new = (store.folder / f".made-up.{digits * 6}.tmp.json" for digits in ("0a", "0b"))
    for path in (old, new):
        path.write_text("ha")
    os.utime(old, (1, 1))
    (store.folder / ".hidden").write_text("theirs")
    store.put(record_of(OWN, cfg=9.0))
    assert (
        not old.exists()
        and new.exists()
        and (store.folder / ".hidden").exists()
        and store.problems() == []
    )


# --- stops and crowds; benchmarks/store_torture.py goes further
# ----------------------------------------------------


def write_for_ever(folder: str, told: int) -> None:
    store, number = Store(folder), 0
    while True:
        number += 1
        store.put(record_of(OWN, seed=number))
        os.write(told, b".")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs a quick fork")
def test_a_killed_writer_leaves_a_good_record(store):
    store.put(record_of(OWN))
    for delay in (0.0, 0.004, 0.011, 0.017):
        reading, writing = os.pipe()
        writer = multiprocessing.get_context("fork").Process(
            target=write_for_ever, args=(store.folder, writing)
        )
        writer.start()
        os.read(reading, 1)
        time.sleep(delay)
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        os.close(reading), os.close(writing)
        assert (
            store.lookup(asked(record_of(OWN))).record.conditions.seed >= 1
            and store.problems() == []
        )
