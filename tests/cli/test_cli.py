"""The command line: what it prints, its exit codes, its one-sentence errors, and a clean stop."""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler import cli
from scheduler.cli import console, demo, models
from scheduler.errors import DenoiserError, ScheduleError, Stopped
from scheduler.fingerprint.step_distilled import detect
from scheduler.record import Conditions, Model, Recipe, Record, evidence_table, load_record, now
from scheduler.sigmas.decimals import baked
from tests.speed import Stopwatch

ROOT = Path(__file__).parents[2]
MANUAL_SIGMAS = r"[-+]?(?:\d*\.*\d+)"  # how ComfyUI's node finds its numbers
OWN_MODEL = """
import torch
def denoise(x, sigma):
    s = sigma.reshape(-1, 1, 1)
    return x * (1 - s) / ((1 - s) ** 2 + s**2)
not_a_function = 3
def broken(x, sigma):
    return x * float("nan")
"""


@pytest.fixture
def record_file(tmp_path):
    evidence = {
        "rms": 0.05,
        "median": 0.04,
        "different": 0.0,
        "samples": 8,
        "stock": {"beta": {"rms": 0.1, "median": 0.1}},
        "ratio": 0.5,
    }
    evidence |= {
        "best_stock": "beta",
        "margin": 0.1,
        "verdict": "better",
        "equals_stock_steps": 11,
        "model_calls": 6,
    }
    conditions = Conditions(cfg=4.0, latent_shape=(4, 8, 8), seed=0, name="träger")
    recipes = [
        Recipe("euler", 6, 1.0, np.linspace(1, 0, 7), evidence=evidence),
        Recipe("euler", 6, 1.0, np.linspace(1, 0, 7), offsets=np.zeros(6)),
        Recipe("distilled", 4, 1.0, np.linspace(1, 0, 5), coefficients=np.zeros((4, 4))),
    ]
    summary = {
        "curve": {"euler": {6: 0.05}},
        "seeds": 8,
        "recommendation": {"steps": 6, "stock": {"schedule": "beta"}},
    }
    provenance = {"version": "0.1.0", "created": now(), "model_calls": 100}
    path = tmp_path / "record.json"
    Record(
        Model.of(conditions, "flow", 0.003, 1.0), conditions, None, recipes, summary, provenance
    ).save(path)
    return str(path)


def run(*arguments):
    return cli.main([str(argument) for argument in arguments])


def refused(capsys, *arguments):
    """The one sentence on stderr of a user's mistake."""
    assert run(*arguments) == cli.MISTAKE
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("StepDistill: ") and len(err.strip().splitlines()) == 1
    return err


def python(*arguments, **options):
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
        **options.pop("env", {}),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "scheduler", *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


# Help and usage


@pytest.mark.parametrize("command", ["", "demo", "distill", "show", "compare", "plot", "bake"])
def test_help_teaches_with_examples(capsys, command):
    with pytest.raises(SystemExit) as done:
        run(*([command] if command else []), "--help")
    text = capsys.readouterr().out
    assert done.value.code == 0 and "examples" in text and "python -m scheduler" in text
    assert text.isascii() and max(len(line) for line in text.splitlines()) < 130


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["bake"],
        ["distill", "flow", "-o", "x", "--steps", "0"],
        ["show", "x", "--no-such"],
    ],
)
def test_wrong_usage_is_2(arguments):
    with pytest.raises(SystemExit) as done:
        run(*arguments)
    assert done.value.code == cli.USAGE


def test_numbers_lists_and_shapes():
    assert console.step_counts("4-6,10") == [4, 5, 6, 10]
    assert console.classes("0,3-4") == [0, 3, 4]
    assert console.names("euler, heun") == ["euler", "heun"]
    assert console.shape("16x64x64") == console.shape("16,64,64") == (16, 64, 64)
    for parse, text in (
        (console.step_counts, "6-4"),
        (console.step_counts, "a"),
        (console.step_counts, "1001"),
        (console.classes, "10"),
        (console.names, ","),
        (console.shape, "4x0"),
        (console.positive, "0"),
        (console.positive, "-3"),
    ):
        with pytest.raises(argparse.ArgumentTypeError):
            parse(text)


def test_tables_are_aligned():
    lines = evidence_table.table(("name", "n"), [("a", 1), ("long", 22)]).splitlines()
    assert lines == ["name   n", "----  --", "a      1", "long  22"]
    assert [evidence_table.error_text(error) for error in (None, 0.1234, 0.01234, 0.001234)] == [
        "-",
        "0.123",
        "0.0123",
        "0.00123",
    ]


# show, plot, bake


def test_show_prints_tables_for_people(capsys, record_file):
    assert run("show", record_file) == cli.OK
    text = capsys.readouterr().out
    assert (
        "träger" in text
        and "beta" in text
        and "0.50 +- 11 %" in text
        and "better" in text
        and "At 6 steps use stock (beta)" in text
    )
    assert run("show", record_file, "--sampler", "distilled", "--sigmas") == cli.OK
    text = capsys.readouterr().out
    assert (
        "0.75, 0.5, 0.25, 0" in text
        and "0.0500" not in text
        and "the distilled sampler, 4 steps" in text
    )


def test_show_json_is_json(capsys, record_file):
    assert run("show", record_file, "--json") == cli.OK
    found = json.loads(capsys.readouterr().out)
    assert found["recipes"][0]["evidence"]["best_stock"] == "beta" and len(found["recipes"]) == 3


def test_mistakes_get_one_sentence(capsys, record_file, tmp_path):
    (tmp_path / "broken.json").write_text('{"stepdistill": 1')
    assert "broken.json" in refused(capsys, "show", tmp_path / "broken.json")
    assert "none.json" in refused(capsys, "plot", tmp_path / "none.json", "-o", tmp_path / "a.png")
    assert "euler at 6 steps" in refused(
        capsys, "bake", record_file, "--sampler", "euler", "--steps", "7"
    )
    assert "euler at 6 steps" in refused(capsys, "show", record_file, "--sampler", "heun")
    assert "could not be written" in refused(
        capsys, "plot", record_file, "-o", tmp_path / "missing" / "a.png"
    )


@pytest.mark.slow
def test_plot_writes_a_picture(record_file, tmp_path):
    pytest.importorskip("matplotlib")
    assert run("plot", record_file, "-o", tmp_path / "a.png") == cli.OK
    assert (
        run("plot", record_file, "-o", tmp_path / "b.png", "--kind", "schedules", "--steps", "4")
        == cli.OK
    )
    assert (tmp_path / "a.png").stat().st_size > 5000 < (tmp_path / "b.png").stat().st_size


def test_bake_prints_a_presets_sigmas(capsys):
    """Those that the advice for a step-distilled model names."""
    advice = detect(["sdxl_lightning_4step_lora"])
    command = re.search(r"python -m scheduler (bake .*?)`", advice.text)
    assert command and run(*command[1].split()) == cli.OK
    numbers = [float(each) for each in capsys.readouterr().out.split(",")]
    assert len(numbers) == 5 and numbers == sorted(numbers, reverse=True) and numbers[-1] == 0
    assert run("bake", "sdxl-lightning", "--steps", "7") == cli.MISTAKE
    assert "has no recipe" in capsys.readouterr().err


def test_bake_prints_what_manual_sigmas_reads(capsys, record_file):
    assert run("bake", record_file, "--sampler", "euler", "--steps", "6") == cli.OK
    out, err = capsys.readouterr()
    assert (
        out == "1, 0.8333333, 0.6666667, 0.5, 0.3333333, 0.1666667, 0\n" and "ManualSigmas" in err
    )
    # Sigmas cannot carry coefficients: in the place of `distilled`, the best stock sampler's.
    assert run("bake", record_file, "--sampler", "distilled", "--steps", "6", "--json") == cli.OK
    found = json.loads(capsys.readouterr().out)
    assert found["sampler"] == "euler" and found["notes"] == ["sampler distilled -> euler"]
    assert "no recipe" in refused(
        capsys, "bake", record_file, "--sampler", "distilled", "--steps", "4"
    )


def test_bake_prints_how_stable_diffusion_cpp_is_started(capsys, record_file):
    words = ("bake", record_file, "--steps", "6", "--to", "sdcpp")
    assert run(*words, "--sampler", "euler") == cli.OK
    out, err = capsys.readouterr()
    numbers = "1,0.8333333,0.6666667,0.5,0.3333333,0.1666667,0"
    assert out == f"--sampling-method euler --steps 6 --sigmas {numbers}\n"
    assert "stable-diffusion.cpp" in err


def test_every_sampler_of_stable_diffusion_cpp_is_one_of_ours():
    from scheduler.cli.bake import SDCPP, sdcpp_options
    from scheduler.errors import RecipeError
    from scheduler.samplers import SAMPLERS

    assert set(SDCPP) <= set(SAMPLERS)
    with pytest.raises(RecipeError, match="dpmpp_2m"):
        sdcpp_options("uni_pc", 4, "1, 0")


@given(st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=40))
def test_baked_sigmas_survive_the_nodes_own_reading(values):
    sigmas = [*sorted(set(np.array(values, dtype=np.float32).tolist()), reverse=True), 0.0]
    text = baked(sigmas)
    read = np.array([float(found) for found in re.findall(MANUAL_SIGMAS, text)], dtype=np.float32)
    assert len(read) == len(sigmas) and (np.diff(read) < 0).all() and read[-1] == 0
    assert np.allclose(read, sigmas, rtol=1e-6, atol=0)


def test_baked_sigmas_that_float32_cannot_tell_apart_are_refused():
    with pytest.raises(ScheduleError):
        baked([1.0, 1.0 - 1e-12, 0.0])


# Models


def test_ones_own_function_is_imported_by_name(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_model.py").write_text(OWN_MODEL)
    assert models.imported("own_model:denoise").__name__ == "denoise"
    for name in (
        "own_model",
        "own_model:",
        ":denoise",
        "own_model:nothing",
        "no_such_module:f",
        "own_model:not_a_function",
    ):
        with pytest.raises(DenoiserError):
            models.imported(name)


def test_a_model_must_be_named_once_and_fully(capsys, tmp_path):
    out = tmp_path / "out.json"
    assert "Name one model" in refused(capsys, "distill", "-o", out)
    assert "Name one model" in refused(capsys, "distill", "flow", "--denoiser", "a:b", "-o", out)
    assert "--sigma-min" in refused(capsys, "distill", "--denoiser", "a:b", "-o", out)
    assert "nosuch" in refused(capsys, "distill", "flow", "--device", "nosuch", "-o", out)
    assert "none.safetensors" in refused(
        capsys, "distill", tmp_path / "none.safetensors", "-o", out
    )
    assert "euler" in refused(capsys, "distill", "flow", "--samplers", "lcm", "-o", out)
    assert not out.exists()


def test_places_that_cannot_be_written_are_refused_before_any_work(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    watch = Stopwatch()
    assert "file" in refused(capsys, "demo", "--output", tmp_path / "file")
    assert "could not be written" in refused(
        capsys, "demo", "--output", tmp_path / "file" / "below"
    )
    assert "does not exist" in refused(
        capsys, "distill", "flow", "-o", tmp_path / "missing" / "a.json"
    )
    assert "folder" in refused(capsys, "distill", "flow", "-o", tmp_path)
    assert watch.within(5)


@pytest.mark.slow
def test_compare_ranks_schedules(capsys):
    common = [
        "compare",
        "flow",
        "--steps",
        "2,3",
        "--samplers",
        "euler",
        "--samples",
        "2",
        "--nodes",
        "12",
        "--cfg",
        "1",
    ]
    assert run(*common, "--schedules", "simple,beta") == cli.OK
    text = capsys.readouterr().out
    assert "simple" in text and "beta" in text and "*" in text
    assert run(*common, "--json") == cli.OK
    found = json.loads(capsys.readouterr().out)["errors"]["euler"]
    assert len(found) >= 9 and set(found["simple"]) == {"2", "3"}
    assert "'nonsense' is unknown" in refused(capsys, *common, "--schedules", "nonsense")


def test_distil_ones_own_model_end_to_end(capsys, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_model_2.py").write_text(OWN_MODEL)
    about = [
        "--latent-shape",
        "2x3",
        "--sigma-min",
        "0.02",
        "--sigma-max",
        "1",
        "--parametrisation",
        "flow",
    ]
    out = tmp_path / "out.json"
    spend = [
        "--samplers",
        "euler",
        "--steps",
        "2-4",
        "--budget",
        "800",
        "--evidence-budget",
        "4000",
    ]
    assert run("distill", "--denoiser", "own_model_2:denoise", *about, *spend, "-o", out) == cli.OK
    record = load_record(out)
    assert {recipe.steps for recipe in record.recipes} == {2, 3, 4} and record.evidence[
        "recommendation"
    ]
    out_text, err = capsys.readouterr()
    assert "euler" in out_text and "Plan" in err
    assert "NaN" in refused(
        capsys,
        "distill",
        "--denoiser",
        "own_model_2:broken",
        *about,
        *spend,
        "--quiet",
        "-o",
        tmp_path / "no.json",
    )
    assert "least" in refused(
        capsys,
        "distill",
        "--denoiser",
        "own_model_2:denoise",
        *about,
        "--budget",
        "5",
        "--quiet",
        "-o",
        tmp_path / "no.json",
    )
    assert not (tmp_path / "no.json").exists()


# Stopping


def test_a_stop_from_outside_is_3_and_by_keyboard_130(monkeypatch, capsys):
    def ending(problem):
        def run_(arguments):
            raise problem

        monkeypatch.setattr(cli.show, "run", run_)
        parser = argparse.ArgumentParser()
        parser.set_defaults(run=run_)
        monkeypatch.setattr(cli.commands, "parser", lambda: parser)
        return cli.main([])

    stopped = Stopped("Stopped as asked.")
    assert ending(stopped) == cli.STOPPED
    stopped.by_keyboard = True
    assert ending(stopped) == cli.INTERRUPTED
    assert ending(KeyboardInterrupt()) == cli.INTERRUPTED
    assert len(capsys.readouterr().err.splitlines()) == 3


@pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(),
    reason="signals reach the main thread alone",
)
def test_the_first_ctrl_c_asks_and_the_second_insists():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(Stopped) as stopped, console.stoppable() as should_stop:
        assert not should_stop()
        signal.raise_signal(signal.SIGINT)
        assert should_stop()
        raise Stopped("now")
    assert stopped.value.by_keyboard and signal.getsignal(signal.SIGINT) is before
    with pytest.raises(KeyboardInterrupt), console.stoppable():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), console.stoppable():
        signal.raise_signal(signal.SIGINT)  # nobody looked before the work was done


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send to one process")
def test_ctrl_c_ends_the_demo_with_one_line_and_keeps_the_teacher(tmp_path):
    child = python("demo", "--output", tmp_path)
    deadline = time.monotonic() + 120
    while (
        not list(tmp_path.glob("resume/*.safetensors"))
        and time.monotonic() < deadline
        and child.poll() is None
    ):
        time.sleep(0.1)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == cli.INTERRUPTED
    last = err.decode().replace("\r", "\n").strip().splitlines()[-1]
    assert "goes on from what is finished" in last and b"Traceback" not in err
    assert not (tmp_path / "record.json").exists()


def test_a_console_that_knows_few_characters_gets_substitutes(record_file, monkeypatch):
    console = io.TextIOWrapper(io.BytesIO(), encoding="ascii")  # strict, as Windows' own is
    monkeypatch.setattr(sys, "stdout", console)
    assert cli.main(["show", str(record_file)]) == cli.OK
    console.flush()
    assert b"tr?ger" in console.buffer.getvalue()


def test_the_demo_says_first_what_it_does_in_plain_figures():
    from types import SimpleNamespace

    told = demo.plan_words(SimpleNamespace(calls=1940, evidence=13_790))
    assert "learns to draw in 4, 6 or 8 steps: at most 1,940 model calls" in told
    assert "as many as 81 pictures of 24 steps" in told and "13,790 more measure it" in told


def test_the_demos_sentences(record_file):
    record = load_record(record_file)
    assert "keep stock" in demo.headline(
        Record(record.model, record.conditions, None, [], {}, record.provenance)
    )
    assert demo.headline(record).startswith("Your 6 steps match stock's 11: euler")


def test_the_demo_knows_stock_at_twice_the_steps(record_file):
    """Between measured step counts on a line in logarithms; beyond them nothing is guessed."""
    curve = {"distilled": {"4": 0.4, "16": 0.1}}
    record = replace(load_record(record_file), evidence={"stock_curve": curve})
    assert demo.stock_error(record, "distilled", 8) == pytest.approx(0.2)
    assert demo.stock_error(record, "distilled", 16) == pytest.approx(0.1)
    assert demo.stock_error(record, "distilled", 17) is None
    assert demo.stock_error(record, "euler", 8) is None


@pytest.mark.slow
def test_compare_refuses_a_record_of_another_kind_of_model(tmp_path, capsys):
    record = tmp_path / "flow.json"
    make = [
        "distill",
        "flow",
        "--steps",
        "2",
        "--samplers",
        "euler",
        "--quality",
        "quick",
        "--evidence-budget",
        "0",
        "--quiet",
    ]
    assert cli.main([*make, "-o", str(record)]) == 0
    assert (
        cli.main(["compare", "eps", "--steps", "2", "--samplers", "euler", "--record", str(record)])
        == 1
    )
    assert "of its own kind" in capsys.readouterr().err


def test_a_missing_package_gets_a_sentence_that_says_what_to_do(monkeypatch, capsys):
    def lacking(arguments):
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr("scheduler.cli.show.run", lacking)
    assert cli.main(["show", "any.json"]) == 1
    assert "install.py --demo" in capsys.readouterr().err
    monkeypatch.setattr(
        "scheduler.cli.commands.PACKAGE", "stepdistill"
    )  # an installed copy has no install.py
    assert cli.main(["show", "any.json"]) == 1
    assert "pip install torch" in capsys.readouterr().err


# --- recordings ------------------------------------------------------------------------------------


@pytest.fixture
def recorded(store):
    """The folder of a store with two recordings."""
    from scheduler.lookup.key import Key
    from tests.recordings.made import SHAPE, drawn
    from tests.weights import record_of, weights

    key = Key.of(record_of(weights(), latent_shape=SHAPE))
    for seed, name in ((0, None), (1, "DPM++ 2M Karras")):
        run_ = drawn("flow", "dpmpp_2m", 16, rows=1, noise_seed=seed, seed=seed, name=name)
        store.keep_recording(key, run_, "My Model")
    return store.folder


def test_recordings_are_listed_and_cleared(recorded, capsys):
    assert run("store", "recordings", "--folder", recorded) == 0
    shown = capsys.readouterr()
    assert re.search(r"2 recordings, [0-9,]+ bytes", shown.err)
    head, _, newest, oldest = shown.out.splitlines()
    assert head.split() == ["model", "size", "rows", "steps", "sampler", "made", "bytes"]
    assert "My Model" in newest and "64x64" in newest and "DPM++ 2M Karras" in newest
    assert " 16  dpmpp_2m " in oldest
    assert run("store", "recordings", "--clear", "--folder", recorded) == 0
    assert "removed 2 recordings" in capsys.readouterr().err
    assert os.listdir(recorded / "recordings") == []
    assert run("store", "recordings", "--folder", recorded) == 0
    shown = capsys.readouterr()
    assert "0 recordings, 0 bytes" in shown.err and not shown.out


def test_recordings_for_programs(recorded, capsys):
    assert run("store", "recordings", "--json", "--folder", recorded) == 0
    first, second = json.loads(capsys.readouterr().out)["recordings"]
    assert first["name"] == "DPM++ 2M Karras" and second["name"] is None
    assert first["latent_shape"] == [4, 8, 8] and first["steps"] == 16 and first["bytes"] > 30_000
    assert run("store", "recordings", "--clear", "--json", "--folder", recorded) == 0
    assert json.loads(capsys.readouterr().out)["removed"] == 2


def test_a_broken_recording_is_named_by_verify(recorded, capsys):
    (recorded / "recordings" / "notes.txt").write_text("mine")
    assert run("store", "verify", "--folder", recorded) == 1
    assert "recordings/notes.txt: not a recording" in capsys.readouterr().out
