"""Signed sources: the key is kept when one is added, and nothing else is taken afterwards."""

from __future__ import annotations

import json
import os
import sys

import pytest

from scheduler.errors import SourceError
from scheduler.sources.index_form import INDEX_FILE, SIGNATURE_FILE
from scheduler.sources.publishing import publish
from scheduler.sources.signing import key_name, read_signature
from scheduler.sources.words import trust
from tests.sources.made import NAMES, folder_of, records
from tests.weights import asked

pytest.importorskip("cryptography", reason="signatures need the package cryptography")


@pytest.fixture
def key(tmp_path):
    return tmp_path / "ann.pem"


@pytest.fixture
def signed(tmp_path, key):
    return folder_of(tmp_path / "signed", sign_with=key)


def public(folder) -> str:
    return read_signature((folder / SIGNATURE_FILE).read_bytes()).key


def test_a_signed_source_is_added_with_its_key(signed, sources):
    source = sources.add(str(signed))
    assert source.note.key == public(signed) and source.signed
    assert trust(source) == f"signed, key {key_name(public(signed))}"
    (match, *_) = sources.matches(asked(records()[NAMES[0]]))
    assert match.origin.signed == key_name(public(signed))


def test_an_index_that_was_changed_after_signing_is_refused(signed, sources):
    source = sources.add(str(signed))
    text = json.loads((signed / INDEX_FILE).read_text())
    (signed / INDEX_FILE).write_text(json.dumps(text))
    with pytest.raises(SourceError, match="does not fit its index"):
        sources.update(source.name)
    with pytest.raises(SourceError, match="does not fit its index"):
        sources.remove(source.name)
        sources.add(str(signed))


def test_a_clone_with_other_line_ends_is_the_same(signed, sources):
    for path in signed.rglob("*.json"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    source = sources.add(str(signed))
    assert source.signed and len(source.entries) == 3
    assert publish(signed, sign_with=signed.parent / "ann.pem").records == 3
    assert sources.update(source.name).entries.keys() == source.entries.keys()


def test_another_key_or_none_is_refused_afterwards(signed, sources, key, tmp_path):
    source = sources.add(str(signed))
    publish(signed, sign_with=tmp_path / "eve.pem", other_key=True)
    with pytest.raises(SourceError, match="signed with another key"):
        sources.update(source.name)
    (signed / SIGNATURE_FILE).unlink()
    with pytest.raises(SourceError, match="is not signed, and was added as one that is"):
        sources.update(source.name)
    publish(signed, sign_with=key)
    assert len(sources.update(source.name).entries) == 3


def test_the_key_can_be_demanded_or_left_aside(signed, published, sources):
    with pytest.raises(SourceError, match="not signed"):
        sources.add(str(published), key=public(signed))
    with pytest.raises(SourceError, match="publish` prints it"):
        sources.add(str(signed), key="my key")
    other = public(signed)[::-1].replace("=", "A")[:43] + "="
    with pytest.raises(SourceError, match="another key"):
        sources.add(str(signed), key=other)
    assert sources.add(str(signed), key=public(signed), name="a").signed
    sources.remove("a")
    assert trust(sources.add(str(signed), unsigned=True)) == "not signed"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[" * 50,
        b'{"stepdistill_signature": 1, "key": "", "signature": ""}',
        b"x" * 5000,
    ],
)
def test_a_signature_that_is_none_is_refused(signed, sources, content):
    (signed / SIGNATURE_FILE).write_bytes(content)
    with pytest.raises(SourceError):
        sources.add(str(signed))


def test_without_the_package_a_signed_source_says_what_it_needs(signed, sources, monkeypatch, key):
    for name in [each for each in sys.modules if each.partition(".")[0] == "cryptography"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(SourceError, match="pip install cryptography.*--unsigned"):
        sources.add(str(signed))
    with pytest.raises(SourceError, match="pip install cryptography"):
        publish(signed, sign_with=key)
    assert len(sources.add(str(signed), unsigned=True).entries) == 3


def test_what_was_signed_is_looked_up_without_the_package(signed, sources, monkeypatch):
    sources.add(str(signed))
    monkeypatch.setitem(sys.modules, "cryptography", None)
    assert list(sources.matches(asked(records()[NAMES[0]])))


def test_a_new_key_is_its_owners_alone_and_is_used_again(signed, key):
    before = public(signed)
    if os.name != "nt":
        assert key.stat().st_mode & 0o077 == 0
    assert not publish(signed, sign_with=key).changed and public(signed) == before


def test_a_signed_folder_is_not_published_otherwise_by_accident(signed, tmp_path):
    with pytest.raises(SourceError, match="sign it again"):
        publish(signed)
    eve = tmp_path / "eve.pem"
    with pytest.raises(SourceError):  # no key is made in the place of a mistyped one
        publish(signed, sign_with=eve)
    assert not eve.exists()
    folder_of(tmp_path / "other", sign_with=eve)
    with pytest.raises(SourceError, match="another key"):
        publish(signed, sign_with=eve)
    assert publish(signed, other_key=True).key is None and not (signed / SIGNATURE_FILE).exists()


def test_the_private_key_is_not_published(tmp_path, published):
    with pytest.raises(SourceError, match="private key lies in the folder"):
        publish(published, sign_with=published / "more" / "key.pem")
    assert not (published / "more" / "key.pem").exists()


def test_a_file_that_is_no_key_is_said(published, tmp_path):
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no key")
    with pytest.raises(SourceError, match="holds no Ed25519 private key"):
        publish(published, sign_with=wrong)
    assert wrong.read_text() == "no key"
