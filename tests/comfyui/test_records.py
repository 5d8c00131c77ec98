"""Records in graphs: saved, loaded, carried as text, baked, split, and refused with a clear message
where they do not fit."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

from scheduler.presets import preset
from scheduler.record import load_record
from scheduler.record.verdict_words import recommendation
from tests.comfyui import expected
from tests.comfyui.client import Failed, Refused
from tests.comfyui.graphs import scene, video
from tests.comfyui.server import Server


def test_a_record_goes_out_and_comes_back(server, client, flow):
    s = scene()
    loaded = s.add("StepDistillLoad", name=flow.name)
    saved = s.add("StepDistillSave", record=loaded, filename_prefix="recipes/mine")
    s.add("TestSave", name="record", text=saved)
    result = client.run(s.graph)
    text = (server.output / "record.txt").read_text(encoding="utf-8")
    assert (
        load_record(server.output / "recipes" / "mine_00001_.json") == flow.record
        and text == flow.record.to_json()
    )
    assert flow.name in client.choices("StepDistillLoad", "name") and recommendation(
        flow.record
    ) in result.text(loaded)
    assert flow.record.gram is not None


def test_the_front_end_gets_small_plain_data(client, flow):
    s = scene()
    nodes = [
        s.add(
            "StepDistillSigmas",
            model=s.model,
            sampler_name="euler",
            steps=6,
            denoise=1.0,
            if_missing="stock",
        ),
        s.add("StepDistillSampler", model=s.model, steps=6, denoise=1.0, if_missing="stock"),
        s.add("StepDistillApply", model=s.model, use_offsets=True),
        s.add("StepDistillLoad", name=flow.name),
    ]
    nodes.append(
        s.add("StepDistillBake", record=nodes[-1], sampler_name="best", steps=6, denoise=1.0)
    )
    s.custom(nodes[0], "euler", "payload")
    s.custom(nodes[1][1], nodes[1], "payload")
    s.ksampler(nodes[2], "payload")
    client.forget()
    result = client.run(s.graph)
    for node in nodes:
        (payload,) = result.ui(node)["stepdistill"]
        assert (
            payload["sigmas"][-1] == 0
            and len(payload["sigmas"]) == payload["steps"] + 1
            and payload["info"]
        )
        assert result.text(node)


@pytest.mark.since("0.29")
def test_a_cached_node_shows_its_text_again(client, flow):
    s = scene()
    loaded = s.add("StepDistillLoad", name=flow.name)
    s.add("TestSave", name="cached", text=loaded[1])
    client.run(s.graph)
    assert client.run(s.graph).text(loaded)


def test_a_baked_recipe_runs_on_core_nodes(server, client, flow):
    plain = [
        each for each in flow.record.recipes if each.sampler == "dpmpp_2m" and each.offsets is None
    ]
    wanted, s = next(each for each in plain if "rms" in each.evidence), scene()
    loaded = s.add("StepDistillLoad", name=flow.name)
    baked = s.add(
        "StepDistillBake", record=loaded, sampler_name="dpmpp_2m", steps=wanted.steps, denoise=1.0
    )
    s.add("TestSave", name="baked", sigmas=baked, text=baked[1])
    s.custom(baked, "dpmpp_2m", "baked-drawn")
    result = client.run(s.graph)
    assert server.array("baked.sigmas") == pytest.approx(np.float32(wanted.sigmas), rel=1e-6, abs=0)
    found = expected.model_latents("flow", server.array("baked-drawn.samples"))
    assert expected.apart(found, expected.drawn("flow", wanted)) < 1e-5
    assert "that it was fitted to; no other was measured" in result.text(baked)


@pytest.mark.since("0.29")
def test_the_baked_text_is_what_manual_sigmas_reads(server, client, flow):
    s = scene()
    baked = s.add(
        "StepDistillBake",
        record=s.add("StepDistillLoad", name=flow.name),
        sampler_name="best",
        steps=5,
        denoise=1.0,
    )
    manual = s.add("ManualSigmas", sigmas=baked[1])
    s.add("TestSave", name="manual", sigmas=manual, low=baked)
    client.run(s.graph)
    assert np.array_equal(server.array("manual.sigmas"), server.array("manual.low"))


def test_a_split_schedule_draws_what_the_whole_one_does(server, client, flow):
    s = scene()
    baked = s.add(
        "StepDistillBake",
        record=s.add("StepDistillLoad", name=flow.name),
        sampler_name="euler",
        steps=6,
        denoise=1.0,
    )
    split = s.add("StepDistillSplit", sigmas=baked, sigma=0.875)
    s.add("TestSave", name="split", sigmas=split, low=split[1])
    client.run(s.graph)
    high, low = server.array("split.sigmas"), server.array("split.low")
    assert len(high) + len(low) == 8 and high[-1] == low[0] == np.float32(0.875) and low[-1] == 0


def test_a_workflow_with_its_record_as_text_runs_on_an_empty_store(server, flow):
    """What a shared workflow needs is in itself; the pack may also be told to stay out of the dropdowns."""
    with Server(os.environ["COMFYUI_PATH"]) as other:
        s = scene()
        record = s.add("StepDistillFromText", text=flow.record.to_json())
        applied = s.add(
            "StepDistillApply", model=s.recorded("shared"), use_offsets=True, record=record
        )
        s.ksampler(applied, "shared", steps=5, sampler_name="distilled")
        other.client.run(s.graph)
        found, sigmas = other.array("shared.samples"), other.runs("shared")[0]["sigmas"]
        assert not list(other.store.glob("*.json"))
    s = scene()
    s.ksampler(
        s.add("StepDistillApply", model=s.recorded("own"), use_offsets=True),
        "own",
        steps=5,
        sampler_name="distilled",
    )
    server.client.run(s.graph)
    assert sigmas == server.runs("own")[0]["sigmas"] and np.allclose(
        found, server.array("own.samples"), atol=1e-5
    )


def test_the_prompt_in_a_saved_picture_gives_the_same_sigmas_again(server, client, flow):
    s = scene()
    record = s.add("StepDistillFromText", text=flow.record.to_json())
    s.ksampler(
        s.add("StepDistillApply", model=s.recorded("picture"), use_offsets=True, record=record),
        "picture",
        steps=5,
    )
    s.add(
        "SaveImage",
        images=s.add("EmptyImage", width=8, height=8, batch_size=1, color=0),
        filename_prefix="picture",
    )
    client.run(s.graph)
    prompt = prompt_in((server.output / "picture_00001_.png").read_bytes())
    client.forget()
    client.run(prompt)
    (run,) = server.runs("picture")  # begun anew by the second prompt
    assert [node["inputs"] for node in prompt.values()] == [
        node["inputs"] for node in s.graph.prompt.values()
    ]
    assert run["sigmas"] == pytest.approx(
        np.float32(flow.record.recipe("euler", 5).sigmas).tolist()
    )


def prompt_in(picture: bytes) -> dict:
    """The prompt that ComfyUI writes into its PNG files, as a tEXt chunk."""
    at = picture.index(b"tEXtprompt\0")
    size = int.from_bytes(picture[at - 4 : at], "big")
    return json.loads(picture[at + 11 : at + 4 + size])


def test_a_published_record_as_text_serves_a_model_that_it_does_not_name(server, client):
    s, record = scene("eps"), preset("ays-sd1")
    text = s.add("StepDistillFromText", text=record.to_json())
    found = s.add(
        "StepDistillSigmas",
        model=s.model,
        sampler_name="dpmpp_2m",
        steps=10,
        denoise=1.0,
        if_missing="error",
        record=text,
    )
    s.add("TestSave", name="published", sigmas=found, text=found[1])
    client.run(s.graph)
    assert server.array("published.sigmas") == pytest.approx(
        np.float32(record.recipe("dpmpp_2m", 10).sigmas), rel=1e-5
    )
    assert "names no checkpoint" in (server.output / "published.txt").read_text(encoding="utf-8")


def sigmas_of(s, **more):
    """A graph that needs a record."""
    settings = {
        "model": s.model,
        "sampler_name": "euler",
        "steps": 6,
        "denoise": 1.0,
        "if_missing": "stock",
    } | more
    s.add("TestSave", name="never", sigmas=s.add("StepDistillSigmas", **settings))
    return s.graph


def test_an_unknown_record_is_refused_by_name(client):
    s = scene()
    with pytest.raises(Refused, match="no record 'gone'"):
        client.run(sigmas_of(s, record=s.add("StepDistillLoad", name="gone")))


def test_a_broken_record_is_refused_with_the_reason(server, client, flow):
    server.store.mkdir(parents=True, exist_ok=True)
    (server.store / "broken.json").write_text('{"stepdistill": 1', encoding="utf-8")
    s = scene()
    with pytest.raises(Refused, match="broken cannot be used"):
        client.run(sigmas_of(s, record=s.add("StepDistillLoad", name="broken")))
    (server.store / "broken.json").unlink()


@pytest.mark.parametrize(
    "text, words",
    [("", "no text"), ("{", "JSON"), ('{"stepdistill": 1, "code": "import os"}', "not usable")],
)
def test_text_that_is_no_record_fails_on_its_node(client, text, words):
    s = scene()
    with pytest.raises(Failed, match=words) as failed:
        client.run(sigmas_of(s, record=s.add("StepDistillFromText", text=text)))
    assert failed.value.type == "StepDistillFromText"


@pytest.mark.parametrize("node", ["StepDistillSigmas", "StepDistillSampler", "StepDistillApply"])
def test_a_record_of_another_model_fails_on_the_node_that_gets_it(client, flow, node):
    s = scene("eps")
    settings = {"StepDistillApply": {"use_offsets": True}}.get(
        node, {"steps": 6, "denoise": 1.0, "if_missing": "stock"}
    )
    settings |= {"sampler_name": "euler"} if node == "StepDistillSigmas" else {}
    made = s.add(node, model=s.model, record=s.add("StepDistillLoad", name=flow.name), **settings)
    if node == "StepDistillApply":
        s.ksampler(made, "never")
    else:
        s.add("TestSave", name="never", sigmas=made[1] if node == "StepDistillSampler" else made)
    with pytest.raises(Failed, match="another kind of noise") as failed:
        client.run(s.graph)
    assert failed.value.type == node


def test_weights_of_the_same_kind_are_another_model_all_the_same(client, flow):
    s = video(seed=9)
    with pytest.raises(Failed, match="flow"):
        client.run(sigmas_of(s, record=s.add("StepDistillLoad", name=flow.name)))


@pytest.mark.parametrize(
    "node, more", [("StepDistillSigmas", {"sampler_name": "euler"}), ("StepDistillSampler", {})]
)
def test_nothing_distilled_is_stock_with_a_warning_or_an_error(server, client, node, more):
    s = video(seed=10)
    for if_missing in ("stock", "error"):
        made = s.add(node, model=s.model, steps=6, denoise=1.0, if_missing=if_missing, **more)
        s.add(
            "TestSave",
            name=f"missing-{if_missing}",
            sigmas=made[1] if node == "StepDistillSampler" else made,
        )
    with pytest.raises(Failed, match="No record of this model is in the store.*Distill Schedule"):
        client.run(s.graph)
    s = video(seed=10)
    made = s.add(node, model=s.model, steps=6, denoise=1.0, if_missing="stock", **more)
    s.add("TestSave", name="missing", sigmas=made[1] if node == "StepDistillSampler" else made)
    client.forget()
    published = "'optimal-steps-wan'"  # a table for euler, and for nothing that `distilled` runs as
    stock = published if node == "StepDistillSigmas" else "'simple'"
    assert stock in client.run(s.graph).text(made)


def test_the_dropdown_with_nothing_distilled_warns_in_the_log(server, client):
    s = video(seed=11)
    s.ksampler(s.recorded("stock"), "stock", steps=5, sampler_name="heun")
    client.run(s.graph)
    s = video(seed=11)
    s.ksampler(s.recorded("simple"), "simple", steps=5, sampler_name="heun", scheduler="simple")
    client.run(s.graph)
    assert server.runs("stock")[0]["sigmas"] == pytest.approx(server.runs("simple")[0]["sigmas"])
    assert "not distilled" in server.log()


@pytest.mark.parametrize(
    "node", ["StepDistillSigmas", "StepDistillSampler", "StepDistillBake", "StepDistillDistill"]
)
def test_zero_steps_are_refused(client, flow, node):
    s = scene()
    if node == "StepDistillDistill":
        s.distill(max_steps=0)
    elif node == "StepDistillBake":
        baked = s.add(
            node,
            record=s.add("StepDistillLoad", name=flow.name),
            sampler_name="best",
            steps=0,
            denoise=1.0,
        )
        s.add("TestSave", name="never", sigmas=baked)
    else:
        more = {"sampler_name": "euler"} if node == "StepDistillSigmas" else {}
        s.add(
            "TestSave",
            name="never",
            sigmas=s.add(node, model=s.model, steps=0, denoise=1.0, if_missing="stock", **more)[
                len(more) ^ 1
            ],
        )
    with pytest.raises(Refused, match="value_smaller_than_min"):
        client.run(s.graph)
