"""`check`: whether recipes hold at another guidance or on another model, and a record's range of it."""

from __future__ import annotations

import json

import pytest

from scheduler import cli
from scheduler.record import load_record
from scheduler.record.cfg_range import whole_span


def run(*arguments):
    return cli.main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A record of the bundled flow checkpoint at guidance 3."""
    path = tmp_path_factory.mktemp("check") / "my.json"
    budget = ("--budget", 70, "--evidence-budget", 0, "--quiet")
    assert run("distill", "flow", "--cfg", 3, "--steps", 6, "-o", path, *budget) == cli.OK
    return path


@pytest.fixture
def record_file(made, tmp_path):
    path = tmp_path / "my.json"
    path.write_bytes(made.read_bytes())
    return path


@pytest.mark.slow
def test_at_another_guidance_it_holds_and_the_record_can_keep_that(record_file, capsys):
    before = record_file.read_bytes()
    assert run("check", record_file, "flow", "--cfg", 5, "--quiet") == cli.OK
    said = capsys.readouterr().out
    assert said.startswith("6 steps: It holds here: 0.") and "(38 model calls)" in said
    assert record_file.read_bytes() == before
    assert run("check", record_file, "flow", "--cfg", 5, "--quiet", "--keep", "--json") == cli.OK
    (check,) = json.loads(capsys.readouterr().out)["checks"]
    assert check["verdict"] == "holds" and check["rms"] < check["stock_rms"]
    assert whole_span(load_record(record_file)) == (3.0, 5.0)


@pytest.mark.slow
def test_what_cannot_be_checked_or_kept_is_said_in_a_sentence(record_file, capsys):
    assert run("check", record_file, "eps", "--quiet") == cli.MISTAKE
    assert "nothing to check" in capsys.readouterr().err
    data = json.loads(record_file.read_text())
    data["model"]["fingerprint"], data["model"]["samples"] = "another", {}
    record_file.write_text(json.dumps(data))
    assert run("check", record_file, "flow", "--cfg", 5, "--keep", "--quiet") == cli.MISTAKE
    assert "another model" in capsys.readouterr().err
    assert run("check", record_file, "flow", "--cfg", 5, "--quiet") == cli.OK
    said = capsys.readouterr().out
    assert said.startswith("6 steps: It is refused here, and was not run: the weights of its model")
    assert said.endswith("(0 model calls)\n")


@pytest.mark.slow
def test_distilling_for_a_store_begins_with_the_kin_that_it_has(
    made, tmp_path, capsys, monkeypatch
):
    from scheduler.distilling import run as distilling
    from scheduler.errors import Stopped
    from scheduler.store import Store

    begun = []

    def listening(*given, starts=(), **options):
        begun.append(starts)
        raise Stopped("that is enough")

    monkeypatch.setattr(distilling, "distill", listening)
    record = load_record(made)
    Store(tmp_path / "store").put(record)
    line = ("distill", "flow", "--steps", 6, "-o", tmp_path / "new.json")
    for more in (("--cfg", 5), ("--cfg", 3), ("--cfg", 5, "--store", tmp_path / "store")):
        run(*line, *more)
    assert begun == [(), (), (record.recipe("distilled", 6),)]
    assert capsys.readouterr().err.count("Among its starts: the recipe of flow.") == 1
