"""Plans: what a file may say, and that everything else is refused in a sentence with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.errors import PlanError
from scheduler.library.jobs import jobs_of
from scheduler.library.plan import ModelPlan, load_plan, parse_plan
from tests.examples import examples
from tests.library.made import jobs

HERE = Path("/plans/night.toml")


def parsed(text: str):
    return parse_plan(text.encode(), HERE)


def test_what_stands_at_the_top_holds_for_every_model():
    plan = parsed("""
store = "records"
device = "cuda"
steps = "4-6"
guidances = [1, 4.5]
[[models]]
checkpoint = "flow"
[[models]]
pipeline = "sdxl"
steps = [8, 4]
sizes = ["1024x768"]
efforts = ["quick", "standard"]
""")
    flow, sdxl = plan.models
    assert plan.store == str(HERE.parent / "records") and plan.device == "cuda"
    assert flow.checkpoint == "flow" and flow.steps == (4, 5, 6) and flow.guidances == (1.0, 4.5)
    assert sdxl.pipeline == str(HERE.parent / "sdxl") and sdxl.steps == (4, 8)
    assert sdxl.sizes == ((1024, 768),) and sdxl.efforts == ("instant", "standard")
    assert sdxl.guidances == (1.0, 4.5)


def test_prompts_are_a_list_or_a_file(tmp_path):
    (tmp_path / "prompts.txt").write_text("a fox\n\n a harbour \n", encoding="utf-8")
    path = tmp_path / "plan.toml"
    path.write_text('[[models]]\npipeline = "x"\nprompts = "prompts.txt"\n', encoding="utf-8")
    assert load_plan(path).models[0].prompts == ("a fox", "a harbour")
    assert parsed('[[models]]\npipeline = "x"\nprompts = ["a"]').models[0].prompts == ("a",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("steps = 4", "names no model"),
        ("models = 3", "names no model"),
        ("models = [3]", "model 1"),
        ("[[models]]\nsteps = 4", "model 1: names no model"),
        ('[[models]]\ncheckpoint = "flow"\npipeline = "x"', "a checkpoint and a pipeline"),
        ('[[models]]\ncheckpoint = "flow"\nstep = 4', "'step' is not known"),
        ('step = 4\n[[models]]\ncheckpoint = "flow"', "'step' is not known"),
        ('checkpoint = "flow"\n[[models]]\npipeline = "x"', "belongs into a"),
        ('[[models]]\ncheckpoint = "flow"\nsteps = 0', "steps must be step counts from 1"),
        ('[[models]]\ncheckpoint = "flow"\nsteps = []', "steps must be 1 to 1000"),
        ('[[models]]\ncheckpoint = "flow"\nsteps = "6-4"', "steps must be step counts"),
        ('[[models]]\ncheckpoint = "flow"\nsteps = true', "steps must be a whole number"),
        ('[[models]]\ncheckpoint = "flow"\nguidances = nan', "guidances must be a number"),
        ('[[models]]\ncheckpoint = "flow"\nguidances = -1', "guidances must lie from 0"),
        ('[[models]]\ncheckpoint = "flow"\nsizes = "1024"', "sizes must be sizes such as"),
        ('[[models]]\ncheckpoint = "flow"\nsizes = "4x4"', "sizes must have sides"),
        ('[[models]]\ncheckpoint = "flow"\nsizes = "²x8"', "sizes must be sizes such as"),
        ('[[models]]\ncheckpoint = "flow"\nefforts = "much"', "efforts is no effort"),
        ('[[models]]\ncheckpoint = "flow"\nprompts = [""]', "prompts must not be empty"),
        ('[[models]]\ncheckpoint = "flow"\nprompts = "none.txt"', "could not be read"),
        ('[[models]]\ncheckpoint = "flow"\ndtype = "int8"', "dtype must be one of"),
        ('[[models]]\ncheckpoint = "flow"\nmeasure = 1', "measure must be true or false"),
        ('[[models]]\ncheckpoint = "flow"\nseed = -1', "seed must be a whole number from 0"),
        ('[[models]]\ncheckpoint = "a\\u0000b"', "checkpoint must be a text"),
        ("[[models", "no TOML file"),
    ],
)
def test_the_rest_is_refused_with_its_place(text, said):
    with pytest.raises(PlanError) as refused:
        parsed(text)
    assert said in str(refused.value) and "\n" not in str(refused.value)


def test_files_that_are_no_text_or_too_long_are_refused(tmp_path):
    path = tmp_path / "plan.toml"
    for data in (b"\xff\xfe", b"#" * 1_000_001):
        path.write_bytes(data)
        with pytest.raises(PlanError):
            load_plan(path)
    with pytest.raises(PlanError, match="could not be read"):
        load_plan(tmp_path / "none.toml")


values = st.recursive(
    st.one_of(st.integers(-5, 2000), st.booleans(), st.floats(), st.text(max_size=8)),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
keys = st.one_of(
    st.sampled_from(sorted(ModelPlan.__dataclass_fields__)), st.text("abc", min_size=1)
)


@given(st.dictionaries(keys, values, max_size=5), st.dictionaries(keys, values, max_size=4))
@examples(100)
def test_any_file_is_a_plan_or_one_sentence(top, entry):
    entry = {"checkpoint": "flow"} | entry
    text = "\n".join(f"{key} = {toml(value)}" for key, value in top.items())
    text += "\n[[models]]\n" + "\n".join(f"{key} = {toml(value)}" for key, value in entry.items())
    try:
        plan = parsed(text)
    except PlanError as refused:
        assert str(refused).endswith(".") and len(str(refused).splitlines()) == 1
        return
    for model in plan.models:
        assert model.steps and model.guidances and model.sizes and model.efforts
        assert list(model.steps) == sorted(set(model.steps)) and 1 <= model.steps[0]


def toml(value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str):
        return (
            '"' + "".join(f"\\U{ord(letter):08X}" for letter in value if ord(letter) < 0xD800) + '"'
        )
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    return str(value)


# --- jobs ------------------------------------------------------------------------------------------


def test_each_model_size_and_guidance_once_for_each_effort():
    text = '[[models]]\ncheckpoint = "flow"\nguidances = [1, 3]\nefforts = ["instant", "standard"]'
    found = jobs(text)
    assert [(job.cfg, job.effort) for job in found] == [
        (1, "instant"), (3, "instant"), (1, "standard"), (3, "standard"),
    ]  # fmt: skip
    assert len({job.id for job in found}) == 4
    assert len({job.place for job in found}) == 2  # a record for each guidance


def test_priority_goes_first():
    text = '[[models]]\ncheckpoint = "flow"\n[[models]]\ncheckpoint = "eps"\npriority = 1'
    assert [job.title for job in jobs(text)] == ["eps", "flow"]


def test_doubles_are_one_job_with_the_higher_priority():
    text = (
        '[[models]]\ncheckpoint = "flow"\n' * 2 + '[[models]]\ncheckpoint = "eps"\npriority = 1\n'
    )
    found = jobs(text + '[[models]]\ncheckpoint = "flow"\npriority = 2')
    assert [job.title for job in found] == ["flow", "eps"]


def test_an_id_stays_the_same_wherever_the_file_lies_and_changes_with_what_is_asked(tmp_path):
    one, other = tmp_path / "a" / "m.safetensors", tmp_path / "b" / "n.safetensors"
    for path in (one, other):
        path.parent.mkdir()
        path.write_bytes(b"weights" * 5000)

    def of(path, more=""):
        return jobs(f'[[models]]\npipeline = "{path}"\nprompts = ["a"]\n{more}')[0]

    assert of(one).id == of(other).id and of(one).place == of(other).place
    for more in ("steps = 7", "seed = 1", 'negative = "x"', "measure = true"):
        assert of(one, more).id != of(one).id and of(one, more).place == of(one).place
    for more in ('sizes = "512x512"', "guidances = 5", 'samplers = "euler"'):
        assert of(one, more).place != of(one).place
    other.write_bytes(b"weights" * 4999 + b"changed")
    assert of(other).id != of(one).id


def test_models_that_are_not_there_are_said_before_the_night(tmp_path):
    with pytest.raises(PlanError, match=r"Model 1 of the plan, .*gone.* cannot be read"):
        jobs('[[models]]\npipeline = "gone"', tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(PlanError, match=r"holds no \.safetensors"):
        jobs('[[models]]\npipeline = "empty"', tmp_path)
    with pytest.raises(PlanError, match="--comfyui"):
        jobs('[[models]]\ncomfyui = "a.safetensors"')
    with pytest.raises(PlanError, match="neither comfyui nor workflow"):
        jobs('[[models]]\ncheckpoint = "flow"', remote=True)


@pytest.mark.slow
def test_too_many_jobs_are_refused():
    numbers = ", ".join(map(str, range(1000)))
    sizes = ", ".join(f'"{8 * k}x64"' for k in range(1, 12))
    text = f'[[models]]\ncheckpoint = "flow"\nguidances = [{numbers}]\nsizes = [{sizes}]'
    with pytest.raises(PlanError, match="more than 10,000 jobs"):
        jobs_of(parsed(text))
