"""Records of version 1: read, written as version 2 and read again, with every number as it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scheduler.errors import RecordError
from scheduler.record import Choice, Record, load_record
from scheduler.record.verdict_words import recommendation, verdict

FILES = sorted((Path(__file__).parent / "version_1").glob("*.json"))
MADE = FILES[1]  # by `distill`, with evidence


def old(path: Path = MADE) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def label(choice: dict) -> str:
    return str(Choice(choice["schedule"], choice.get("sampler")))


@pytest.fixture(params=FILES, ids=[path.stem for path in FILES])
def pair(request):
    """(the file's data, the same after it was read, written and read again)."""
    record = load_record(request.param)
    again = Record.from_json(record.to_json())
    assert again == record
    return old(request.param), again


def test_there_is_one_that_was_made_and_one_that_was_published():
    assert [path.stem for path in FILES] == ["ays-sd1", "eps3_quick", "flow3_all"]


def test_model_conditions_and_teacher_are_as_they_were(pair):
    data, record = pair
    written = json.loads(record.to_json())
    assert written["stepdistill"] == 2 and data["stepdistill"] == 1
    for part in ("model", "conditions", "teacher"):
        assert written[part] == data[part]


def test_every_recipe_is_as_it_was(pair):
    data, record = pair
    assert len(record.recipes) == len(data["recipes"])
    for recipe, given in zip(record.recipes, data["recipes"], strict=True):
        assert recipe.sampler == given["sampler"] and recipe.steps == given["steps"]
        assert list(recipe.sigmas) == given["sigmas"]
        assert recipe.start_sigma == given["start_sigma"]
        assert recipe.choice == given["choice"].replace("published, interpolated", "published")
        for name in ("offsets", "coefficients"):
            numbers = getattr(recipe, name)
            assert json.loads(json.dumps(numbers)) == given.get(name)


def test_every_number_of_the_evidence_is_as_it_was(pair):
    data, record = pair
    for recipe, given in zip(record.recipes, data["recipes"], strict=True):
        evidence, sentence = dict(recipe.evidence), given["evidence"].pop("verdict", None)
        code = evidence.pop("verdict", None)
        assert evidence == given["evidence"]
        interpolated = given["choice"] == "published, interpolated"
        assert (code == "interpolated") if interpolated else (code is None) == (sentence is None)
        if sentence is not None:
            assert verdict(recipe) == sentence
    words = data["evidence"].pop("recommendation", "")
    numbers = {key: value for key, value in record.evidence.items() if key != "recommendation"}
    assert numbers == data["evidence"] and recommendation(record) == words


def test_what_the_provenance_said_in_numbers_is_data_and_nothing_is_lost():
    data, record = old(), load_record(MADE)
    found = record.provenance
    assert {key: found[key] for key in data["provenance"]} == data["provenance"]
    (plan,) = found["plans"]
    assert (plan["calls"], plan["rows"], plan["effort"]) == (927, 3, "lean")
    assert plan["evidence_calls"] == 3051 and plan["steps"] == list(range(4, 13))
    assert plan["costs"] == {"teacher": 96, "euler": 357, "dpmpp_2m": 249, "distilled": 225}


def test_plans_that_were_kept_from_an_earlier_record_are_plans_of_their_own():
    data = old()
    how = data["provenance"]["how"].split(";")[0]
    kept = " Recipes for 4, 5 steps are kept from the record of 2026-11-20, made by: "
    data["provenance"]["how"] = how + kept + how.replace("927", "4000")
    plans = Record.from_json(json.dumps(data)).provenance["plans"]
    assert [(plan["steps"], plan["calls"]) for plan in plans] == [
        (list(range(6, 13)), 927),
        ([4, 5], 4000),
    ]


def test_a_sentence_without_numbers_is_kept_as_a_note():
    data = old()
    data["recipes"][0]["evidence"] = {"rms": 0.1, "verdict": "The best I ever saw."}
    data["recipes"][1]["evidence"] = {
        "verdict": "solved again from the recorded teacher, without a model call; not measured"
    }
    first, second, *_ = Record.from_json(json.dumps(data)).recipes
    assert first.evidence == {"rms": 0.1, "note": "The best I ever saw."}
    assert verdict(first) == "The best I ever saw"
    assert second.evidence == {"verdict": "solved"}


HOSTILE = [
    (("recipes", 0, "choice"), {"schedule": "ours"}, "no recipe of version 1"),
    (("recipes", 0), 7, "no recipe of version 1"),
    (("recipes",), {}, "recipes: is an object, must be a list"),
    (("recipes", 0, "choice"), "", "choice.schedule: is ''"),
    (("recipes", 4, "evidence", "stock"), [], "stock: is a list, must be an object"),
    (("recipes", 4, "evidence", "stock"), {"beta": 7}, "stock.*is 7, must be an object"),
    (("recipes", 4, "evidence", "verdict"), {"a": 1}, "must be text"),
    (("recipes", 4, "evidence", "ratio"), "x", "ratio: is 'x'"),
    (("evidence", "recommendation"), 7, "recommendation.text: is 7"),
    (("provenance", "how"), 7, "how: is 7"),
    (("inner_products",), {}, "unknown key 'inner_products'"),
    (("provenance",), [], "provenance: is a list"),
    (("evidence",), None, "evidence: is None"),
]


@pytest.mark.parametrize(("path", "value", "said"), HOSTILE, ids=[said for *_, said in HOSTILE])
def test_what_is_no_record_of_version_1_is_refused_in_one_sentence(path, value, said):
    import re

    data = place = old()
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(RecordError) as caught:
        Record.from_json(json.dumps(data))
    assert re.search(said, str(caught.value)) and "\n" not in str(caught.value)
