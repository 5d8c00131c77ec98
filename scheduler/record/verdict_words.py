"""What was measured, in words: a recipe beside stock, and what a record recommends.

`labels` are the host's names of samplers, as in words.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..counted import counted
from .cfg_range import CHECKS
from .choice import PUBLISHED as PUBLISHED_CHOICE
from .choice import Choice
from .left_out import evidence_notes
from .verdict import (
    BETTER,
    EQUAL,
    INCOMPARABLE,
    INTERPOLATED,
    ONE_SAMPLE,
    PUBLISHED,
    SEEN,
    SOLVED,
    STOCK,
    STRETCHED,
    WORSE,
    outcome,
    steps_saved,
)
from .words import NO_LABELS, Labels, about, contents, sampler_label

if TYPE_CHECKING:
    from .model import Recipe, Record

NOT_MEASURED = "not measured"
NOTHING = "Nothing was measured, so nothing is recommended."
CHECKED = "checked"  # rows of a recipe that was made elsewhere, and only checked here
MOST_WORDS = 2000
LEAST_SHARE = 0.005  # of an error: below, two decimals would say nought


def about_fully(record: Record, labels: Labels = NO_LABELS) -> str:
    """`about`, with what it holds and what it recommends."""
    advice = recommendation(record, labels)
    held = f"{'Recipes:':<12}{contents(record, labels)}"
    return "\n".join([about(record), held, *([advice] if advice else [])])


def choice_words(choice: str, labels: Labels = NO_LABELS) -> str:
    """A choice by its schedule's name, and its sampler by the host's label: "beta + DPM++ 2M"."""
    found = Choice.read(choice)
    if found.sampler is None:
        return str(found)
    return str(Choice(found.schedule, sampler_label(found.sampler, labels)))


def described(recipe: Recipe, labels: Labels = NO_LABELS) -> str:
    """A recipe in a few words: "euler with the distilled schedule and offsets", "dpmpp_2m with beta"."""
    sampler = sampler_label(recipe.sampler, labels)
    if recipe.choice.schedule == PUBLISHED_CHOICE:
        return f"{sampler} with the published schedule"
    if not recipe.choice.ours:
        choice = choice_words(recipe.choice, labels)
        return choice if recipe.choice.sampler else f"{sampler} with {choice}"
    if recipe.sampler == "distilled":
        return "the distilled sampler"
    return f"{sampler} with the distilled schedule" + (
        " and offsets" if recipe.offsets is not None else ""
    )


def verdict(recipe: Recipe, labels: Labels = NO_LABELS) -> str:
    """One plain clause about a recipe and the stock choice that is best in hindsight, or why there
    is none."""
    found = recipe.evidence
    code = found.get("verdict")
    if code in _UNMEASURED:
        return _UNMEASURED[code]
    if found.get("best_stock") is None or code is None:
        return found.get("note", "").rstrip(".") or _without_verdict(recipe)
    if code == ONE_SAMPLE:
        return f"{_beside(recipe, labels)}, on one sample, which proves nothing"
    if code == SEEN:
        return f"{_beside(recipe, labels)}, {_seen(found)}"
    best = choice_words(found["best_stock"], labels)
    if code == STOCK:
        return f"the stock choice {best} itself, the best of them here"
    words = _MEASURED.get((recipe.choice.ours, code))
    if words is None:  # of a newer version
        return code.replace("_", " ")
    if found.get("ratio") is None:
        return _UNMEASURED[INCOMPARABLE]
    share = share_words(found["ratio"])
    return words.format(choice=choice_words(recipe.choice, labels), best=best, share=share)


def share_words(ratio: float) -> str:
    """A ratio of errors, never as nought: "0.43", "less than 0.01"."""
    return f"{ratio:.2f}" if ratio >= LEAST_SHARE else "less than 0.01"


def verdict_if_any(recipe: Recipe) -> str:
    """The same, or "" where the evidence says nothing of how the recipe compares, and of a published
    schedule nothing but that it is one."""
    code = recipe.evidence.get("verdict")
    if code in (PUBLISHED, INTERPOLATED):
        return verdict(recipe).removeprefix("a published schedule, ")
    return verdict(recipe) if code or "note" in recipe.evidence else ""


def _beside(recipe: Recipe, labels: Labels) -> str:
    best = choice_words(recipe.evidence["best_stock"], labels)
    share = share_words(recipe.evidence["ratio"])
    return f"{share} of the error of the best stock choice ({best})"


def _seen(found: dict) -> str:
    """On which rows, where none were held out."""
    rows = found.get("rows", {})
    checked = rows.get(CHECKED)
    if checked:
        pictures = "one picture" if checked == 1 else f"{checked} pictures"
        return f"checked on {pictures}, on which it was not fitted"
    fitted, unseen = rows.get("fit", found.get("samples", 0)), rows.get("unseen_row", 0)
    pictures = "the picture" if fitted == 1 else f"the {fitted} pictures"
    if unseen:
        return f"on {pictures} that it was fitted to and {unseen} that it was not"
    others = "" if found.get(CHECKS) else "; no other was measured"
    return f"on {pictures} that it was fitted to{others}"


def _without_verdict(recipe: Recipe) -> str:
    if "rms" in recipe.evidence:
        return "not compared"
    return _UNMEASURED[PUBLISHED] if recipe.choice.schedule == PUBLISHED_CHOICE else NOT_MEASURED


_UNMEASURED = {
    INCOMPARABLE: "no comparison: an error was zero or not finite",
    SOLVED: "solved again from the recorded teacher, without a model call; not measured",
    STRETCHED: "fitted for a denoise near this one, and not measured at this",
    PUBLISHED: "a published schedule, not measured",
    INTERPOLATED: "a published schedule, interpolated to these steps, not measured",
}
_MEASURED = {
    (True, BETTER): "{share} of the error of the best stock choice ({best})",
    (True, EQUAL): "no gain: {best} is as good",
    (True, WORSE): "worse: {share} times the error of {best}; use {best}",
    (False, BETTER): "the stock choice {choice}, at {share} of the error of {best}",
    (False, EQUAL): "the stock choice {choice}; no other is clearly better",
    (
        False,
        WORSE,
    ): "the stock choice {choice}, at {share} times the error of {best}; use {best}",
}


def evidence_words(recipe: Recipe, labels: Labels = NO_LABELS) -> str:
    """What was measured of a recipe, as a clause: the steps it saves, the error beside stock's, and
    on how many rows."""
    if "rms" not in recipe.evidence:
        return verdict(recipe, labels)
    told = f"{_saved(recipe, labels)}{verdict(recipe, labels)}{_streams(recipe)}"
    if recipe.evidence.get("verdict") == SEEN:  # which says on which rows
        return told
    return f"{told}; {rows_words(recipe.evidence)}"


def _streams(recipe: Recipe) -> str:
    """The streams of a latent of several kinds (video, sound) that come out worse than with stock."""
    worse = [
        f"{each['name']} {share_words(each['rms'] / each['stock_rms'])} times"
        for each in recipe.evidence.get("streams", ())
        if each.get("rms") and each.get("stock_rms") and each["rms"] > each["stock_rms"]
    ]
    return f", but worse than stock by itself: {' and '.join(worse)} its error" if worse else ""


def _saved(recipe: Recipe, labels: Labels) -> str:
    saved, best = steps_saved(recipe.evidence), recipe.evidence.get("best_stock")
    if saved is None or saved[0] <= recipe.steps or not recipe.choice.ours or best is None:
        return ""
    equal, beyond = saved
    about = "about " if recipe.evidence.get("verdict") == SEEN else ""
    sign = ">" if beyond else "="
    return f"{counted(recipe.steps)} {sign} {about}stock's {equal} ({choice_words(best, labels)}): "


def rows_words(evidence: Mapping) -> str:
    """On what it was measured: "8 held-out samples", "1 unseen row, 3 recordings"."""
    kinds = evidence.get("rows") or {"held_out": evidence.get("samples")}
    return ", ".join(_rows(kind, count) for kind, count in kinds.items())


def _rows(kind: str, count: int | None) -> str:
    name = _KINDS.get(kind, kind.replace("_", " ") + " sample")
    return f"{name}s" if not count else f"{count} {name}{'s' if count != 1 else ''}"


_KINDS = {
    "held_out": "held-out sample",
    "unseen_row": "unseen row",
    "recording": "recording",
    "shared_path": "held-out noise path",
}


# Of a first answer (distilling/first_answer.py). Distance from the end: the bundled checkpoints .52 to 2.8
# (guidance 1 to 7), a student of the flow one (`tools.train_turbo`) .13 to .23. Spread over seeds, of one
# prompt: .10 to .46, the student .61 to .69; analytic models without a mean up to 1.2, at half the size.
# Rows of several prompts spread by these too (.97 of an ordinary model), so theirs says nothing.
# Untrained networks hand back the noise itself.
NEARLY_FINISHED, NEAR, MOST_SPREAD, LEAST_SIZE, LEAST_MOVED = 0.3, 0.5, 0.55, 0.75, 0.5
AT_ONCE = (
    "This model answers its first call with a picture already, as step-distilled ones (Turbo, Lightning) do: "
    "many steps of it are no truth to imitate. Distil from its maker's own sigmas instead."
)


def recommendation(record: Record, labels: Labels = NO_LABELS) -> str:
    """What a record recommends, how its samplers did, and what was left out of the evidence, in
    sentences; it may be stock. Empty where nothing was ever to be measured."""
    advice = record.evidence.get("recommendation", {})
    if advice.get("text"):  # a record of version 1
        return advice["text"]
    left_out = record.evidence.get("left_out", [])
    if not advice:
        measured = left_out or "curve" in record.evidence
        parts = [_on_own_rows(record, labels) or (NOTHING if measured else "")]
    else:
        parts = [_advice(record, advice, labels), *_tallies(record, labels)]
    parts += evidence_notes(left_out)
    if "full_length" in record.evidence:
        parts.append(full_length(record.evidence["full_length"], labels))
    if answers_at_once(record):
        parts.append(AT_ONCE)
    return " ".join(part for part in parts if part)[:MOST_WORDS]


def answers_at_once(record: Record) -> bool:
    """Whether the model answers the top of its noise with a picture, as step-distilled ones do."""
    seen = [each.get("first_answer") for each in record.provenance.get("stages", [])]
    one_prompt = record.conditions.prompts == 1
    return any(_a_picture(each, one_prompt) for each in seen if isinstance(each, Mapping))


def _a_picture(first: Mapping, one_prompt: bool) -> bool:
    usual = {"error": 1.0, "spread": 0.0, "size": 0.0, "moved": 1.0}
    told = {name: first.get(name, value) for name, value in usual.items()}
    if not all(isinstance(value, (int, float)) for value in told.values()):
        return False  # a stage may say anything
    spread_out = told["spread"] > MOST_SPREAD and told["size"] > LEAST_SIZE
    near = told["error"] < NEARLY_FINISHED or (one_prompt and spread_out and told["error"] < NEAR)
    return told["moved"] > LEAST_MOVED and near


def _advice(record: Record, advice: Mapping, labels: Labels) -> str:
    steps = advice.get("steps", 0)
    place = f"At {counted(steps)}" + (
        ", where the error curve bends," if advice.get("at_knee") else ""
    )
    if "stock" in advice:
        stock = choice_words(str(_choice(advice["stock"])), labels)
        return f"{place} use stock ({stock}): no recipe is clearly better, at any of its steps."
    recipe = _advised(record, advice)
    return "" if recipe is None else f"{place} use {_gains(recipe, labels)}."


def _gains(recipe: Recipe, labels: Labels) -> str:
    saved, match = steps_saved(recipe.evidence), ""
    if saved is not None and saved[0] > recipe.steps:
        equal, beyond = saved
        match = f"; stock needs {'more than ' if beyond else ''}{equal} steps to match it"
    return f"{described(recipe, labels)}: {verdict(recipe, labels)}{match}"


def advised(record: Record) -> Recipe | None:
    """The recipe that `recommendation` speaks of first; None where it names stock, or none."""
    advice = record.evidence.get("recommendation", {})
    if advice:
        return None if "stock" in advice else _advised(record, advice)
    return _best_on_own_rows(record)


def _on_own_rows(record: Record, labels: Labels) -> str:
    """Of a record that nothing was measured for apart: what its own rows say of its best recipe."""
    best = _best_on_own_rows(record)
    return "" if best is None else f"At {counted(best.steps)} use {_gains(best, labels)}."


def _best_on_own_rows(record: Record) -> Recipe | None:
    ours = [
        each for each in record.recipes if each.choice.ours and each.evidence.get("verdict") == SEEN
    ]

    def saves(recipe: Recipe) -> float:
        return (steps_saved(recipe.evidence) or (0, False))[0] / recipe.steps

    return max(ours, key=saves, default=None)


def _advised(record: Record, advice: Mapping) -> Recipe | None:
    """The recipe that the record itself recommends, from its highest start."""
    wanted = advice.get("sampler"), advice.get("steps"), bool(advice.get("offsets"))
    found = [
        recipe
        for recipe in record.recipes
        if (recipe.sampler, recipe.steps, recipe.offsets is not None) == wanted
    ]
    return max(found, key=lambda recipe: recipe.start_sigma, default=None)


def _tallies(record: Record, labels: Labels) -> list[str]:
    """A sentence for each curve: at how many step counts it is better than stock, equal, worse."""
    found: dict[tuple[str, bool], list[str]] = {}
    for recipe in record.recipes:
        evidence = recipe.evidence
        if evidence.get("rms") is not None and evidence.get("best_stock"):
            curve = recipe.sampler, recipe.offsets is not None
            code = outcome(evidence.get("ratio"), evidence.get("margin"))
            found.setdefault(curve, []).append(code)
    sentences = []
    for (sampler, offsets), codes in found.items():
        counts = [f"{words} {codes.count(code)}" for code, words in _COUNTED if code in codes]
        name = sampler_label(sampler, labels) + (" with offsets" if offsets else "")
        sentences.append(f"{name}: {', '.join(counts)} of {len(codes)} step counts.")
    return sentences


_COUNTED = (
    (BETTER, "clearly better than every stock choice at"),
    (EQUAL, "no clear difference from the best of them at"),
    (WORSE, "clearly worse than the best of them at"),
)


def full_length(found: Mapping, labels: Labels = NO_LABELS) -> str:
    """The outcome of a check of a recipe, distilled on a few frames of a video, at its full length."""
    sampler = sampler_label(found["sampler"], labels)
    begin = f"At the full {found['frames']} latent frames, {sampler} at {counted(found['steps'])}"
    ours, stock = found.get("rms"), found.get("stock_rms")
    if ours is None:
        return f"{begin} came to nothing."
    choice = _choice(found["choice"])
    samples = found["samples"]
    on = "one sample" if samples == 1 else f"{samples} samples"
    if stock is None or "best_stock" not in found:
        return f"{begin} has an error of {ours:.3g}."
    if not choice.ours:
        name = choice_words(str(choice), labels)
        return f"{begin} is the stock schedule {name}, with an error of {ours:.3g} on {on}."
    ratio, best = ours / max(stock, 1e-12), choice_words(str(_choice(found["best_stock"])), labels)
    carries = "the recipe carries over"
    if ratio >= 1:
        carries = f"the recipe does not carry over: distil at full length, or use {best}"
    return f"{begin} has {share_words(ratio)} of the error of {best}, on {on}: {carries}."


def _choice(data: Mapping) -> Choice:
    return Choice(data["schedule"], data.get("sampler"))
