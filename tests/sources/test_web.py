"""A static page as a source: a real server on this machine that answers well, badly, late or not at all."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from scheduler.errors import SourceError
from scheduler.sources import web
from scheduler.sources.addresses import WEB, Address, address_of
from scheduler.sources.index_form import INDEX_FILE, SIGNATURE_FILE
from scheduler.sources.readers import Unreachable
from scheduler.sources.web import WebReader
from tests.sources.made import NAMES, certificate_of, records, send, served
from tests.weights import asked

ONE, TWO, THREE = NAMES


@pytest.fixture
def hurried(monkeypatch):
    """A reader that waits for a fraction of a second."""
    monkeypatch.setattr(web.WebReader.__init__, "__defaults__", (0.3, 0.6))


def test_a_page_is_read_whole_and_only_when_asked(site, sources):
    source = sources.add(site.address, name="page")
    assert len(source.entries) == 3 and not source.note.left_out
    assert source.note.address == Address(WEB, site.address)
    paths = [path.removeprefix("/records/") for path, _ in site.asked]
    assert paths[:2] == [INDEX_FILE, SIGNATURE_FILE] and sorted(paths[2:]) == sorted(NAMES)
    before = len(site.asked)
    assert list(sources.matches(asked(records()[ONE]))) and sources.problems() == []
    assert len(site.asked) == before


def test_nothing_of_the_user_is_sent(site, sources):
    sources.add(site.address)
    for _, headers in site.asked:
        assert set(headers) == {"Host", "User-Agent", "Accept", "Accept-Encoding"}
        assert headers["User-Agent"].startswith("StepDistill/")


def test_an_update_fetches_only_what_is_new(site, sources):
    source = sources.add(site.address)
    before = len(site.asked)
    sources.update(source.name)
    assert [path.rpartition("/")[2] for path, _ in site.asked[before:]] == [INDEX_FILE]


def test_the_index_itself_may_be_named(site, sources):
    assert sources.add(site.address + INDEX_FILE).note.address.text == site.address


@pytest.mark.parametrize(
    ("status", "said"), [(404, "no stepdistill-index.json"), (500, "answered 500"), (204, "204")]
)
def test_other_answers_are_said(site, sources, status, said):
    site.answers[INDEX_FILE] = lambda handler: send(handler, status, b"")
    with pytest.raises(SourceError, match=said):
        sources.add(site.address)


def test_files_that_are_gone_are_left_out(site, sources):
    site.answers[ONE] = lambda handler: send(handler, 410, b"")
    assert sources.add(site.address).note.left_out == ((ONE, f"{ONE} is not there."),)


def test_a_length_beyond_the_bounds_is_refused_unread(site, sources):
    site.answers[INDEX_FILE] = lambda handler: send(handler, 200, b"{}", length=10**12)
    with pytest.raises(SourceError, match="1,000,000,000,000 bytes; at most"):
        sources.add(site.address)


def test_an_endless_answer_without_a_length_is_cut(site, sources):
    def endless(handler):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
        except OSError:
            handler.close_connection = True

    site.answers[ONE] = endless
    ((name, why),) = sources.add(site.address).note.left_out
    assert name == ONE and "the most that are read" in why


@pytest.mark.parametrize("off", [-7, 7])
def test_a_wrong_length_is_no_record(site, sources, published, off):
    content = (published / ONE).read_bytes()
    site.answers[ONE] = lambda handler: send(handler, 200, content, length=len(content) + off)
    source = sources.add(site.address)
    ((name, why),) = source.note.left_out
    assert name == ONE and ("cut short" in why or "another hash" in why or "at most" in why)
    assert len(source.entries) == 2


def test_packed_answers_are_refused(site, sources):
    site.answers[ONE] = lambda handler: send(handler, 200, b"", Content_Encoding="gzip")
    ((_, why),) = sources.add(site.address).note.left_out
    assert "packed" in why


def test_redirections_within_a_site_are_followed_and_bounded(site, sources):
    def moved(handler):
        send(handler, 302, b"", Location="/records/elsewhere.json")

    content = (site.folder / ONE).read_bytes()
    site.answers[ONE] = moved
    site.answers["elsewhere.json"] = lambda handler: send(handler, 200, content)
    assert not sources.add(site.address, name="a").note.left_out
    sources.remove("a")
    asks = "/records/elsewhere.json?etag=1"
    site.answers[ONE] = lambda handler: send(handler, 307, b"", Location=asks)
    site.answers["elsewhere.json?etag=1"] = site.answers["elsewhere.json"]
    assert not sources.add(site.address, name="a").note.left_out
    sources.remove("a")
    site.answers[ONE] = site.answers["elsewhere.json"] = moved
    ((_, why),) = sources.add(site.address, name="a").note.left_out
    assert "more than 3 times" in why


@pytest.mark.parametrize(
    "there",
    [
        "http://localhost:1/records/",
        "https://example.org/x.json",
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "http://user@127.0.0.1/x",
        "http://127.0.0.1:99999/x",
        "//[bad/x",
        "",
    ],
)
def test_redirections_to_other_places_are_not(site, sources, there):
    site.answers[INDEX_FILE] = lambda handler: send(handler, 301, b"", Location=there)
    with pytest.raises(SourceError) as said:
        sources.add(site.address)
    assert "another site" in str(said.value) or "more than 3 times" in str(said.value)
    assert len(site.asked) <= 4


def test_a_silent_server_is_not_waited_for(site, sources, hurried):
    site.answers[INDEX_FILE] = lambda handler: time.sleep(1.5)
    begun = time.monotonic()
    with pytest.raises(SourceError, match="too slow"):
        sources.add(site.address)
    assert time.monotonic() - begun < 1.4


@pytest.mark.slow
def test_an_answer_that_trickles_in_is_not_waited_for(site, sources, hurried):
    def trickle(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        for _ in range(20):
            handler.wfile.write(b" ")
            time.sleep(0.1)

    site.answers[ONE] = trickle
    with pytest.raises(Unreachable, match="too slow"):
        sources.add(site.address)
    assert sources.names() == []


@pytest.mark.slow
def test_headers_that_trickle_in_are_not_waited_for(hurried):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def trickle():
            client, _ = server.accept()
            with client:
                client.recv(4096)
                for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 40:
                    try:
                        client.sendall(bytes([byte]))
                    except OSError:
                        return
                    time.sleep(0.05)

        threading.Thread(target=trickle, daemon=True).start()
        begun = time.monotonic()
        with pytest.raises(Unreachable):
            WebReader(f"http://127.0.0.1:{server.getsockname()[1]}/").read("x.json", 100)
        assert time.monotonic() - begun < 2


def test_no_server_and_no_http_are_one_sentence(hurried):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def babble():
            client, _ = server.accept()
            with client:
                client.sendall(b"SSH-2.0-nothing\r\n" * 100)

        threading.Thread(target=babble, daemon=True).start()
        with pytest.raises(Unreachable, match="no proper one"):
            WebReader(f"http://127.0.0.1:{port}/").read("x.json", 100)
    with pytest.raises(Unreachable, match="127.0.0.1 could not be read"):
        WebReader(f"http://127.0.0.1:{port}/").read("x.json", 100)


def test_a_connection_that_the_server_ended_is_opened_again(site):
    reader = WebReader(site.address)
    content = reader.read(ONE, 10**6)
    reader._open[1].sock.shutdown(socket.SHUT_RDWR)
    assert reader.read(ONE, 10**6) == content
    reader.close()


def test_an_update_that_fails_keeps_what_was_there(site, sources, hurried):
    source = sources.add(site.address)
    site.answers[INDEX_FILE] = lambda handler: send(handler, 503, b"")
    with pytest.raises(SourceError, match="503"):
        sources.update(source.name)
    assert len(sources.all()[0].entries) == 3


def test_a_proxy_of_the_environment_is_used(published, monkeypatch):
    with served(published) as proxy:
        end = proxy.address.removesuffix("records/")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("http_proxy", end)
        proxy.answers["http://nowhere.invalid/one.json"] = lambda handler: send(handler, 200, b"1")
        assert WebReader("http://nowhere.invalid/").read(ONE, 100) == b"1"


def test_https_is_taken_from_those_alone_that_the_system_trusts(
    published, sources, tmp_path, monkeypatch
):
    pytest.importorskip("cryptography", reason="makes the certificate")
    certificate = certificate_of(tmp_path / "site.pem")
    with served(published, certificate) as site:
        with pytest.raises(Unreachable, match="certificate"):
            sources.add(site.address)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert len(sources.add(site.address, name="page").entries) == 3
        site.answers[INDEX_FILE] = lambda handler: send(
            handler, 302, b"", Location=site.address.replace("https", "http")
        )
        with pytest.raises(SourceError, match="another site"):
            sources.update("page")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("git@github.com:a/b.git", "clone it"),
        ("ssh://git@host/a", "clone it"),
        ("git://host/a", "clone it"),
        ("https://example.org/a/b.git", "clone it"),
        ("https://github.com/a/b", "https://raw.githubusercontent.com/a/b/HEAD/"),
        ("https://github.com/a/b.git", "https://raw.githubusercontent.com/a/b/HEAD/"),
        ("https://gitlab.com/a/b", "https://gitlab.com/a/b/-/raw/HEAD/"),
        ("https://huggingface.co/datasets/a/b", "datasets/a/b/resolve/main/"),
        ("file:///etc", "no http or https"),
        ("ftp://host/a", "no http or https"),
        ("data://text", "no http or https"),
        ("https:///a", "no http or https"),
        ("https://[bad/a", "no http or https"),
        ("https://host:abc/a", "no http or https"),
        ("https://user:word@host/a", "plain one"),
        ("https://host/a?b=1", "plain one"),
        ("https://host/a#b", "plain one"),
        ("", "neither"),
        ("a\nb", "neither"),
        ("x" * 600, "neither"),
        ("/no/such/folder", "is no folder"),
    ],
)
def test_what_is_no_source_is_said_with_what_to_do(given, said):
    with pytest.raises(SourceError, match=said):
        address_of(given)


def test_addresses_are_settled(tmp_path):
    assert address_of("HTTPS://example.org/a b").text == "https://example.org/a%20b/"
    assert address_of("https://raw.githubusercontent.com/a/b/HEAD").text.endswith("/HEAD/")
    assert address_of("https://huggingface.co/datasets/a/b/resolve/main/").kind == WEB
    (tmp_path / INDEX_FILE).write_text("{}")
    assert address_of(str(tmp_path / INDEX_FILE)) == address_of(str(tmp_path))
