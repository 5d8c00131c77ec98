"""The loaded checkpoint in the panel: what its recipe gains, what was last learnt, and its records."""

from __future__ import annotations

import html
from typing import Any

from ..scheduler.errors import StepDistillError
from ..scheduler.lookup.key import Key
from ..scheduler.lookup.selection import SOLVED
from ..scheduler.lookup.starts import same_start
from ..scheduler.record import Record
from .gains import gain
from .host import option
from .names import LABEL, NAME
from .panel_views import best, paragraph, paragraph_of_html
from .unloaded import shown_model, waiting_file, waiting_records

MOST_READ = 50  # records that are looked into one by one each time the page is opened


def status_data() -> dict:
    """The loaded checkpoint and what the store has for it; asks nothing that loads a model."""
    from .identity import facts_of
    from .stores import store

    model = shown_model()
    if model is None:
        return {"model": None, "text": "No checkpoint is loaded yet."}
    facts, here = facts_of(model), store()
    found = {
        "model": facts.name,
        "fingerprint": facts.fingerprint.id if facts.fingerprint else None,
        "prediction": facts.prediction,
        "sigma_min": facts.sigma_min,
        "sigma_max": facts.sigma_max,
        "patches": [each["name"] for each in facts.patches],
        "advice": facts.advice or None,
        "records": _records_of(facts),
        "folder": str(here.folder),
        "match": _match_data(facts.key()),
        "text": "",
    }
    problems = here.problems()[:5] if len(here.records()) <= MOST_READ else []
    return found | {"problems": [f"{name}: {reason}" for name, reason in problems]}


def _match_data(key: Key) -> dict | None:
    """The record that Automatic would look at first, and whether it may be used."""
    from ..scheduler.lookup.selection import first_match
    from ..scheduler.lookup.words import match_sentence
    from .stores import stem, store

    match, refused = first_match(key, (store(),))
    nearest = match or refused
    if nearest is None:
        return None
    about = {"record": stem(nearest.name), "allowed": nearest.allowed}
    return about | {"sentence": match_sentence(nearest)}


def status_html() -> str:
    """The same for people, in the panel: what it gains, what was last learnt."""
    try:
        return _status_html()
    except Exception as problem:  # the page is drawn all the same
        return paragraph(f"The loaded checkpoint could not be looked at: {problem}")


def _status_html() -> str:
    from .notes import last_note

    waiting, found = waiting_file(), status_data()
    if waiting is None and found["model"] is None:
        return paragraph(found["text"])
    name = waiting.stem if waiting is not None else found["model"]
    lines = [f"<b>{html.escape(name)}</b>: {html.escape(_gained())}"]
    lines += [html.escape(each) for each in (found.get("advice"), last_note()) if each]
    return "".join(map(paragraph_of_html, lines))


def held_html() -> str:
    """And under Advanced: its records, what is broken in the store, and where they lie."""
    try:
        lines, folder = _held()
    except Exception:  # which the status says
        return ""
    return "".join([*map(paragraph, lines), paragraph_of_html(f"<small>{folder}</small>")])


def _held() -> tuple[list[str], str]:
    from .stores import store

    folder = f"Records lie in {html.escape(str(store().folder))}"
    if waiting_file() is not None:
        return [_listed(name, record) for name, record in waiting_records()], folder
    found = status_data()
    broken = [f"Not usable in the store: {each}" for each in found.get("problems", ())]
    return [*found.get("records", ()), *broken], folder


def best_recipe() -> Any | None:
    """The recipe of ours, in as many steps as are to be learnt, of the record that fits the loaded
    checkpoint best; or None."""
    from ..scheduler.lookup.selection import select
    from ..scheduler.lookup.wanted import Wanted
    from .identity import facts_of
    from .stores import store

    model = shown_model()
    if model is None:
        return _waiting_recipe()
    facts = facts_of(model)
    wanted = Wanted(NAME, int(option("stepdistill_steps", 6)))
    found = select(wanted, facts, facts.key(), None, (store(),))
    ours = found.record is not None and found.recipe.choice.ours and found.measured != SOLVED
    return found.recipe if ours and found.recipe.coefficients is not None else None


def _waiting_recipe() -> Any | None:
    steps = int(option("stepdistill_steps", 6))
    for _, record in waiting_records():
        for each in record.recipes:
            whole = same_start(each.start_sigma, record.model.sigma_max)
            fitted = each.sampler == NAME and each.coefficients is not None and each.choice.ours
            if whole and fitted and each.steps == steps:
                return each
    return None


def use_it() -> str:
    """ "Use it: Distilled, 6 steps", or "" while there is nothing to use."""
    try:
        recipe = best_recipe()
    except Exception:  # of a checkpoint that cannot be looked at: the status says so
        return ""
    return f"Use it: {LABEL}, {recipe.steps} steps" if recipe is not None else ""


def _gained() -> str:
    """What the recipe gains, or what to do to have one."""
    recipe = best_recipe()
    if recipe is not None:
        gained = gain(recipe)
        return f"{LABEL} in {recipe.steps} steps{f' is {gained}' if gained else ''}."
    return "draw a picture or two as you are used to (DPM++ 2M, 20 steps): it is learnt from them."


def _records_of(facts: Any) -> list[str]:
    """Every record of these weights in a line: cfg, size, LoRA, steps, date, and what it gains."""
    from ..scheduler.fingerprint.kinship import SAME
    from ..scheduler.lookup.match import kinship_of
    from .stores import stem, store

    lines, key = [], facts.key()
    own = facts.fingerprint.id if facts.fingerprint else None
    briefs = store().records()
    for brief in briefs:
        if len(briefs) > MOST_READ and brief.fingerprint != own:
            continue
        try:
            record = store().load(brief.file)
        except StepDistillError:
            continue
        if kinship_of(key, Key.of(record)).kind == SAME:
            lines.append(_listed(stem(brief.file), record))
    return lines


def _listed(name: str, record: Record) -> str:
    """A record as the list has it, what it gains, and what was noted of it."""
    from ..scheduler.store.joining import NOTE
    from .record_list import label_of

    parts = [best(record), str(record.provenance.get(NOTE, ""))]
    return f"{label_of(name)}: {'. '.join(each for each in parts if each)}"
