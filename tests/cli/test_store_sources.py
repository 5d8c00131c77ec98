"""store source, store publish, and what draw says of sources."""

from __future__ import annotations

import json

import pytest

from scheduler import cli
from scheduler.cli.draw import nearest
from scheduler.errors import RecipeError
from scheduler.record import Record
from scheduler.sources import Sources
from scheduler.sources.index_form import INDEX_FILE
from scheduler.store import Store
from tests.sources.made import NAMES, folder_of, records
from tests.weights import asked


@pytest.fixture
def published(tmp_path):
    return folder_of(tmp_path / "anns records")


@pytest.fixture
def run(tmp_path, capsys):
    """A command on a store of its own; returns (exit code, stdout, stderr)."""

    def command(*words):
        own = [] if words[0] == "publish" else ["--folder", str(tmp_path / "store")]
        code = cli.main(["store", *map(str, words), *own])
        return code, *capsys.readouterr()

    return command


def test_a_source_is_added_listed_shown_updated_and_removed(run, published):
    code, out, _ = run("source", "add", published)
    assert code == 0 and out == "anns-records: 3 records, not signed\n"
    _, out, err = run("source", "list")
    assert err == "1 source\n" and "anns-records" in out and "not signed" in out and "Ann" in out
    _, out, err = run("source", "show", "anns-records")
    assert err == "Ann's (not signed): 3 records\n" and "more/two" in out and "512x512" in out
    _, out, _ = run("source", "show", "anns-records", "more/two")
    assert Record.from_json(out) == records()[NAMES[1]] or Record.from_json(out).conditions.cfg == 7
    _, out, _ = run("source", "show", "anns-records", "one", "--about")
    assert out.startswith("Ann says so (not signed;")
    assert run("source", "verify")[0] == 0
    code, out, _ = run("source", "update")
    assert code == 0 and out == "anns-records: 3 records, not signed\n"
    assert run("source", "remove", "anns-records")[0] == 0
    assert run("source", "list")[2] == "0 sources\n"


def test_for_programs(run, published):
    _, out, _ = run("source", "add", published, "--name", "ann", "--json")
    (row,) = json.loads(out)["sources"]
    assert (row["name"], row["records"], row["signed"]) == ("ann", 3, False)
    assert json.loads(run("source", "list", "--json")[1])["sources"] == [row]
    found = json.loads(run("source", "show", "ann", "--json")[1])["records"]
    assert {each["file"] for each in found} == set(NAMES) and found[0]["by"] == "Ann"
    assert json.loads(run("source", "verify", "--json")[1]) == {"records": 3, "problems": []}


def test_one_that_cannot_be_updated_keeps_nobody_from_the_others(run, published, tmp_path):
    other = folder_of(tmp_path / "other")
    run("source", "add", published)
    run("source", "add", other)
    (published / INDEX_FILE).unlink()
    code, out, err = run("source", "update")
    assert code == 1 and out == "other: 3 records, not signed\n"
    assert err.startswith("anns-records: There is no stepdistill-index.json")


def test_mistakes_are_one_sentence(run, tmp_path):
    for words in (
        ("source", "add", tmp_path / "nowhere"),
        ("source", "show", "nobody"),
        ("source", "remove", "nobody"),
        ("source", "update", "nobody"),
        ("publish", tmp_path / "nowhere"),
    ):
        code, out, err = run(*words)
        assert code == 1 and not out and err.count("\n") == 1, words


def test_a_folder_is_published_and_what_is_left_out_is_named(run, published):
    (published / "package.json").write_text("{}")
    code, out, _ = run("publish", published, "--name", "All of Ann's", "--by", "Ann")
    lines = out.splitlines()
    assert code == 0 and lines[0] == "All of Ann's: 3 records"
    assert lines[1].startswith("  left out: package.json: ")
    assert run("publish", published)[1].startswith("All of Ann's: 3 records, unchanged")
    assert json.loads(run("publish", published, "--json")[1])["changed"] is False


def test_what_is_changed_on_disk_is_found(run, published, tmp_path):
    run("source", "add", published)
    for path in (tmp_path / "store").rglob("records/*.json"):
        path.write_text("{}")
    code, out, _ = run("source", "verify")
    assert code == 1 and out.count("was changed since it was fetched") == 3


def test_drawing_takes_what_a_source_has_only_where_that_is_asked_for(published, tmp_path):
    store = Store(tmp_path / "store")
    Sources(store.folder).add(str(published), name="ann")
    key = asked(records()[NAMES[0]], None)
    with pytest.raises(RecipeError, match="has a record of Made Up.*--unchecked uses it"):
        nearest(store, key, False, "tiny")
    match = nearest(store, key, True, "tiny")
    assert match.origin.source == "ann" and match.allowed
    store.put(records()[NAMES[0]])
    assert nearest(store, key, True, "tiny").origin is None
