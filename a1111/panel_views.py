"""What the panel shows, as HTML and pictures: the loaded checkpoint, a record's evidence, a job's
progress."""

from __future__ import annotations

import html
from typing import Any

from ..scheduler.errors import StepDistillError
from ..scheduler.lookup.key import Key
from ..scheduler.lookup.selection import SOLVED
from ..scheduler.lookup.starts import same_start
from ..scheduler.record import Record
from ..scheduler.record.choice import Choice
from ..scheduler.record.evidence_table import stock_error, verdict_word
from ..scheduler.record.words import contents, duration, patch_words, sampler_label, size
from .gains import gain, setting
from .host import option, sampler_labels
from .names import LABEL, NAME
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
    """The same for people: what is there, what it gains, what was last learnt."""
    try:
        return _status_html()
    except Exception as problem:  # the page is drawn all the same
        return _paragraph(f"The loaded checkpoint could not be looked at: {problem}")


def _status_html() -> str:
    from .notes import last_note

    found = status_data()
    if found["model"] is None:
        return _waiting_html() or _paragraph(found["text"])
    lines = [f"<b>{html.escape(found['model'])}</b>: {html.escape(_gained())}"]
    lines += [html.escape(entry) for entry in found["records"]]
    lines += [html.escape(found["advice"])] if found["advice"] else []
    lines += [f"Not usable in the store: {html.escape(problem)}" for problem in found["problems"]]
    lines += [html.escape(last_note())] if last_note() else []
    lines.append(f"<small>Records lie in {html.escape(found['folder'])}</small>")
    return "".join(map(_paragraph_of_html, lines))


def _waiting_html() -> str:
    """What the store has for a checkpoint that is loaded with the first picture."""
    path = waiting_file()
    if path is None:
        return ""
    lines = [f"<b>{html.escape(path.stem)}</b>: {html.escape(_gained())}"]
    lines += [html.escape(_listed(name, record)) for name, record in waiting_records()]
    return "".join(map(_paragraph_of_html, lines))


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


def progress_html(progress: Any) -> str:
    """A bar, the phase, the time left."""
    from .job_state import RUNNING, phase_words

    if progress.state != RUNNING or not progress.planned:
        return _paragraph(progress.text)
    share = 100 * progress.done / progress.planned
    left = (
        ""
        if progress.seconds_left is None
        else f", about {duration(progress.seconds_left)} left at most"
    )
    phase = html.escape(phase_words(progress.phase))
    inner = (
        f"<div style='width:{share:.1f}%;background:#e8590c;height:8px;border-radius:4px'></div>"
    )
    words = f"{phase}: {progress.done} of {progress.planned} model calls{left}"
    return (
        f"<div style='background:#8884;border-radius:4px'>{inner}</div>{_paragraph_of_html(words)}"
    )


def record_html(record: Record) -> str:
    """What a record is for, and a table of its measured recipes that this host can run: stock
    samplers' without offsets."""
    usable = [
        recipe for recipe in record.recipes if recipe.offsets is None or recipe.sampler == NAME
    ]
    rows = [_row(recipe) for recipe in usable if "rms" in recipe.evidence]
    return _paragraph_of_html(html.escape(_about(record))) + (_table(rows) if rows else "")


def _table(rows: list[tuple]) -> str:
    head = ("sampler", "steps", "error", "best stock choice there", "equals stock's", "verdict")
    cells = "".join(f"<th style='text-align:left;padding:2px 8px'>{name}</th>" for name in head)
    lines = (
        "".join(f"<td style='padding:2px 8px'>{html.escape(str(cell))}</td>" for cell in row)
        for row in rows
    )
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"


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

    parts = [_best(record), str(record.provenance.get(NOTE, ""))]
    return f"{label_of(name)}: {'. '.join(each for each in parts if each)}"


def _about(record: Record) -> str:
    under = record.conditions
    parts = [
        f"CFG {under.cfg:g}" if under.cfg is not None else "",
        size(under.latent_shape) if under.latent_shape else "",
        ", ".join(patch_words(record)),
        contents(record, sampler_labels()),
        str(record.provenance.get("created", ""))[:10],
        _best(record),
    ]
    return ", ".join(part for part in parts if part)


def _best(record: Record) -> str:
    """What the recipes of a record gain at most, or that nothing is gained or known."""
    gained = [(_saved(each), each) for each in record.recipes if gain(each)]
    if gained:
        most = max(gained, key=lambda pair: pair[0])[1]
        return f"{most.steps} steps are {gain(most)}"
    won = [each for each in record.recipes if each.choice.stock]
    return "stock is as good" if won else "not measured"


def _saved(recipe: Any) -> float:
    found = recipe.evidence
    return (found.get("equals_stock_steps") or 0) / recipe.steps


def _row(recipe: Any) -> tuple:
    found, labels = recipe.evidence, sampler_labels()
    best, equal = found.get("best_stock"), found.get("equals_stock_steps")
    beside = f"{_number(stock_error(found))} ({_rival(best, recipe.sampler)})" if best else "-"
    return (
        sampler_label(recipe.sampler, labels),
        recipe.steps,
        _number(found.get("rms")),
        beside,
        f"{equal} steps" if equal else "-",
        verdict_word(recipe, labels),
    )


def _rival(best: str, sampler: str) -> str:
    """The best stock choice as the host's lists call it."""
    choice = Choice.read(best)
    return setting(choice.schedule, choice.sampler or ("dpmpp_2m" if sampler == NAME else sampler))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _paragraph(text: str) -> str:
    return _paragraph_of_html(html.escape(text).replace("\n", "<br>"))


def _paragraph_of_html(text: str) -> str:
    return f"<p style='margin:4px 0'>{text}</p>" if text else ""
