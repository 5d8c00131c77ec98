"""Few steps: what is gained is said from the record, and where nothing is, nothing is changed."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from scheduler.record import Recipe
from scheduler.workflow import parse, swap
from scheduler.workflow.free_place import free_place
from scheduler.workflow.kinds import KINDS, learn
from tests.workflow.test_swap import consistent, node, swapped
from tests.workflow_graphs import Graph, advanced, plain, prompt, record

EQUALS = {4: 7, 6: 14, 8: 22, 12: 30}  # steps of ours: of stock's that do as well


def ours(steps: int, **evidence) -> Recipe:
    coefficients = [[0.0] * 4] * steps
    told = {"rms": 0.4 / steps, "ratio": 0.5, "equals_stock_steps": EQUALS[steps]}
    told |= {"best_stock": "beta + dpmpp_2m", "verdict": "better", "stock": {}} | evidence
    sigmas = np.linspace(1.0, 0, steps + 1)
    offsets = [0.0] * steps
    return Recipe("distilled", steps, 1.0, sigmas, offsets, coefficients, evidence=told)


def made(cfg: float = 7.0, **evidence):
    """Learnt at the cfg of the workflows here."""
    conditions = replace(record().conditions, cfg=cfg)
    recipes = tuple(ours(steps, **evidence) for steps in EQUALS)
    return replace(record(), recipes=recipes, conditions=conditions)


def few(data: dict, known=None, **options):
    """The changed data, the report and outcomes; the store has a record, or none."""
    return swapped(data, "few", find=lambda facts: known, **options)


def test_a_ksampler_becomes_the_node_and_says_what_is_gained():
    graph = plain(sampler="euler", scheduler="normal", denoise=1.0)
    before = graph.node(2)
    after, report, outcomes = few(graph.data, made())
    found = node(after, 2)
    assert found["type"] == "StepDistillKSampler"
    seed, control, cfg = before["widgets_values"][0], "randomize", 7.0
    assert found["widgets_values"] == [seed, control, 8, cfg, 1.0, "from my pictures"]
    assert (found["pos"], found["size"]) == (before["pos"], before["size"])
    links = [entry["link"] for entry in found["inputs"]]
    assert links[:4] == [entry["link"] for entry in before["inputs"]]
    assert node(after, 3)["inputs"][0]["link"] in found["outputs"][0]["links"]
    assert consistent(after) and report.changed == 1
    assert outcomes[2].text == "20 steps of euler -> 8 steps, same error; -60 % time"


def test_its_input_for_a_record_is_there_only_where_one_is_carried():
    """And the last, as the page has it: no link to another input changes its place."""
    graph = plain(sampler="euler", scheduler="normal", denoise=1.0)
    after, _, _ = few(graph.data, made())
    assert "record" not in [entry["name"] for entry in node(after, 2)["inputs"]]
    document = parse(json.dumps(graph.data))
    report = swap(document, "few", made())
    after = json.loads(document.text())
    entry = node(after, 2)["inputs"][-1]
    assert entry["name"] == "record" and entry["link"] is not None and entry["shape"] == 7
    assert consistent(after) and report.exact


def test_two_calls_a_step_count_twice():
    text = few(plain(steps=10, sampler="heun").data, made())[2][2].text
    assert text == "10 steps of heun -> 8 steps, same error; -60 % time"


def test_what_was_seen_on_the_fits_own_rows_is_said_so():
    text = few(plain().data, made(verdict="seen"))[2][2].text
    assert "8 steps, about the same error" in text


def test_its_own_pair_counts_where_it_was_measured():
    """At 12 steps the record holds what euler on `normal` does there: .09, as 5 of ours would."""
    measured = ours(12, stock={"normal + euler": {"rms": 0.07}})
    known = replace(made(), recipes=(ours(4), ours(6), measured))
    after, _, outcomes = few(plain(steps=12, sampler="euler", scheduler="normal").data, known)
    assert node(after, 2)["widgets_values"][2] == 6
    assert "12 steps of euler -> 6 steps, same error; -50 % time" == outcomes[2].text


def test_as_few_steps_may_gain_in_error():
    text = few(plain(steps=4).data, made())[2][2].text
    assert (
        text
        == "4 steps of dpmpp_2m -> 4 steps of distilled, 0.50 of the error of the best stock choice"
    )


@pytest.mark.parametrize(
    "graph, known, words",
    [
        (plain(steps=70), made(), "the record's 12 steps do what 30 of stock's do, and 70 run here"),
        (plain(steps=20), made(verdict="worse"), "no recipe of ours in 20 steps or fewer"),
        (plain(steps=20), made(equals_stock_steps=None), "no recipe of the record was measured"),
        (plain(steps=1), None, "1 step can be no fewer"),
        (advanced("BasicScheduler", ["simple", 20, 1.0]), None, "draw one picture with Few-Step"),
    ],
)  # fmt: skip
def test_where_nothing_is_gained_nothing_is_changed(graph, known, words):
    after, report, outcomes = few(graph.data, known)
    assert after == graph.data and not report.changed
    (left,) = outcomes.values()
    assert left.code == "no_gain" and "nothing would be gained" in left.text and words in left.text


def test_steps_that_do_nearly_as_well_are_offered_and_said_as_that():
    after, _, outcomes = few(plain(steps=40, sampler="euler").data, made())
    assert node(after, 2)["widgets_values"][2] == 8
    near = "40 steps of euler -> 8 steps, as near as 22 of the best stock choice"
    assert outcomes[2].text == f"{near}; how near your 40 steps come was not measured"


def test_farther_than_its_own_steps_where_these_are_the_best_stock_choice():
    graph = plain(steps=40, sampler="dpmpp_2m", scheduler="beta")
    text = few(graph.data, made())[2][2].text
    assert text.endswith(
        "as near as 22 of the best stock choice: a little farther than your 40 steps"
    )


@pytest.mark.parametrize(
    "error, words",
    [
        (0.02, "2.5 times the error of your 12 steps"),
        (0.049, "a little farther than your 12 steps"),
    ],
)
def test_farther_than_its_own_steps_where_these_were_measured(error, words):
    """The error of ours at 8 steps is .05."""
    measured = ours(12, verdict="worse", stock={"normal + euler": {"rms": error}})
    known = replace(made(), recipes=(ours(8, equals_stock_steps=9), measured))
    text = few(plain(steps=12, sampler="euler", scheduler="normal").data, known)[2][2].text
    assert text == f"12 steps of euler -> 8 steps, as near as 9 of the best stock choice: {words}"


@pytest.mark.parametrize("steps, equal", [(20, "22"), (40, "22")])
def test_beside_a_sampler_that_adds_noise_nothing_was_measured(steps, equal):
    """What a record has of its own recipes is beside pictures with the same noise."""
    paths = Recipe("euler_ancestral", steps, 1.0, np.linspace(1, 0, steps + 1))
    paths = replace(paths, evidence={"stock": {"normal": {"rms": 9.0}}})
    known = replace(made(), recipes=(*made().recipes, paths))
    graph = plain(steps=steps, sampler="euler_ancestral", scheduler="normal")
    outcome = few(graph.data, known)[2][2]
    near = f"as near as {equal} of the best stock choice that adds no noise"
    saved = "; -60 % time" if steps == 20 else ""
    assert outcome.text == f"{steps} steps of euler_ancestral -> 8 steps, {near}{saved}"
    assert "pictures look different" in outcome.line


def test_of_those_the_fewest_are_offered():
    text = few(plain(steps=34, sampler="euler").data, made())[2][2].text
    assert text.startswith("34 steps of euler -> 8 steps, as near as 22 of the best stock choice;")


def test_at_another_cfg_the_first_run_is_said_too():
    text = few(plain(cfg=5.0).data, made(5.0))[2][2].text
    assert text.endswith("same error; -60 % time")
    _, _, outcomes = few(plain(cfg=7.0).data, made(5.0))
    gained = (
        "20 steps of dpmpp_2m -> 8 steps; -60 % time; same error at cfg 5, not measured at cfg 7"
    )
    first = "the first picture is drawn in full, to learn it at cfg 7"
    assert outcomes[2].text == f"{gained}; {first}"
    assert outcomes[2].code == "learns"


@pytest.mark.parametrize("known, at", [(made(5.0), " at cfg 7"), (None, "")])
def test_where_a_run_was_kept_that_is_said(known, at):
    """Which is learnt from before the picture, where it is of the same prompt."""
    asked = []
    text = few(plain().data, known, kept=lambda facts: bool(asked.append(facts.cfg) or True))[2][
        2
    ].text
    assert f"it is learnt{at} before the first picture, from a run that was kept" in text
    assert "with another prompt" in text and asked == [7.0]
    assert "that was kept" not in few(plain().data, known, kept=lambda facts: False)[2][2].text


def test_where_it_was_checked_nothing_is_drawn_in_full():
    checked = made(5.0, cfg_checks=[{"cfg": 9.0, "holds": True}])
    text = few(plain(cfg=7.0).data, checked)[2][2].text
    assert "in full" not in text and text.endswith("same error at cfg 5, not measured at cfg 7")


@pytest.mark.parametrize("steps, saved", [(20, "; -60 % time"), (40, "")])
def test_where_it_was_checked_with_numbers_these_are_said(steps, saved):
    check = {"cfg": 7.0, "holds": True, "rms": 0.09, "stock_rms": 0.2, "rows": 1}
    checked = made(5.0, cfg_checks=[check | {"stock": "beta + dpmpp_2m"}])
    text = few(plain(cfg=7.0, steps=steps).data, checked)[2][2].text
    share = (
        "0.45 of the error of the best stock choice in 8 steps (beta + dpmpp_2m), on one picture"
    )
    unknown = f"how near your {steps} steps come is not known"
    head = f"{steps} steps of dpmpp_2m -> 8 steps{saved}"
    assert text == f"{head}; checked at cfg 7: {share}; {unknown}"


def test_another_size_is_learnt_first():
    graph = plain()
    empty = graph.add("EmptyLatentImage", [512, 512, 1], sockets=([], ["LATENT"]))
    graph.link(empty, 2, "latent_image")
    known = made()
    known = replace(known, conditions=replace(known.conditions, latent_shape=(4, 128, 128)))
    assert few(graph.data, known)[2][2].text.endswith("to learn it at 512x512")


def test_a_record_that_the_workflow_carries_is_not_learnt_beside():
    """The node takes it and no other: nothing is drawn in full for it, and nothing else is gained."""
    text = swapped(plain(cfg=7.0).data, "few", record=made(5.0))[2][2].text
    assert text.endswith("same error at cfg 5, not measured at cfg 7")
    assert swapped(plain(denoise=0.5).data, "few", record=made())[2][2].code == "no_gain"


@pytest.mark.parametrize(
    "graph, known, steps, words",
    [
        (plain(denoise=0.5), made(), 6, "in so few steps from denoise 0.5 yet"),
        (plain(), record(), 6, "in so few steps yet"),
        (plain(steps=3), made(), 2, "takes 2 steps where 3 run now"),
        (plain(steps=4), replace(made(), recipes=(ours(4, ratio=1.5, equals_stock_steps=2),)), 2,
         "takes 2 steps where 4 run now"),
        (plain(), None, 6, "takes 6 steps where 20 run now"),
    ],
)  # fmt: skip
def test_what_the_node_can_learn_is_swapped_too(graph, known, steps, words):
    after, _, outcomes = few(graph.data, known)
    assert node(after, 2)["type"] == "StepDistillKSampler"
    assert node(after, 2)["widgets_values"][2] == steps
    assert outcomes[2].code == "learns" and words in outcomes[2].text
    assert "the first picture is drawn in full, to learn it" in outcomes[2].text


def test_what_runs_ours_already_is_left():
    after, _, outcomes = few(
        plain(steps=8, sampler="distilled", scheduler="distilled").data, made()
    )
    assert outcomes[2].text == "it runs the sampler 'distilled' already"


def test_without_a_record_the_node_learns_and_says_so():
    after, _, outcomes = few(plain().data)
    assert node(after, 2)["widgets_values"][2] == 6
    assert "nothing is known of this model yet" in outcomes[2].text
    assert outcomes[2].code == "learns"


def test_a_turbo_model_is_left():
    after, _, outcomes = few(plain(file="sdxl_turbo.safetensors", steps=4, cfg=1.0).data, made())
    assert outcomes[2].code == "step_distilled"


def test_other_nodes_get_sampler_scheduler_and_steps():
    graph = plain()
    graph.add(
        "KSamplerAdvanced",
        ["enable", 1, "fixed", 20, 7.0, "euler", "normal", 0, 10000, "disable"],
        model=1,
    )
    after, _, outcomes = few(graph.data, made(), only=["4"])
    assert node(after, 4)["widgets_values"][3:7] == [8, 7.0, "distilled", "distilled"]
    graph.node(4)["widgets_values"][8] = 10
    assert few(graph.data, made(), only=["4"])[2][4].code == "partial"


@pytest.mark.parametrize(
    "kind, values", [("BasicScheduler", ["simple", 20, 1.0]), ("Flux2Scheduler", [20, 64, 64])]
)
def test_nodes_that_make_sigmas_and_the_one_that_names_their_sampler(kind, values):
    after, _, outcomes = few(advanced(kind, values, cfg=3.5).data, made())
    assert node(after, 3)["widgets_values"] == ["distilled"]
    made_here = node(after, 5)
    assert 8 in made_here["widgets_values"] and "distilled" in made_here["widgets_values"]
    assert outcomes[5].text.startswith("20 steps of euler -> 8 steps")


def test_a_sampler_that_another_schedule_uses_too_is_left():
    graph = advanced("BasicScheduler", ["simple", 20, 1.0])
    graph.add("BasicScheduler", ["simple", 20, 1.0], model=1)
    graph.add("SamplerCustomAdvanced", noise=4, guider=2, sampler=3, sigmas=7)
    after, _, outcomes = few(graph.data, made())
    assert after == graph.data and {each.code for each in outcomes.values()} == {"linked"}


def test_one_sampler_put_back_with_what_names_it():
    graph = advanced("BasicScheduler", ["simple", 20, 1.0])
    document = parse(json.dumps(graph.data))
    swap(document, "few", find=lambda facts: made())
    swap(document, "stock", only=["5"])
    assert document.value == graph.data


def test_a_prompt_is_changed_as_a_workflow_is():
    after, _, outcomes = few(prompt(), made(), only=["3"])
    found = after["3"]
    assert found["class_type"] == "StepDistillKSampler"
    assert found["inputs"]["steps"] == 8 and found["inputs"]["model"] == ["4", 0]
    assert "sampler_name" not in found["inputs"] and found["inputs"]["seed"] == 18446744073709551615


def test_what_an_earlier_swap_did_is_put_back_first():
    document = parse(json.dumps(plain().data))
    swap(document, "distilled", made())
    swap(document, "few", find=lambda facts: made())
    assert {each["type"] for each in document.value["nodes"]} == {
        "CheckpointLoaderSimple",
        "StepDistillKSampler",
        "VAEDecode",
    }
    swap(document, "stock")
    assert document.value == plain().data


def test_carried_the_node_takes_the_record():
    after, _, outcomes = swapped(plain().data, "few", record=made())
    source = next(each for each in after["nodes"] if each["type"] == "StepDistillFromText")
    assert node(after, 2)["inputs"][4]["link"] in source["outputs"][0]["links"]
    assert consistent(after)


def two_on_one_model() -> Graph:
    graph = plain()
    graph.add("KSampler", [1, "fixed", 20, 4.0, "euler", "simple", 1.0], model=1)
    return graph


@pytest.mark.parametrize("first", [2, 4])
def test_put_back_of_one_takes_out_what_was_added_for_it_alone(first):
    graph = two_on_one_model()
    document = parse(json.dumps(graph.data))
    swap(document, "distilled", record(), only=[str(first)])
    swap(document, "stock", only=[str(first)])
    assert document.value == graph.data
    swap(document, "distilled", record())
    swap(document, "stock", only=[str(first)])
    other = 6 - first
    assert node(document.value, first) == graph.node(first)
    assert consistent(document.value)
    apply = next(each for each in document.value["nodes"] if each["type"] == "StepDistillApply")
    links = {row[0]: row for row in document.value["links"]}
    fed = [links[link][3] for link in apply["outputs"][0]["links"]]
    assert fed == [other]  # which stays swapped
    swap(document, "stock", only=[str(other)])
    assert {each["id"]: each for each in document.value["nodes"]} == {
        each["id"]: each for each in graph.data["nodes"]
    }


@pytest.mark.parametrize("to", ["distilled", "baked"])
def test_added_nodes_lie_on_none(to):
    graph = plain()
    for place in ([-140, -109], [200, 50], [-240, 170], [-140, -300]):
        graph.node(graph.add("VAEDecode"))["pos"] = place
    document = parse(json.dumps(graph.data))
    swap(document, to, record())
    boxes = [(*each["pos"], *each["size"]) for each in document.value["nodes"]]
    theirs, added = boxes[:7], boxes[7:]
    assert len(added) == 2
    for k, (x, y, width, height) in enumerate(added):
        for left, top, wide, high in theirs + added[:k]:
            apart = x >= left + wide or left >= x + width or y - 30 >= top + high
            assert apart or top - 30 >= y + height


def at(left, top, width=100, height=150, **more):
    return {"pos": [left, top], "size": [width, height], **more}


def test_a_place_that_is_free_among_the_nodes_is_taken():
    others = [{"pos": "no"}, at(0, 0), at(500, 500)]
    assert free_place((200.4, 220), (100, 50), others) == [200, 220]


def test_of_a_sampler_at_the_top_left_it_goes_beside_or_below_and_never_before():
    for sampler in (at(0, 0), {"pos": {"0": 0, "1": 0}, "size": [100, 150]}):
        left, top = free_place((-310, -220), (300, 400), [sampler, at(400, 0, 400, 900)])
        assert left >= 0 and top >= 0
        assert top >= 150 + 30  # below it


def test_among_many_it_goes_where_room_is():
    column = [at(0, 200 * k) for k in range(50)]
    left, top = free_place((0, 400), (100, 50), column)
    assert left > 100 and 300 < top < 500


def test_the_room_that_a_few_step_ksampler_grows_into_is_left_to_it():
    few = at(0, 0, type="StepDistillKSampler")
    for wished in ((0, 160), (20, 300)):
        left, top = free_place(wished, (100, 50), [few, at(0, 900, 2000)])
        assert left >= 100 or top >= 150 + 210


DETAILER = ["guide_size", "seed", "control_after_generate", "steps", "cfg", "sampler_name"]
DETAILER += ["scheduler", "denoise", "feather"]


@pytest.fixture
def learnt():
    """A node of another pack, as the page tells of it."""
    learn("FaceDetailer", DETAILER)
    learn("Nothing", ["steps", "cfg"])
    learn("KSampler", ["scheduler", "sampler_name"])
    yield
    del KINDS["FaceDetailer"]


def test_nodes_of_other_packs_that_the_page_tells_of(learnt):
    assert "Nothing" not in KINDS and "foreign" not in KINDS["KSampler"]
    graph = plain()
    values = [512, 1, "fixed", 20, 7.0, "euler", "normal", 1.0, 5]
    number = graph.add("FaceDetailer", values, model=1)
    after, _, outcomes = few(graph.data, made(), only=[str(number)])
    assert node(after, number)["widgets_values"] == [
        512, 1, "fixed", 8, 7.0, "distilled", "distilled", 1.0, 5,
    ]  # fmt: skip
    assert outcomes[number].text == "20 steps of euler -> 8 steps, same error; -60 % time"
    baked = swapped(graph.data, "baked", record=record(), only=[str(number)])[2]
    assert baked[number].code == "unknown"


def test_our_own_nodes_are_nothing_to_be_left():
    graph = plain()
    values = [3.0, "distilled", 8, "instant", 0]
    graph.add("StepDistillDistill", values, sockets=(["model:MODEL"], ["RECORD"]), model=1)
    assert list(few(graph.data, made())[2]) == [2]


@pytest.mark.parametrize(
    "graph",
    [
        plain(),
        advanced("BasicScheduler", ["simple", 20, 1.0]),
        advanced("Flux2Scheduler", [20, 64, 64]),
    ],
)
def test_what_was_done_before_is_not_done_again(graph):
    """Nor is what the artist has set since set back."""
    document = parse(json.dumps(graph.data))
    swap(document, "few", find=lambda facts: made())
    number = 2 if graph.node(2)["type"] == "KSampler" else 5
    place = node(document.value, number)["widgets_values"].index(8)
    node(document.value, number)["widgets_values"][place] = 5
    before = json.loads(document.text())
    report = swap(document, "few", find=lambda facts: made())
    assert json.loads(document.text()) == before and not report.changed
    node(document.value, number)["widgets_values"][place] = 8
    swap(document, "stock")
    assert document.value == graph.data
