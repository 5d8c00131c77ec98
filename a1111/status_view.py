"""The loaded checkpoint in the panel: what its recipe gains, what was last learnt, and its records."""

from __future__ import annotations

import html
import re
from typing import Any

from ..scheduler.errors import StepDistillError
from ..scheduler.lookup.key import Key
from ..scheduler.lookup.starts import same_start
from ..scheduler.record import Record
from ..scheduler.recordings.checking import LEAST_STEPS as FEWEST
from .gains import gain, gain_of
from .host import option
from .lesson import MOST_STEPS, at, enough_steps
from .names import LABEL, NAME
from .next_picture import AsSet, few_steps, fitted_for_it, told
from .panel_views import best, paragraph, paragraph_of_html
from .provenance import learnt_under
from .settings import frozen
from .under_way import learning_now
from .unloaded import shown_model, waiting_file, waiting_records
from .words import NEAR_HELP, PIXELS, STEPS_HELP, USUAL

NOTHING = "Nothing is learnt for {} yet: draw one picture"
UNCHECKED = "Whether it holds here nobody has checked: draw one as you are used to, and it is."
FROZEN = (
    "The host's settings are frozen: Learn while drawing counts until this page is loaded again."
)
LEARNING = "The last picture is being learnt from; what that gains stands here when it is done."
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


def status_html(tab: AsSet, since: int = -1) -> str:
    """The same for people, in the panel of a tab: what few steps gain, what the next picture would be,
    and what was said of the last. since: what had been noted when the page was opened."""
    try:
        return _status_html(tab, since)
    except Exception as problem:  # the page is drawn all the same
        return paragraph(f"The loaded checkpoint could not be looked at: {problem}")


def _status_html(tab: AsSet, since: int) -> str:
    from .identity import facts_of
    from .notes import changes, last_note

    waiting, model = waiting_file(), shown_model()
    if waiting is None and model is None:
        return paragraph("No checkpoint is loaded yet.")
    lines = []
    if model is not None:
        facts = facts_of(model, tab.loras)
        gained = LEARNING if learning_now() else _gained(tab, model)
        lines.append(f"<b>{html.escape(facts.name)}</b>: {explained(gained)}")
        lines += [html.escape(facts.advice)] if facts.advice else []
        upcoming = "" if learning_now() else told(tab, model)
        lines += [f"Next picture: {explained(upcoming)}"] if upcoming else []
    elif waiting is not None:
        lines.append(f"<b>{html.escape(waiting.stem)}</b>: {explained(_gained_of_file(tab))}")
    last = last_note() if changes() > since else ""
    lines += [f"Last picture: {explained(last)}"] if last else []
    lines += [html.escape(FROZEN)] if frozen() else []
    return "".join(map(paragraph_of_html, lines))


def explained(text: str) -> str:
    """A line of the panel, whose numbers say under the mouse how they are meant."""
    safe = html.escape(text)
    for pattern, help_text in _HELP:
        mark = f"<span title='{html.escape(help_text)}' style='{HELPED}'>\\g<0></span>"
        mark += FULLY if help_text == NEAR_HELP else ""
        safe = pattern.sub(mark, safe, count=1)
    return safe


HELPED = "text-decoration: underline dotted; cursor: help"
_HELP = (
    (re.compile(r"as long as [\d,]+ steps?"), STEPS_HELP),
    (re.compile(r"(as near|nearer) to the full picture"), NEAR_HELP),
)
FULLY = " (very many steps)"  # which the first of these says without a mouse, too


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


def _waiting_recipe(tab: AsSet) -> Any | None:
    """Of a file that is not loaded yet, for a whole run of the tab's size and CFG."""
    steps = int(option("stepdistill_steps", 6))
    size = (tab.height // PIXELS, tab.width // PIXELS)
    for _, record in waiting_records() if tab.strength is None else ():
        under = record.conditions
        if under.cfg != tab.cfg or tuple(under.latent_shape or ())[-2:] != size:
            continue
        for each in record.recipes:
            whole = same_start(each.start_sigma, record.model.sigma_max)
            fitted = each.sampler == NAME and each.coefficients is not None and each.choice.ours
            if whole and fitted and each.steps == steps:
                return each
    return None


def use_button(tab: AsSet) -> dict[str, Any]:
    """The button as it is for a tab: loud where few steps were learnt for just this, quiet where for
    something near or where they are in use, not there where nothing was learnt."""
    if learning_now():
        return {"visible": False}
    try:
        found = _usable(tab)
    except Exception:  # of a checkpoint that cannot be looked at: the status says so
        found = None
    if found is None:
        return {"visible": False}
    steps, whole = found
    button = {"visible": True, "variant": "secondary", "interactive": True}
    what = f"{LABEL}, {steps} steps"
    if tab.in_use and tab.steps == steps:
        return button | {"value": f"In use: {what}", "interactive": False}
    if not whole:
        return button | {"value": f"Try it: {what}"}
    return button | {"value": f"Use it: {what}", "variant": "primary"}


def _usable(tab: AsSet) -> tuple[int, bool] | None:
    """(how many steps there are for a tab, whether they were learnt for just this), or None."""
    model = shown_model()
    if model is None:
        recipe = _waiting_recipe(tab)
        return None if recipe is None else (recipe.steps, True)
    found = few_steps(tab, model)
    asked = int(option("stepdistill_steps", 6))  # of image to image fewer run
    return None if found is None else (asked, fitted_for_it(found) and not tab.masked)


def _gained(tab: AsSet, model: Any) -> str:
    """What few steps gain, or what to do to have them."""
    from .truth import MADE_WHOLE, differences_of

    found = few_steps(tab, model)
    if found is None:
        return nothing_yet(tab)
    asked = int(option("stepdistill_steps", 6))
    few, here = f"{LABEL} in {asked} steps", tab.drawn(model, asked)
    if tab.masked:
        return f"{few} was {MADE_WHOLE}: what it does here nobody has measured."
    if not fitted_for_it(found):
        return f"{few} was {differences_of(found)}. {UNCHECKED}"
    gained, under, where = gain_of(found, here), learnt_under(found, here), at(tab.strength)
    told = f"{few}{where}{f', {under},' if under else ''}"
    return f"{told}{f' is {gained}' if gained else ' holds here' if under else ' is learnt'}."


def _gained_of_file(tab: AsSet) -> str:
    recipe = _waiting_recipe(tab)
    if recipe is None:
        return f"It is loaded with the next picture. {nothing_yet(tab)}"
    gained = gain(recipe)
    return f"{LABEL} in {recipe.steps} steps{f' is {gained}' if gained else ' is learnt'}."


def nothing_yet(tab: AsSet) -> str:
    """That nothing is learnt for a tab as it stands, and how it would be."""
    size = f"{tab.width}x{tab.height} at CFG {tab.cfg:g}"
    where = f"{size}{'' if tab.strength is None else f', denoising {tab.strength:g}'}"
    steps, whole = _teaching(tab), " without a mask" if tab.masked else ""
    if steps == USUAL:
        return f"{NOTHING.format(where)} as you are used to{whole} (DPM++ 2M, {steps} steps)."
    why = f"of which {FEWEST} run at denoising {tab.strength:g}"
    return f"{NOTHING.format(where)}{whole} with DPM++ 2M in {steps} steps, {why}."


def _teaching(tab: AsSet) -> int:
    """Steps of a picture that teaches a tab; of image to image fewer run."""
    model = shown_model()
    if model is None or tab.strength is None:
        return USUAL
    return enough_steps(tab.drawn(model), USUAL) or MOST_STEPS


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
