"""The exported JSON Schema and the checks are one declaration: what we take, it takes; what no rule
between fields forbids and it refuses, we refuse."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.cli import main
from scheduler.errors import RecordError
from scheduler.presets import PRESETS, preset
from scheduler.record import Record, parser
from scheduler.record.schema import json_schema
from tests.examples import examples
from tests.record.test_record import PLACES, anything, data, put, records

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed (extra: test)")

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docs" / "record.schema.json"
VALIDATOR = jsonschema.Draft202012Validator(json_schema())


def ours(record: dict) -> bool:
    try:
        Record.from_json(json.dumps(record))
    except RecordError:
        return False
    return True


def test_the_file_in_docs_is_what_the_declarations_say(capsys):
    assert main(["show", "--schema"]) == 0
    printed = capsys.readouterr().out
    assert printed == FILE.read_text(encoding="utf-8"), (
        "write it anew: python -m scheduler show --schema > docs/record.schema.json"
    )
    jsonschema.Draft202012Validator.check_schema(json.loads(printed))


def test_it_needs_a_record_or_the_schema(capsys):
    assert main(["show"]) == 1
    assert "give a record file" in capsys.readouterr().err


@given(records())
def test_valid_records_validate(record):
    VALIDATOR.validate(json.loads(record.to_json()))


@pytest.mark.parametrize("name", PRESETS)
def test_published_records_validate(name):
    VALIDATOR.validate(json.loads(preset(name).to_json()))


def changed(path, value) -> dict:
    record = data()
    put(*path, value)(record)
    return record


@given(
    st.sampled_from(PLACES),
    anything | st.sampled_from([0, -1, 1.5, "", "ours", [], {}, [0.0], 1e300, "\x1b", 10**19]),
)
@examples(300)
@pytest.mark.slow
def test_what_it_refuses_we_refuse(path, value):
    record = changed(path, value)
    try:
        text = json.dumps(record, allow_nan=False)
    except ValueError:  # not JSON: no schema is asked
        return
    if not VALIDATOR.is_valid(json.loads(text)):
        assert not ours(record)


# A value that does not fit, for each kind of declaration: both must refuse it.
BOTH = [
    (("stepdistill",), 1),
    (("extra",), 1),
    (("model", "sigma_min"), 0),
    (("model", "sigma_max"), 1e7),
    (("model", "parametrisation"), "v"),
    (("model", "name"), "a\nb"),
    (("model", "name"), "a" * 301),
    (("model", "patches"), [{"name": "a"}]),
    (("model", "samples"), {"a": {"shape": [], "dtype": "F16", "values": [1]}}),
    (("model", "samples"), {"a" * 301: {"shape": [1], "dtype": "F16", "values": [1]}}),
    (("conditions", "latent_shape"), [16, 0]),
    (("conditions", "seed"), 2**64),
    (("teacher", "solver"), "no such thing"),
    (("recipes", 0, "sigmas"), [1.0]),
    (("recipes", 0, "steps"), 0),
    (("recipes", 0, "secret"), 1),
    (("recipes", 0, "choice"), "ours"),
    (("recipes", 0, "choice", "schedule"), "a + b"),
    (("recipes", 0, "choice", "schedule"), "a +"),
    (("recipes", 0, "evidence", "different"), 1.5),
    (("recipes", 0, "evidence", "stock"), {}),
    (("recipes", 3, "coefficients", 0), [0, 0, 0]),
    (("recipes", 1, "offsets", 0), 5.5),
    (("evidence", "curve"), {"euler": {"four": 1}}),
    (("evidence", "curve"), {"euler": {"4": -1}}),
    (("evidence", "recommendation", "offsets"), 1),
    (("provenance", "created"), "2026-11-21"),
    (("provenance", "stages", 0, "calls"), -1),
    (("inner_products", "products"), "no base64!"),
    (("inner_products", "rows"), 0),
    (("inner_products", "sigmas"), [0.0]),
]


@pytest.mark.parametrize(("path", "value"), BOTH, ids=[".".join(map(str, p)) for p, _ in BOTH])
def test_both_refuse(path, value):
    record = changed(path, value)
    assert not VALIDATOR.is_valid(record) and not ours(record)


@pytest.mark.slow
def test_what_is_required_is_required_by_both():
    ours_alone = []
    for path in PLACES:
        record = place = data()
        for key in path[:-1]:
            place = place[key]
        if not isinstance(place, dict):
            continue
        del place[path[-1]]
        schema_takes_it, we_take_it = VALIDATOR.is_valid(record), ours(record)
        if schema_takes_it and not we_take_it:
            ours_alone.append(path)
        assert schema_takes_it or not we_take_it
    # Without its offsets it is a second recipe for one place: a rule between fields.
    assert ours_alone == [("recipes", 1, "offsets")]


def test_rules_between_fields_are_ours_alone():
    rng = random.Random(0)
    for change in (
        put("model", "sigma_min", 2),
        put("recipes", 0, "sigmas", [1.0, 0.5, 0.5, 0.1, 0.0]),
        put("recipes", 1, "offsets", [0.0]),
        put("recipes", 0, "coefficients", [[0, 0, 0, 0]] * 4),
        put("inner_products", "spread", [0.0, 0.0]),
        lambda record: record["recipes"].append(copy.deepcopy(rng.choice(record["recipes"]))),
    ):
        record = data()
        change(record)
        assert VALIDATOR.is_valid(record) and not ours(record)


def test_the_specification_is_true_where_it_can_be_tried():
    text = (ROOT / "docs" / "record-format.md").read_text(encoding="utf-8")
    record = json.loads(text.split("```json\n")[1].split("```")[0])
    VALIDATOR.validate(record)
    assert json.loads(Record.from_json(json.dumps(record)).to_json()) == record
    bounds = (parser.MAX_BYTES, parser.MAX_VALUES, parser.MAX_STRINGS)
    assert all(f"| {bound:,} |" in text for bound in bounds)
    assert f"| depth | {parser.MAX_DEPTH} |" in text and f"number | {parser.MAX_DIGITS} |" in text
    for name in _names(json_schema()):
        told = f"`{name}`" in text or f'"{name}"' in text
        assert told, (
            f"docs/record-format.md does not say what {name!r} is: add it to its part there"
        )


def _names(schema: object):
    """The names of all fields that a schema knows."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for entry in schema.values():
            yield from _names(entry)
    elif isinstance(schema, list):
        for entry in schema:
            yield from _names(entry)
