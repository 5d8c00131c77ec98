"""Writing: whole or not at all. Reading: bounded, ordinary files only."""

from __future__ import annotations

import os
import sys

import pytest

from scheduler.errors import OutputError, RecordError
from scheduler.files import atomic_path, make_folder, read_bytes, write_bytes, write_text

posix = pytest.mark.skipif(os.name == "nt", reason="needs a POSIX file system")
as_root = hasattr(os, "geteuid") and os.geteuid() == 0


def test_writes_and_replaces(tmp_path):
    path = tmp_path / "a.json"
    write_bytes(path, b"first")
    write_text(path, "zweite é\n")
    assert path.read_bytes() == "zweite é\n".encode()
    assert os.listdir(tmp_path) == ["a.json"]


def test_temporary_path_stands_beside_and_keeps_the_suffix(tmp_path):
    with atomic_path(tmp_path / "plot.png") as temporary:
        assert temporary.parent == tmp_path and temporary.suffix == ".png" and temporary.exists()
        assert not (tmp_path / "plot.png").exists()
        temporary.write_bytes(b"x")
    assert os.listdir(tmp_path) == ["plot.png"]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ValueError, MemoryError])
def test_earlier_file_survives_a_stop(tmp_path, stop):
    path = tmp_path / "a.json"
    write_bytes(path, b"good")
    with pytest.raises(stop), atomic_path(path) as temporary:
        temporary.write_bytes(b"ha")
        raise stop
    assert path.read_bytes() == b"good" and os.listdir(tmp_path) == ["a.json"]


def test_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="no space left on device"):
        write_bytes(tmp_path / "a.json", b"x")
    assert os.listdir(tmp_path) == []


def test_a_reader_on_windows_is_waited_for(tmp_path, monkeypatch):
    from scheduler import files

    replace, tries = os.replace, []

    def busy(source, target):
        tries.append(source)
        if len(tries) < 3:
            raise PermissionError(13, "in use")
        replace(source, target)

    monkeypatch.setattr(files.os, "replace", busy)
    monkeypatch.setattr(files.os, "name", "nt")
    monkeypatch.setattr(files.time, "sleep", lambda seconds: None)
    temporary = tmp_path / "b"
    temporary.write_bytes(b"x")
    files._replace(temporary, tmp_path / "a")
    assert len(tries) == 3 and (tmp_path / "a").read_bytes() == b"x"


@pytest.mark.parametrize("name", ["missing/a.json", "folder", "n\0ul", "x" * 300, "file/a.json"])
def test_bad_places_are_output_errors(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError) as caught:
        write_bytes(os.path.join(tmp_path, name), b"x")
    assert (
        "\n" not in str(caught.value)
        and "\0" not in str(caught.value)
        and len(str(caught.value)) < 400
    )
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


@pytest.mark.parametrize("path", ["", None, 7])
def test_what_is_no_file_name_is_an_output_error(path):
    with pytest.raises(OutputError):
        write_bytes(path, b"x")


@posix
@pytest.mark.skipif(as_root, reason="root may write everywhere")
def test_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="permission denied"):
        write_bytes(tmp_path / "a.json", b"x")


def test_text_that_cannot_be_encoded(tmp_path):
    with pytest.raises(OutputError):
        write_text(tmp_path / "a.txt", "\ud800")
    assert os.listdir(tmp_path) == []


@posix
def test_the_umask_decides_who_may_read(tmp_path):
    old = os.umask(0o022)
    try:
        write_bytes(tmp_path / "a", b"x")
    finally:
        os.umask(old)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644


@posix
def test_a_link_is_replaced_not_followed(tmp_path):
    (tmp_path / "outside").write_bytes(b"theirs")
    (tmp_path / "link").symlink_to(tmp_path / "outside")
    write_bytes(tmp_path / "link", b"ours")
    assert (tmp_path / "outside").read_bytes() == b"theirs" and (
        tmp_path / "link"
    ).read_bytes() == b"ours"


def test_make_folder(tmp_path, monkeypatch):
    assert make_folder(tmp_path / "a" / "b").is_dir()
    monkeypatch.chdir(tmp_path)
    make_folder(".")
    (tmp_path / "file").write_text("")
    for bad in (tmp_path / "file", tmp_path / "file" / "b", "n\0ul"):
        with pytest.raises(OutputError):
            make_folder(bad)
    assert sorted(os.listdir(tmp_path)) == ["a", "file"] and os.listdir(tmp_path / "a" / "b") == []


def test_reads_up_to_the_bound(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert read_bytes(path, 5, RecordError) == b"12345"
    with pytest.raises(RecordError, match="5 bytes"):
        read_bytes(path, 4, RecordError)


@pytest.mark.parametrize("path", ["missing", ".", "n\0ul", None, 1.5])
def test_what_cannot_be_read(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecordError):
        read_bytes(path, 10, RecordError)


@posix
@pytest.mark.skipif(not hasattr(os, "mkfifo") or sys.platform == "cygwin", reason="no named pipes")
def test_a_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RecordError, match="not an ordinary file"):
        read_bytes(tmp_path / "pipe", 10, RecordError)
