"""distill --pipeline and draw, on a tiny pipeline that is made on the spot, as README prints them."""

from __future__ import annotations

import json

import pytest
import torch

pytest.importorskip("diffusers", reason="diffusers is not installed: pip install .[diffusers]")
pytest.importorskip(
    "transformers", reason="transformers is not installed: pip install .[diffusers]"
)

from PIL import Image

from scheduler import load_record
from scheduler.cli import main
from scheduler.diffusers import loading
from scheduler.diffusers.tiny import tiny_pipeline
from scheduler.store import Store

pytestmark = pytest.mark.slow  # transformers alone takes seconds to import


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a tiny pipeline and a file of prompts."""
    place = tmp_path_factory.mktemp("pipeline")
    tiny_pipeline().save_pretrained(place / "tiny")
    (place / "prompts.txt").write_text("a fox\n\na harbour\n", encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def record(folder):
    """Its record, distilled by the command, which kept it in the store too."""
    assert main(distill(folder, "--store", str(folder / "store"))) == 0
    return folder / "my.json"


def distill(folder, *others, output="my.json"):
    about = ["--prompts", folder / "prompts.txt", "--size", "64x64", "--cfg", 5, "--steps", 4]
    words = ["distill", "--pipeline", folder / "tiny", *about, "-o", folder / output, *others]
    return [str(word) for word in words]


def draw(folder, *others, name="fox.png"):
    about = ["--prompt", "a fox", "--steps", 4, "--size", "64x64", "--cfg", 5]
    words = ["draw", "--pipeline", folder / "tiny", *about, "-o", folder / name, *others]
    return [str(word) for word in words]


def test_a_record_of_a_pipeline(folder, record):
    found = load_record(record)
    assert found.conditions.cfg == 5 and found.conditions.latent_shape == (4, 8, 8)
    assert found.conditions.prompts == 1 and found.model.name == "tiny"
    assert found.recipe("distilled", 4).steps == 4
    assert len(Store(folder / "store").records()) == 1


def test_what_is_done_is_said_beforehand(folder, capsys):
    assert main(distill(folder, "--samples", "2", output="two.json")) == 0
    said = capsys.readouterr()
    assert "Plan:" in said.err and "prompts" not in said.err.split("Plan:")[0]
    assert load_record(folder / "two.json").conditions.prompts == 2


def test_fewer_prompts_than_lines_are_said(folder, capsys):
    assert main(distill(folder, output="one.json")) == 0
    assert "1 of 2 prompts" in capsys.readouterr().err


def test_json_for_programs(folder, capsys):
    assert main(distill(folder, "--json", "--quiet", output="json.json")) == 0
    assert json.loads(capsys.readouterr().out)["recipes"] >= 1


def test_the_same_line_goes_on_where_it_stopped(folder, record, monkeypatch):
    from scheduler.cli import pipeline_record

    work = str(folder / "work")
    calls = []
    stoppable = pipeline_record.stoppable

    class Stopping:
        """Asks for a stop after some model calls, as Ctrl-C does."""

        def __enter__(self):
            self.inner = stoppable()
            self.inner.__enter__()
            return lambda: calls.append(0) or len(calls) > 60

        def __exit__(self, *problem):
            return self.inner.__exit__(*problem)

    monkeypatch.setattr(pipeline_record, "stoppable", Stopping)
    assert main(distill(folder, "--resume", work, output="on.json")) == 3
    assert not (folder / "on.json").exists()
    monkeypatch.setattr(pipeline_record, "stoppable", stoppable)
    assert main(distill(folder, "--resume", work, output="on.json")) == 0
    assert load_record(folder / "on.json").recipes == load_record(record).recipes


def test_a_recipe_is_drawn_and_said(folder, record, capsys):
    assert main(draw(folder, "--record", str(record))) == 0
    assert "the distilled sampler" in capsys.readouterr().err
    assert Image.open(folder / "fox.png").size == (64, 64)
    assert main(draw(folder, "--store", str(folder / "store"), name="again.png")) == 0
    assert "fits exactly" in capsys.readouterr().err
    ours = (folder / "fox.png").read_bytes()
    assert (folder / "again.png").read_bytes() == ours
    assert main(draw(folder, "--stock", name="stock.png")) == 0
    assert "EulerDiscreteScheduler" in capsys.readouterr().err
    assert (folder / "stock.png").read_bytes() != ours


def test_what_differs_is_said(folder, record, caplog):
    import logging

    logger = logging.getLogger("diffusers")
    logger.propagate = True
    try:
        assert main(draw(folder, "--record", str(record), "--cfg", "9", name="nine.png")) == 0
    finally:
        logger.propagate = False
    assert "for cfg 5, you use 9" in caplog.text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["--pipeline", "nowhere"], "does not exist"),
        (["--prompts", "nowhere.txt"], "could not be read"),
        (["--own-sigmas", "1,0.5,0"], "leave"),
        (["--device", "nonsense"], "not usable"),
    ],
)
def test_mistakes_are_a_sentence(folder, capsys, change, words):
    words_given = distill(folder, output="no.json")
    assert main([*words_given, *change]) == 1
    said = capsys.readouterr().err
    assert words in said and "Traceback" not in said
    assert not (folder / "no.json").exists()


def test_another_models_record_is_refused(folder, record, capsys):
    other = folder / "other"
    tiny_pipeline(seed=9).save_pretrained(other)
    words = draw(folder, "--record", str(record), name="no.png")
    words[words.index("--pipeline") + 1] = str(other)
    assert main(words) == 1
    assert "take a record of your own model" in capsys.readouterr().err


def test_a_folder_that_is_no_pipeline_and_a_pickle_are_a_sentence(folder, capsys, tmp_path):
    (tmp_path / "model.ckpt").write_bytes(b"x" * 100)
    for place in (tmp_path, tmp_path / "model.ckpt"):
        words = distill(folder, output="no.json")
        words[words.index("--pipeline") + 1] = str(place)
        assert main(words) == 1
    said = capsys.readouterr().err
    assert "could not load" in said and "pickles are never opened" in said


def test_a_single_file_is_loaded_as_what_it_is(folder, monkeypatch, tmp_path):
    """diffusers' own loader does it, with the class and the configuration that it is given."""
    import diffusers
    from safetensors.torch import save_file

    xl = "conditioner.embedders.1.model.transformer.resblocks.9.mlp.c_proj.bias"
    for name, tensors in {
        "StableDiffusionPipeline": {"model.diffusion_model.x": torch.zeros(1)},
        "StableDiffusionXLPipeline": {xl: torch.zeros(1)},
    }.items():
        heard = {}
        file = tmp_path / "model.safetensors"
        save_file(tensors, file)
        monkeypatch.setattr(
            getattr(diffusers, name),
            "from_single_file",
            lambda path, heard=heard, **about: heard.update(about, path=path) or tiny_pipeline(),
        )
        loading.load_pipeline(file, config=folder / "tiny")
        assert heard["path"] == str(file) and heard["config"] == str(folder / "tiny")
        assert heard["local_files_only"]


@pytest.mark.timeout(300)
def test_a_checkpoint_of_the_uis_is_the_same_model(tmp_path):
    """The file that A1111, Forge and ComfyUI are tested with, by diffusers' own loader of such files."""
    from scheduler.diffusers.weights import fingerprint_of
    from scheduler.fingerprint import fingerprint_file
    from tests.diffusers.made import small_configuration
    from tests.webui.checkpoint import write

    file = write(tmp_path)
    pipe = loading.load_pipeline(file, config=small_configuration(tmp_path / "configuration"))
    assert fingerprint_of(pipe).id == fingerprint_file(file).id
    size = {"height": 64, "width": 64}
    assert pipe("a cat", num_inference_steps=1, output_type="latent", **size)[0].isfinite().all()
