"""Records of earlier formats brought forward, a version at a time. The data comes unchecked: what
is not of the expected kind is left as it is, for the schema to refuse.

Version 1 kept sentences where version 2 keeps data. What they said in numbers becomes data here;
the sentences themselves stay under "note", "text" and "how", so that nothing is lost.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from .checkers import Misfit, shown
from .choice import PUBLISHED, Choice
from .file_form import choice_data
from .verdict import INTERPOLATED, SOLVED, verdict_of

SOLVED_1 = "solved again from the recorded teacher, without a model call; not measured"
INTERPOLATED_1 = "published, interpolated"
PLANNED_1 = re.compile(
    r"Plan: at most (?P<calls>\d{1,15}) model calls"
    r"(?: on (?P<rows>\d{1,15}) samples \((?P<effort>[a-z]{1,20})\)"
    r", then (?P<evidence_calls>\d{1,15}) for the evidence)?"
)
COST_1 = re.compile(r"; ([a-z0-9_]{1,64}): (\d{1,15})(?=;|$)")
KEPT_1 = re.compile(
    r" Recipes for ([\d, ]{1,2000}) steps are kept from the record of [\d-]{1,20}, made by: "
)


def from_version_1(record: dict) -> dict:
    """Version 2 of a version 1 record's data."""
    found = dict(record)
    if "inner_products" in found:
        raise Misfit("has an unknown key 'inner_products'; records of version 1 have none")
    if isinstance(found.get("recipes"), list):
        found["recipes"] = [_recipe(recipe) for recipe in found["recipes"]]
    if isinstance(found.get("evidence"), dict):
        found["evidence"] = _with_text(found["evidence"])
    if isinstance(found.get("provenance"), dict):
        found["provenance"] = _with_plans(found["provenance"], found.get("recipes"))
    return found


# MIGRATIONS[v] turns the data of a version v record into that of version v + 1 (raising Misfit
# where it cannot).
MIGRATIONS: dict[int, Callable[[dict], dict]] = {1: from_version_1}


def _recipe(recipe: object) -> object:
    if not isinstance(recipe, dict) or not isinstance(recipe.get("choice"), str):
        raise Misfit("is no recipe of version 1 (its choice must be text)", ".recipes")
    choice, evidence = recipe["choice"], recipe.get("evidence", {})
    if isinstance(evidence, dict):
        evidence = _recipe_evidence(evidence, choice)
    if choice == INTERPOLATED_1:
        choice, evidence = PUBLISHED, {"verdict": INTERPOLATED} | evidence
    return recipe | {"choice": choice_data(choice), "evidence": evidence}


def _recipe_evidence(evidence: dict, choice: str) -> dict:
    found = dict(evidence)
    sentence = found.pop("verdict", None)
    if sentence is not None:
        found |= _verdict(sentence, evidence, choice)
    if isinstance(found.get("best_stock"), str):
        found["best_stock"] = choice_data(found["best_stock"])
    if "stock" in found:
        found["stock"] = _stock(found["stock"])
    return found


def _stock(table: object) -> object:
    if not isinstance(table, dict):
        raise Misfit(f"is {shown(table)}, must be an object", ".recipes[].evidence.stock")
    entries = []
    for label, errors in table.items():
        if not isinstance(errors, dict):
            raise Misfit(f"is {shown(errors)}, must be an object", ".recipes[].evidence.stock[]")
        entries.append(choice_data(label) | errors)
    return entries


def _verdict(sentence: object, evidence: dict, choice: str) -> dict:
    """The code that a sentence stood for, from the numbers beside it; the sentence where there are
    none."""
    if sentence == SOLVED_1:
        return {"verdict": SOLVED}
    numbers = [evidence.get("ratio"), evidence.get("margin")]
    known = "ratio" in evidence and isinstance(evidence.get("best_stock"), str)
    if not known or not all(each is None or type(each) in (int, float) for each in numbers):
        return {"note": sentence}
    if numbers[0] is not None and not numbers[0] > 0:
        return {"note": sentence}
    same = Choice.read(choice), Choice.read(evidence["best_stock"])
    return {"verdict": verdict_of(*same, *numbers)}


def _with_text(evidence: dict) -> dict:
    if "recommendation" not in evidence:
        return evidence
    return evidence | {"recommendation": {"text": evidence["recommendation"]}}


def _with_plans(provenance: dict, recipes: object) -> dict:
    """With the plans that "how" spoke of, newest first, each with the step counts that are its own."""
    how = provenance.get("how")
    if not isinstance(how, str) or not PLANNED_1.match(how) or not isinstance(recipes, list):
        return provenance
    first, *rest = KEPT_1.split(how[:2000])
    kept = [
        (sorted({int(each) for each in re.findall(r"\d{1,4}", steps)}), words)
        for steps, words in zip(rest[::2], rest[1::2], strict=True)
    ]
    steps = {recipe.get("steps") for recipe in recipes if type(recipe.get("steps")) is int}
    own = sorted(steps.difference(*(counts for counts, _ in kept)))
    plans = [_plan(counts, words) for counts, words in [(own, first), *kept]]
    return provenance | {"plans": [plan for plan in plans if plan is not None]}


def _plan(steps: list[int], words: str) -> dict | None:
    said = PLANNED_1.match(words)
    if said is None:
        return None
    numbers = {
        key: value if key == "effort" else int(value)
        for key, value in said.groupdict().items()
        if value is not None
    }
    costs = {phase: int(calls) for phase, calls in COST_1.findall(words)}
    return {"steps": steps, **numbers, "costs": costs}
