"""The store: found by a documented order, whole after any stop, tolerant of what does not belong to it, quick, and bounded."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from scheduler import store_folder as folders
from scheduler.cli import store as cli
from scheduler.dynamic_programming import schedules_from
from scheduler.errors import OutputError, RecipeError, RecordError, SigmaRangeError, UnknownNameError
from scheduler.fingerprint import fingerprint_tensors
from scheduler.gram import gram_of
from scheduler.keys import Key
from scheduler.record import load_record
from scheduler.sidecar import read_gram, sidecar_of, solved, write_gram
from scheduler.sigmas import log_snr_grid
from scheduler.store import Store
from scheduler.store_folder import store_folder
from scheduler.store_index import Index
from scheduler.store_scan import INDEX
from tests.weights import asked, cast, record_of, weights

ROOT = Path(__file__).parent.parent
posix = pytest.mark.skipif(os.name == "nt", reason="needs a POSIX file system")
as_root = hasattr(os, "geteuid") and os.geteuid() == 0
OWN = weights()


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture(scope="module")
def gram():
    """Of a made-up smooth trajectory on a grid of 16 steps."""
    sigmas = log_snr_grid(0.003, 1.0, 16, "flow")
    generator = torch.Generator().manual_seed(0)
    end, noise = torch.randn(2, 64, generator=generator), torch.randn(2, 64, generator=generator)
    curve = torch.tensor(sigmas, dtype=torch.float32)[:, None, None]
    states, predictions = (1 - curve) * end + curve * noise, end + 0.1 * curve[:-1] * noise
    return gram_of(sigmas, torch.cat([states, predictions]))


# --- where it is ----------------------------------------------------------------------------------------------------


def test_the_order_of_places(tmp_path):
    given, environment, host = tmp_path / "a", {"STEPDISTILL_STORE": str(tmp_path / "b")}, tmp_path / "c"
    assert store_folder(given, host, environment) == given
    assert store_folder(None, host, environment) == tmp_path / "b"
    assert store_folder("", host, {"STEPDISTILL_STORE": ""}) == host
    assert store_folder(None, None, {}).parts[-2:] == ("stepdistill", "store")
    with pytest.raises(OutputError, match="NUL"):
        store_folder("a\0b")


@pytest.mark.parametrize(
    ("platform", "environment", "end"),
    [
        ("linux", {}, ".local/share/stepdistill"),
        ("linux", {"XDG_DATA_HOME": "/data"}, "/data/stepdistill"),
        ("darwin", {}, "Library/Application Support/stepdistill"),
        ("win32", {"LOCALAPPDATA": "C:/Users/x/AppData/Local"}, "AppData/Local/stepdistill"),
    ],
)
def test_platformdirs_is_imitated(platform, environment, end):
    assert folders._imitated(environment, platform).replace(os.sep, "/").endswith(end)


def test_the_imitation_is_right_here():
    platformdirs = pytest.importorskip("platformdirs", reason="platformdirs is not installed; it is optional")
    assert platformdirs.user_data_dir("stepdistill", appauthor=False) == folders._imitated(os.environ)


def test_two_hosts_share_one_store(tmp_path, monkeypatch):
    monkeypatch.setenv("STEPDISTILL_STORE", str(tmp_path / "shared"))
    name = Store.open(host=tmp_path / "comfy").put(record_of(cast(OWN, torch.float16)))
    found = Store.open(host=tmp_path / "webui").lookup(asked(record_of(cast(OWN, torch.bfloat16))))
    assert found.kind == "exact" and found.name == name


# --- keep and find --------------------------------------------------------------------------------------------------


def test_put_and_look_up(store):
    record = record_of(OWN)
    name = store.put(record)
    assert name.startswith("made-up--") and load_record(store.folder / name) == record == store.load(name.removesuffix(".json"))
    assert store.lookup(asked(record)).kind == "exact"
    assert "you use 7" in store.lookup(asked(record, cfg=7.0)).sentence
    assert store.lookup(asked(record, sampler="heun")) is None and store.lookup(asked(record, fingerprint=None)) is None


def test_an_empty_or_missing_store(store):
    assert store.lookup(asked(record_of(OWN))) is None and store.records() == [] and store.problems() == []
    assert not store.folder.exists()
    with pytest.raises(UnknownNameError, match="it has: none"):
        store.load("x")


def test_the_nearest_of_several(store):
    made = {cfg: store.put(record_of(OWN, cfg=cfg)) for cfg in (1.0, 4.0, 12.0)}
    made["wide"] = store.put(record_of(OWN, latent_shape=(16, 128, 128)))
    made["other"] = store.put(record_of(weights(seed=1)))
    for changes, wanted in (({"cfg": 5.0}, 4.0), ({"cfg": 30.0}, 12.0), ({"cfg": 1.3}, 1.0), ({"latent_shape": (16, 160, 160)}, "wide")):
        assert store.lookup(asked(record_of(OWN), **changes)).name == made[wanted]


def test_more_guidance_than_used_is_nearer_than_less(store):
    made = [store.put(record_of(OWN, cfg=cfg)) for cfg in (4.0, 9.0)]
    assert store.lookup(asked(record_of(OWN), cfg=6.0)).name == made[1]


def test_the_same_key_is_replaced_whatever_the_cast(store):
    first = store.put(record_of(cast(OWN, torch.float16)))
    assert store.put(record_of(cast(OWN, torch.bfloat16), seed=7)) == first
    assert [brief.file for brief in store.records()] == [first] and store.load(first).conditions.seed == 7
    assert store.put(record_of(OWN, samplers=("euler", "heun"))) != first, "other samplers, another record"


def test_a_relative_is_found_among_many(store):
    for seed in range(1, 30):
        store.put(record_of(weights(seed=seed)))
    name = store.put(record_of(OWN))
    found = store.lookup(asked(record_of(OWN), fingerprint=fingerprint_tensors(cast(OWN, torch.float8_e5m2))))
    assert found.name == name and "quantised" in found.sentence


def test_what_other_processes_write_is_seen(store):
    other, record = Store(store.folder), record_of(OWN)
    assert store.lookup(asked(record)) is None
    name = other.put(record)
    assert store.lookup(asked(record)).name == name
    other.put(record_of(OWN, seed=5))
    assert store.lookup(asked(record)).record.conditions.seed == 5
    other.remove(name)
    assert store.lookup(asked(record)) is None


def test_a_record_edited_in_place_is_read_anew(store):
    record = record_of(OWN)
    path = store.folder / store.put(record)
    store.lookup(asked(record))
    store._looked += 10**13  # as if it had settled
    path.write_text(record_of(OWN, cfg=12.0).to_json())
    assert "distilled at cfg 12" in store.lookup(asked(record)).sentence
    assert store.lookup(asked(record, cfg=12.0)).kind == "exact"


def test_the_revision_follows_every_change(store, gram):
    seen = [store.revision()]
    name = store.put(record_of(OWN))
    seen.append(store.revision())
    store.put(record_of(OWN, seed=1))
    seen.append(store.revision())
    store.put(record_of(OWN, seed=1), gram)
    seen.append(store.revision())
    store.remove(name)
    assert len(set(seen)) == 4 and store.revision() == seen[0] == Store(store.folder).revision() < 2**48


def test_a_new_process_starts_from_the_index(store, monkeypatch):
    record = record_of(OWN)
    store.put(record)
    assert store.lookup(asked(record)) and (store.folder / INDEX).exists()
    read = []
    monkeypatch.setattr("scheduler.store_scan.load_record", lambda path: read.append(path) or load_record(path))
    assert Store(store.folder).lookup(asked(record)).kind == "exact" and read == []


@pytest.mark.parametrize("text", ["", "[]", "{", '{"version": 1, "briefs": [{"file": 7}]}', '{"version": 1, "briefs": {}}', "[" * 9999])
def test_a_broken_index_is_made_anew(store, text):
    record = record_of(OWN)
    store.put(record)
    store.records()
    (store.folder / INDEX).write_text(text)
    assert Store(store.folder).lookup(asked(record)).kind == "exact"


def test_a_large_store_answers_at_once(store):
    """10,000 records; the claim is 5 ms, of which a busy test machine is given four times as much."""
    store.folder.mkdir()
    record_of(OWN).save(store.folder / "a.json")
    (brief,) = store.records()
    briefs = [
        replace(brief, file=f"{k}.json", fingerprint=f"w1-{k // 20}", numbers=(*brief.numbers[:3], k % 20, None)) for k in range(10_000)
    ]
    index, key, spent = Index(briefs, []), asked(record_of(OWN), cfg=7.0), []
    for _ in range(5):
        begun = time.process_time()
        found = index.ranked(key, {brief.fingerprint: "same" for brief in index.likely(key)})
        spent.append(time.process_time() - begun)
    assert found[0][0] == 0 and min(spent) < 0.02


# --- what does not belong there -------------------------------------------------------------------------------------


def test_foreign_and_broken_files_are_named_and_left_alone(store):
    record = record_of(OWN)
    name = store.put(record)
    strangers = {"broken.json": b'{"stepdistill": 1', "notes.txt": b"mine", "newer.json": b'{"stepdistill": 99}', "lone.safetensors": b"x"}
    for file, data in strangers.items():
        (store.folder / file).write_bytes(data)
    (store.folder / "folder.json").mkdir()
    with open(store.folder / "large.json", "wb") as file:
        file.truncate(1 << 30)
    begun = time.process_time()
    problems = dict(store.problems())
    assert time.process_time() - begun < 1
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
    assert second == name.replace(".json", "-2.json") and (store.folder / name).read_text() == "precious"
    (store.folder / second).unlink()
    (store.folder / second).mkdir()
    assert store.put(record_of(OWN)) == name.replace(".json", "-3.json")


@posix
def test_links_are_not_followed(store, tmp_path):
    record = record_of(OWN)
    record.save(tmp_path / "outside.json")
    store.folder.mkdir()
    (store.folder / "link.json").symlink_to(tmp_path / "outside.json")
    assert store.lookup(asked(record)) is None and "links are not followed" in dict(store.problems())["link.json"]
    store.put(record)
    assert load_record(tmp_path / "outside.json") == record and (store.folder / "link.json").is_symlink()


NAMES = ["../outside", "..", "a/b", "a\\b", "n\0ul", "x" * 300, "ä", "/etc/passwd", "", ".", "CON", "a.json\n", ".index/index.json"]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_never_paths(store, tmp_path, name):
    record_of(OWN).save(tmp_path / "outside.json")
    store.put(record_of(OWN))
    for use in (store.load, store.gram, store.remove, store.path):
        with pytest.raises(UnknownNameError) as caught:
            use(name)
        assert str(caught.value).isprintable() and len(str(caught.value)) < 400
    assert (tmp_path / "outside.json").exists()


@pytest.mark.parametrize("name", ["../../evil", "n/a/m/e", "träger 模型", "x" * 300, "con", "...", "", "a b\\c:d*e?", None])
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
@pytest.mark.skipif(as_root, reason="root may write everywhere")
def test_a_read_only_store_is_read(store):
    record = record_of(OWN)
    name = store.put(record)
    store.folder.chmod(0o500)
    try:
        assert Store(store.folder).lookup(asked(record)).name == name
        with pytest.raises(OutputError, match="permission denied"):
            store.put(record_of(OWN, cfg=9.0))
    finally:
        store.folder.chmod(0o700)


def test_a_file_where_the_store_should_be(tmp_path):
    (tmp_path / "store").write_text("")
    store = Store(tmp_path / "store")
    assert store.lookup(asked(record_of(OWN))) is None and "could not be read" in store.problems()[0][1]
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
    assert not old.exists() and new.exists() and (store.folder / ".hidden").exists() and store.problems() == []


# --- inner products -------------------------------------------------------------------------------------------------


def test_another_sampler_steps_and_start_without_a_model_call(store, gram):
    record = record_of(OWN)
    name = store.put(record, gram)
    match = store.lookup(asked(record, sampler="dpmpp_2m"))
    assert match.solve and match.allowed and "no recipe for dpmpp_2m" in match.sentence
    recipe = store.recipe(match, "dpmpp_2m", 5)
    np.testing.assert_allclose(recipe.sigmas, schedules_from(gram, "dpmpp_2m", 5)[5])
    assert "not measured" in recipe.evidence["verdict"]
    exact = store.lookup(asked(record))
    assert store.recipe(exact, "euler", 4) == record.recipe("euler", 4), "a recipe that is there is taken"
    assert len(store.recipe(exact, "euler", 7).sigmas) == 8
    half = store.recipe(exact, "euler", 4, start_sigma=0.5)
    assert half.start_sigma == half.sigmas[0] == 0.5 and half.sigmas[-1] == 0
    with pytest.raises(SigmaRangeError):
        store.recipe(exact, "euler", 4, start_sigma=1.5)
    with pytest.raises(UnknownNameError):
        store.recipe(exact, "heun", 4)
    store.remove(name)
    assert os.listdir(store.folder) == [".index"]


def test_another_range_is_solved_again_or_refused(store, gram):
    record = record_of(OWN)
    key = asked(record, sigma_min=0.02, sigma_max=0.9)
    name = store.put(record)
    assert store.lookup(key) is None
    store.put(record, gram)
    match = store.lookup(key)
    assert match.solve and "distilled for sigmas 0.003 to 1, your model has 0.02 to 0.9" in match.sentence
    sigmas = store.recipe(match, "euler", 6, sigma_min=0.02, sigma_max=0.9).sigmas
    assert sigmas[0] == 0.9 and min(sigmas[:-1]) >= 0.02 * (1 - 1e-9) and match.name == name
    assert store.lookup(replace(key, parametrisation="ve")) is None


def test_a_record_without_inner_products_replaces_them_too(store, gram):
    name = store.put(record_of(OWN), gram)
    assert store.gram(name).steps == gram.steps
    store.put(record_of(OWN, seed=1))
    assert store.gram(name) is None
    with pytest.raises(RecipeError, match="euler at 4, 6 steps"):
        store.recipe(store.lookup(asked(record_of(OWN))), "euler", 5)


def test_inner_products_survive_exactly(gram, tmp_path):
    write_gram(tmp_path / "a.safetensors", gram)
    found = read_gram(tmp_path / "a.safetensors")
    assert found.samples == gram.samples and all(
        np.array_equal(getattr(found, name), getattr(gram, name)) for name in ("sigmas", "products", "spread")
    )


def _spoilt(gram):
    yield replace(gram, products=np.full_like(gram.products, np.nan))
    yield replace(gram, products=gram.products[:-1])
    yield replace(gram, products=gram.products + np.triu(np.ones_like(gram.products), 1))
    yield replace(gram, products=-gram.products)
    yield replace(gram, sigmas=gram.sigmas[::-1])
    yield replace(gram, spread=gram.spread[1:])
    yield replace(gram, samples=-1)


def test_spoilt_inner_products_are_refused(store, gram):
    name = store.put(record_of(OWN), gram)
    path = sidecar_of(store.folder / name)
    for spoilt in _spoilt(gram):
        write_gram(path, spoilt)
        with pytest.raises(RecordError, match="inner products"):
            store.gram(name)
    for data in (b"", b"x" * 100, path.read_bytes()[:-9]):
        path.write_bytes(data)
        with pytest.raises(RecordError):
            store.gram(name)
    assert "inner products" in dict(store.problems())[path.name] and store.lookup(asked(record_of(OWN))).kind == "exact"


def test_solving_with_the_whole_range_changes_nothing(gram):
    np.testing.assert_array_equal(solved(gram, "euler", 4, 1.0 + 1e-7, gram.sigmas[-2]).sigmas, solved(gram, "euler", 4).sigmas)


# --- stops and crowds; benchmarks/store_torture.py goes further ----------------------------------------------------

WRITER = """
import sys
sys.path.insert(0, {root!r})
from scheduler.store import Store
from tests.weights import record_of, weights
store, own, seed = Store({folder!r}), weights(), 0
print("ready", flush=True)
while True:
    seed += 1
    store.put(record_of(own, seed=seed))
"""


@posix
def test_a_killed_writer_leaves_a_good_record(store):
    store.put(record_of(OWN))
    for delay in (0.02, 0.05, 0.09):
        writer = subprocess.Popen([sys.executable, "-c", WRITER.format(root=str(ROOT), folder=str(store.folder))], stdout=subprocess.PIPE)
        writer.stdout.readline()
        time.sleep(delay)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        assert store.lookup(asked(record_of(OWN))).kind == "exact" and store.problems() == []


# --- command line ---------------------------------------------------------------------------------------------------


@pytest.fixture
def run(store, capsys):
    import argparse

    def call(*words, json=False):
        parser = argparse.ArgumentParser()
        cli.add(parser.add_subparsers())
        action, *rest = words
        asked = parser.parse_args(["store", action, "--folder", str(store.folder), *(["--json"] if json else []), *map(str, rest)])
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
    assert code == 1 and "is empty" in text and "\x1b" not in text
    assert json.loads(run("verify", json=True)[1])["problems"]
    assert run("remove", name)[0] == 0 and store.records() == []
    with pytest.raises(UnknownNameError):
        run("remove", name)


def test_import_and_export(run, store, gram, tmp_path):
    record = record_of(OWN)
    record.save(tmp_path / "friend.json")
    write_gram(tmp_path / "friend.safetensors", gram)
    assert "with its inner products" in run("import", tmp_path / "friend.json")[1]
    match = store.lookup(asked(record))
    assert match.kind == "exact" and store.gram(match.name) is not None
    (tmp_path / "out").mkdir()
    run("export", match.name, tmp_path / "out", "--teacher")
    assert sorted(path.suffix for path in (tmp_path / "out").iterdir()) == [".json", ".safetensors"]
    assert load_record(tmp_path / "out" / match.name) == record
    run("export", match.name, tmp_path / "named.json")
    assert (tmp_path / "named.json").read_bytes() == (tmp_path / "friend.json").read_bytes()
    with pytest.raises(OutputError, match="ends in .json"):
        run("export", match.name, tmp_path / "named.txt")
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(RecordError):
        run("import", tmp_path / "bad.json")


def test_a_record_of_an_unknown_model_is_kept_and_never_found(store):
    name = store.put(record_of())
    assert store.put(record_of(name="Another")) != name and store.load(name).model.fingerprint is None
    assert store.lookup(asked(record_of(OWN)), "any") is None
    assert Key.of(store.load(name)).fingerprint is None


@pytest.mark.parametrize("options", [[], ["--full"], ["--json"]])
def test_fingerprint_command(options, capsys, tmp_path):
    import argparse

    from safetensors.torch import save_file

    from scheduler.cli import fingerprint as command

    save_file(OWN, tmp_path / "a.safetensors")
    save_file(cast(OWN, torch.bfloat16), tmp_path / "sdxl_lightning_4step.safetensors")
    parser = argparse.ArgumentParser()
    command.add(parser.add_subparsers())
    words = ["fingerprint", str(tmp_path / "sdxl_lightning_4step.safetensors"), "--like", str(tmp_path / "a.safetensors"), *options]
    found = parser.parse_args(words)
    assert found.run(found) == 0
    printed = capsys.readouterr()
    assert "w1-" in printed.out and "same" in printed.out and "SDXL Lightning" in printed.out + printed.err
    assert ("sha256 " in printed.out) == ("--full" in options)
