"""Schedules solved from a record's inner products; the second file that records of version 1 kept
these in; and the store's command line."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import save_file

from scheduler.cli import fingerprint as fingerprint_command
from scheduler.cli import store as cli
from scheduler.errors import (
    OutputError,
    RecipeError,
    RecordError,
    SigmaRangeError,
    UnknownNameError,
)
from scheduler.lookup.key import Key
from scheduler.lookup.solving import NOTHING_FOR, STOCK_WON, not_worth_solving, solved
from scheduler.lookup.words import match_sentence
from scheduler.record import Conditions, Model, Recipe, Record, load_record
from scheduler.record.verdict_words import verdict
from scheduler.search.dynamic_programming import schedules_from
from scheduler.search.gram import with_sigmas
from scheduler.store.sidecar import read_gram, sidecar_of
from tests.weights import asked, cast, record_of, weights

OWN = weights()


def beside(path, gram):
    """The second file of a record of version 1, as the version before this wrote it."""
    arrays = {"sigmas": gram.sigmas, "products": gram.products, "spread": gram.spread}
    arrays |= {"samples": np.array([gram.samples])}
    kept = {name: np.ascontiguousarray(each, dtype=np.float64) for name, each in arrays.items()}
    save_arrays(kept, path, {"stepdistill": "gram 1"})


def version_1(record) -> str:
    """A record without evidence as the version before this wrote it."""
    data = json.loads(replace(record, gram=None).to_json()) | {"stepdistill": 1}
    for recipe in data["recipes"]:
        recipe["choice"] = recipe["choice"]["schedule"]
    return json.dumps(data)


@pytest.fixture
def old(store, gram):
    """(the name of a record of version 1 in the store, with its inner products beside it; what it
    is)."""
    record = record_of(OWN)
    name = store.put(record)
    (store.folder / name).write_text(version_1(record))
    beside(sidecar_of(store.folder / name), gram)
    return name, record


# --- inner products
# -------------------------------------------------------------------------------------------------


def test_another_sampler_steps_and_start_without_a_model_call(store, gram):
    record = record_of(OWN)
    name = store.put(replace(record, gram=gram))
    match = store.lookup(asked(record, sampler="dpmpp_2m"))
    assert match.solve and match.allowed and "no recipe for dpmpp_2m" in match_sentence(match)
    exact = store.lookup(asked(record))
    recipe = store.recipe(exact, "euler", 5)
    np.testing.assert_allclose(recipe.sigmas, schedules_from(gram, "euler", 5)[5])
    assert recipe.evidence == {"verdict": "solved"} and "not measured" in verdict(recipe)
    assert store.recipe(exact, "euler", 4) == record.recipe("euler", 4), (
        "a recipe that is there is taken"
    )
    assert len(store.recipe(exact, "euler", 7).sigmas) == 8
    half = store.recipe(exact, "euler", 4, start_sigma=0.5)
    assert half.start_sigma == half.sigmas[0] == 0.5 and half.sigmas[-1] == 0
    with pytest.raises(SigmaRangeError):
        store.recipe(exact, "euler", 4, start_sigma=1.5)
    for sampler in ("dpmpp_2m", "heun"):  # nothing was run for them, so stock may be better
        with pytest.raises(RecipeError, match=f"Nothing was distilled for {sampler}"):
            store.recipe(match, sampler, 5)
    store.remove(name)
    assert os.listdir(store.folder) == [".index"]


def test_another_range_is_solved_again_or_refused(store, gram):
    record = record_of(OWN)
    key = asked(record, sigma_min=0.02, sigma_max=0.9)
    name = store.put(record)
    assert store.lookup(key) is None
    store.put(replace(record, gram=gram))
    match = store.lookup(key)
    assert match.solve and "for sigmas 0.003 to 1, your model has 0.02 to 0.9" in match_sentence(
        match
    )
    sigmas = store.recipe(match, "euler", 6, sigma_min=0.02, sigma_max=0.9).sigmas
    assert sigmas[0] == 0.9 and min(sigmas[:-1]) >= 0.02 * (1 - 1e-9) and match.name == name
    assert store.lookup(replace(key, process="ve")) is None


def test_another_record_without_inner_products_replaces_them_too(store, gram):
    name = store.put(replace(record_of(OWN), gram=gram))
    assert store.gram(name) == store.load(name).gram == gram
    store.put(record_of(OWN, seed=1))
    assert store.gram(name) is None
    with pytest.raises(RecipeError, match="euler at 4, 6 steps"):
        store.recipe(store.lookup(asked(record_of(OWN))), "euler", 5)


def test_the_same_record_put_again_without_its_inner_products_keeps_them(store, gram):
    whole = replace(record_of(OWN), gram=gram)
    name = store.put(whole)
    assert store.put(replace(whole, gram=None)) == name and store.load(name) == whole


def test_inner_products_that_end_below_the_range_are_not_counted_on(store, gram):
    record = record_of(OWN)
    store.put(replace(record, gram=with_sigmas(gram, [0.5, 0.2, 0.05, 0.01, 0.0])))
    assert store.lookup(asked(record, sampler="dpmpp_2m")) is None
    exact = store.lookup(asked(record))
    assert store.recipe(exact, "euler", 3, start_sigma=0.5).sigmas[0] == 0.5
    with pytest.raises(RecipeError, match="at most the teacher's first sigma 0.5"):
        store.recipe(exact, "euler", 5)


def test_a_record_whose_inner_products_are_none_is_passed_over_and_named(store, gram):
    record = record_of(OWN)
    name = store.put(replace(record, gram=gram))
    text = (store.folder / name).read_text()
    place = text.index('"products": "') + len('"products": "')
    (store.folder / name).write_text(f"{text[:place]}{'/' * 12}{text[place + 12 :]}")  # a NaN
    other = store.put(record_of(OWN, cfg=8.0))
    match = store.lookup(asked(record))
    assert match.name == other and match.kind == "nearest"
    assert "inner_products.products" in dict(store.problems())[name]
    with pytest.raises(RecordError, match="inner_products.products"):
        store.load(name)


# --- records of version 1


def test_what_stands_beside_a_record_of_version_1_is_read(store, gram, old):
    name, record = old
    assert store.load(name) == replace(record, gram=gram) and store.gram(name) == gram
    match = store.lookup(asked(record, sampler="dpmpp_2m"))
    assert match.solve and store.recipe(match, "euler", 5).steps == 5
    assert store.problems() == []


def test_it_goes_into_the_record_when_that_is_put_again(store, gram, old):
    name, record = old
    assert store.put(store.load(name)) == name
    assert sorted(os.listdir(store.folder)) == [".index", name]
    assert load_record(store.folder / name) == replace(record, gram=gram)


def test_it_is_not_lost_when_the_record_comes_back_without_it(store, gram, old):
    name, record = old
    assert store.put(load_record(store.folder / name)) == name
    assert load_record(store.folder / name) == replace(record, gram=gram)


def test_it_goes_with_the_record(store, old):
    store.remove(old[0])
    assert os.listdir(store.folder) == [".index"]


def test_a_record_of_this_version_takes_nothing_that_stands_beside_it(store, gram):
    name = store.put(record_of(OWN))
    path = sidecar_of(store.folder / name)
    beside(path, gram)
    assert store.load(name).gram is None and store.gram(name) is None
    assert "no record of this version reads" in dict(store.problems())[path.name]
    os.utime(path, (0, 0))
    store.put(record_of(OWN, seed=1))
    assert not path.exists()


def test_inner_products_survive_exactly(gram, tmp_path):
    beside(tmp_path / "a.safetensors", gram)
    assert read_gram(tmp_path / "a.safetensors") == gram


def _spoilt(gram):
    yield replace(gram, products=np.full_like(gram.products, np.nan))
    yield replace(gram, products=gram.products[:-1])
    yield replace(gram, products=gram.products + np.triu(np.ones_like(gram.products), 1))
    yield replace(gram, products=-gram.products)
    yield replace(gram, sigmas=gram.sigmas[::-1])
    yield replace(gram, spread=gram.spread[1:])
    yield replace(gram, samples=-1)


def test_spoilt_inner_products_are_refused(store, gram, old):
    name, record = old
    path = sidecar_of(store.folder / name)
    for spoilt in _spoilt(gram):
        beside(path, spoilt)
        with pytest.raises(RecordError, match="inner products"):
            store.gram(name)
    for data in (b"", b"x" * 100, path.read_bytes()[:-9]):
        path.write_bytes(data)
        with pytest.raises(RecordError):
            store.gram(name)
    assert (
        "inner products" in dict(store.problems())[path.name]
        and store.lookup(asked(record_of(OWN))).kind == "exact"
    )
    assert store.load(name) == record


def test_solving_with_the_whole_range_changes_nothing(gram):
    np.testing.assert_array_equal(
        solved(gram, "euler", 4, 1.0 + 1e-7, gram.sigmas[-2]).sigmas,
        solved(gram, "euler", 4).sigmas,
    )


# --- command line ---------------------------------------------------------------------------------
# ------------------


@pytest.fixture
def run(store, capsys):

    def call(*words, json=False):
        parser = argparse.ArgumentParser()
        cli.add(parser.add_subparsers())
        action, *rest = words
        asked = parser.parse_args(
            [
                "store",
                action,
                "--folder",
                str(store.folder),
                *(["--json"] if json else []),
                *map(str, rest),
            ]
        )
        code = asked.run(asked)
        return code, capsys.readouterr().out

    return call


def test_list_show_verify_remove(run, store):
    name = store.put(record_of(OWN)).removesuffix(".json")
    assert name in run("list")[1] and "Made Up" in run("list")[1]
    assert json.loads(run("list", json=True)[1])["records"][0]["samplers"] == ["euler"]
    assert run("show", name)[1] == store.load(name).to_json()
    assert run("verify") == (0, "")
    (store.folder / "bad\x1b.json").write_text("")
    code, text = run("verify")
    assert code == 1 and "control characters" in text and "\x1b" not in text
    assert json.loads(run("verify", json=True)[1])["problems"]
    assert run("remove", name)[0] == 0 and store.records() == []
    with pytest.raises(UnknownNameError):
        run("remove", name)


def test_import_and_export(run, store, gram, tmp_path):
    record = record_of(OWN)
    whole = replace(record, gram=gram)
    whole.save(tmp_path / "friend.json")
    assert "with its inner products" in run("import", tmp_path / "friend.json")[1]
    match = store.lookup(asked(record))
    assert match.kind == "exact" and match.record.gram == gram
    (tmp_path / "out").mkdir()
    assert "with its inner products" in run("export", match.name, tmp_path / "out")[1]
    assert [path.name for path in (tmp_path / "out").iterdir()] == [match.name]
    assert load_record(tmp_path / "out" / match.name) == whole
    run("export", match.name, tmp_path / "named.json")
    assert (tmp_path / "named.json").read_bytes() == (tmp_path / "friend.json").read_bytes()
    with pytest.raises(OutputError, match="ends in .json"):
        run("export", match.name, tmp_path / "named.txt")
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(RecordError):
        run("import", tmp_path / "bad.json")


def test_import_of_a_record_of_version_1_with_what_stands_beside_it(run, store, gram, tmp_path):
    (tmp_path / "friend.json").write_text(version_1(record_of(OWN)))
    beside(tmp_path / "friend.safetensors", gram)
    assert "with its inner products" in run("import", tmp_path / "friend.json")[1]
    assert store.lookup(asked(record_of(OWN))).record.gram == gram


def test_a_record_of_an_unknown_model_is_kept_and_never_found(store):
    name = store.put(record_of())
    assert (
        store.put(record_of(name="Another")) != name and store.load(name).model.fingerprint is None
    )
    assert store.lookup(asked(record_of(OWN)), "any") is None
    assert Key.of(store.load(name)).fingerprint is None


@pytest.mark.parametrize("options", [[], ["--full"], ["--json"]])
def test_fingerprint_command(options, capsys, tmp_path):

    save_file(OWN, tmp_path / "a.safetensors")
    save_file(cast(OWN, torch.bfloat16), tmp_path / "sdxl_lightning_4step.safetensors")
    parser = argparse.ArgumentParser()
    fingerprint_command.add(parser.add_subparsers())
    words = [
        "fingerprint",
        str(tmp_path / "sdxl_lightning_4step.safetensors"),
        "--like",
        str(tmp_path / "a.safetensors"),
        *options,
    ]
    found = parser.parse_args(words)
    assert found.run(found) == 0
    printed = capsys.readouterr()
    assert (
        "w1-" in printed.out
        and "same" in printed.out
        and "SDXL Lightning" in printed.out + printed.err
    )
    assert ("sha256 " in printed.out) == ("--full" in options)


def test_what_is_worth_solving():
    sigmas = (10.0, 1.0, 0.0)
    recipes = (
        Recipe("euler", 2, 10.0, sigmas, choice="karras"),
        Recipe("dpmpp_2m", 2, 10.0, sigmas),
    )
    made = {"version": "0", "created": "2026-01-01T00:00:00Z", "model_calls": 0}
    record = Record(Model("ve", 0.1, 10.0), Conditions(), None, recipes, {}, made)
    assert not_worth_solving(record, "dpmpp_2m", 7) is None
    assert not_worth_solving(record, "euler", 7, whole=False) is None
    won = not_worth_solving(record, "euler", 7)
    assert (won.code, won.choice, won.steps) == (STOCK_WON, "karras", 2)
    assert not_worth_solving(record, "heun", 7).code == NOTHING_FOR
