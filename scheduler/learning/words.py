"""What is said of a picture before and after it is drawn: one sentence, in one place for every host."""

from __future__ import annotations

from collections.abc import Callable

from ..counted import counted, model_calls
from ..kin import words as kin_words
from ..kin.judging import HOLDS
from ..lookup import made_words
from ..lookup import words as lookup_words
from ..lookup.match import NEAREST
from ..lookup.selection import Selection
from ..record.verdict import SEEN, steps_saved
from ..record.verdict_words import share_words
from ..record.words import NO_LABELS, Labels, duration
from . import deciding
from .choosing import ENOUGH_TIMES, gained, times_fitted
from .deciding import Obstacle
from .fitting import Learnt
from .full_run import MOST_LEARNT
from .outcome import Announcement, Outcome
from .recipe_name import recipe_name

STEPS_NOT_KNOWN = (
    "How many steps this model needs is known once it is learnt; ask for a number, or learn it."
)

STOPPED = "Learning was stopped."
STOPPED_KEPT = "Learning was stopped; its run is kept, and the next picture of this prompt goes on."
AT_HAND = (
    "before its learning was stopped: this is that picture, not drawn again. With another seed "
    "this model is learnt first, from what was drawn."
)


def before(told: Announcement, seconds: float | None = None) -> str:
    """What is about to happen. seconds: how long the calls to learn take, where that is known."""
    time = f", about {duration(seconds)}" if seconds is not None else ""
    learning = f"at most {model_calls(told.calls)}{time}"
    if told.kin:
        named = kin_words.whose(told.kin, told.kin_own)
        learning = f"{learning} ({told.kin_calls} if {named} holds)"
    action, steps = told.decision.action, counted(told.steps)
    if told.improving:
        return f"First the recipe is improved, {learning}; then the picture, {steps}."
    if action == deciding.LEARN_FIRST:
        return f"A recipe for {steps} is learnt first, {learning}; then the picture is drawn."
    if action == deciding.IN_FULL and told.decision.learns:
        what = _to_learn(told.kin_own, told.news)
        return f"Drawing in full, {steps}, {what}: {learning} after the picture."
    return f"Drawing {steps}{_with_recipe(told.found)}."


def meanwhile(told: Announcement, seconds: float | None = None) -> str:
    """What is going on while it is learnt. seconds: as of `before`."""
    if told.improving or told.decision.action != deciding.IN_FULL:
        return before(told, seconds)
    time = f", about {duration(seconds)}" if seconds is not None else ""
    calls = f"at most {model_calls(told.calls)}{time}"
    return f"The picture is drawn; now it is learnt from: {calls}. Interrupt keeps the picture."


def ahead(told: Announcement, seconds: float | None = None) -> str:
    """What the next picture will be, while nothing runs. seconds: as of `before`."""
    action, steps = told.decision.action, counted(told.steps)
    price = f"at most {model_calls(told.calls)}"
    if told.kin:
        price = f"{price} ({told.kin_calls} if {kin_words.whose(told.kin, told.kin_own)} holds)"
    price += f", about {duration(seconds)}" if seconds is not None else ""
    if action == deciding.LEARN_FIRST:
        return f"Next picture: {steps}, learnt first: {price}."
    if action == deciding.IN_FULL and told.decision.learns:
        what, cfg = _to_learn(told.kin_own, told.news), told.situation.key.cfg
        new = told.kin_own is None and not told.news and cfg is not None
        here = f" at cfg {cfg:g}" if new else ""
        return f"Next picture: drawn in full, {steps}, {what}{here}: {price}."
    if action == deciding.IN_FULL:
        return f"Next picture: drawn in full, {steps}."
    return f"Next picture: {steps}."


def after(outcome: Outcome, labels: Labels = NO_LABELS) -> str:
    """What happened, what comes next, and what the picture was drawn with."""
    action = outcome.decision.action
    if action == deciding.IN_FULL:
        return _in_full(outcome)
    if action == deciding.AT_HAND:
        return f"Drawn in full, {counted(outcome.steps)}, {AT_HAND}"
    parts = [_learnt(outcome), _drawn(outcome, labels)]
    obstacle = outcome.decision.obstacle
    if obstacle is not None and obstacle.code in _NOT_LEARNT:
        parts.append(not_learnt(obstacle))
    return " ".join(part for part in parts if part)


def brought(outcome: Outcome) -> str:
    """What became of learning or improving before the picture, or "" where there was none."""
    return _learnt(outcome) if outcome.improved or outcome.learnt is None else ""


def not_learnt(obstacle: Obstacle) -> str:
    """Why nothing is learnt, as a sentence."""
    return _NOT_LEARNT[obstacle.code](obstacle)


def _in_full(outcome: Outcome) -> str:
    recipe, own = outcome.found.recipe, bool(outcome.situation.own_sigmas)
    whose = "in its maker's" if own else "in full,"
    drawn = f"Drawn {whose} {counted(outcome.steps)}"
    with_what = f" ({recipe.sampler})" if own else f" ({recipe.sampler} with {recipe.choice})"
    obstacle, learnt = outcome.decision.obstacle, outcome.learnt
    if obstacle is not None:
        why = not_learnt(obstacle) if obstacle.code in _NOT_LEARNT else STEPS_NOT_KNOWN
        return f"{drawn}{with_what}. {why}"
    if learnt is None:
        if outcome.stopped:
            return f"{drawn}{with_what}. {_stopped(outcome)}"
        kept = "Its run is kept, and is learnt from with the next picture" if outcome.kept else ""
        problem = outcome.problem or "Nothing could be learnt from it."
        return " ".join(p for p in (f"{drawn}{with_what}.", problem, kept and f"{kept}.") if p)
    few = counted(learnt.recipe.steps)
    told = f"{drawn}, {_to_learn(learnt.kin_own, outcome.news)}.{_kin(learnt)}"
    if learnt.ours:
        told = f"{told} From the next picture on: {few}{_pays_back(learnt)}."
    elif outcome.decision.learns and not _enough(outcome):
        told = f"{told} One picture was not enough for {few}: the next is drawn in full too."
    elif own:
        told = f"{told} Nothing is gained at {few}: take its maker's."
    else:
        told = f"{told} Nothing is gained at {few} here: take more steps, or improve the recipe."
    return f"{told} {_not_kept(learnt.problem)}".strip()


def _stopped(outcome: Outcome) -> str:
    if outcome.ready:
        return f"{STOPPED} From the next picture on: {counted(outcome.ready)}."
    return STOPPED_KEPT if outcome.kept else STOPPED


def _enough(outcome: Outcome) -> bool:
    learnt = outcome.learnt
    assert learnt is not None
    if outcome.situation.own_sigmas:
        return True
    return times_fitted(learnt.record, learnt.recipe) >= ENOUGH_TIMES


def _learnt(outcome: Outcome) -> str:
    """What was learnt before the picture was drawn."""
    learnt = outcome.learnt
    if learnt is None:
        return outcome.problem
    calls, few = model_calls(learnt.calls), counted(learnt.recipe.steps)
    if outcome.improved:
        better = f"{calls} went into a better recipe{_gained(outcome)}."
        told = better if learnt.changed else f"The recipe stays: {calls} found no better one."
        return f"{told} {_not_kept(learnt.problem)}".strip()
    if not learnt.ours:
        return f"{calls} were not enough for {few} of this model: drawn in full.{_kin(learnt)}"
    what = _to_learn(learnt.kin_own, outcome.news).removeprefix("to learn ")
    told = f"Learnt {what} with {calls}{_pays_back(learnt)}.{_kin(learnt)}"
    return f"{told} {_not_kept(learnt.problem)}".strip()


def _gained(outcome: Outcome) -> str:
    """What improving brought, by the shares that both recipes state; "" where one states none, or was
    measured on other pictures than those it was fitted to and the other was not."""
    assert outcome.before is not None and outcome.learnt is not None
    both = outcome.before.evidence, outcome.learnt.recipe.evidence
    was, now = (each.get("ratio") for each in both)
    if was is None or now is None or now >= was:
        return ""
    if len({each.get("verdict") == SEEN for each in both}) > 1:
        return ""
    return f": {share_words(now)} of the best stock choice's error, {share_words(was)} before"


def _drawn(outcome: Outcome, labels: Labels) -> str:
    """Which recipe drew the picture."""
    found = outcome.found
    steps = counted(outcome.steps)
    if found.match is None:
        return lookup_words.info(found, labels)
    name = f"recipe {recipe_name(found.recipe)}"
    if found.match.kind == NEAREST:  # made under other conditions: what it does here is not known
        named = f"{steps}, {made_words.differs(found.match)}; {name}"
    else:
        named = f"{steps}{_in_place_of(found)}, {name}"
    poor = found.recipe.choice.stock and gained(found)
    note = " Nothing is gained by these few here: take more steps." if poor else ""
    return f"{named}. {lookup_words.info(found, labels)}{_of_source(found)}{note}"


def _of_source(found: Selection) -> str:
    """Whose recipe a record began with, where that was somebody else's, as a sentence after another."""
    told = found.record.provenance.get("kin", ()) if found.record is not None else ()
    held = [each for each in told if each["verdict"] == HOLDS and each.get("source")]
    mine = [each for each in held if each.get("steps") == found.recipe.steps]
    if not mine:
        return ""
    return f" It began with a recipe of {mine[-1]['source']}, which held when it was checked here."


def _with_recipe(found: Selection | None) -> str:
    """Which recipe is about to draw, and the record's model and cfg; "" for a stock schedule."""
    if found is None or found.match is None:
        return ""
    match, cfg = found.match, found.match.made_at(found.recipe)
    made = match.title if cfg is None else f"{match.title}, cfg {cfg:g}"
    if match.asked is not None and match.at_other_cfg(found.recipe):
        made = f"{match.title}, made at cfg {cfg:g} (you use {match.asked.cfg:g})"
    return f" with recipe {recipe_name(found.recipe)} of {made}"


def _kin(learnt: Learnt) -> str:
    """What became of a related model's recipe, as a sentence after another; "" where there was none."""
    if learnt.kin is None:
        return ""
    if learnt.kin.ratio is None:
        return f" {kin_words.left_out(learnt.kin_title, learnt.kin.stranger)}"
    return f" {kin_words.used(learnt.kin.code, learnt.kin_title, learnt.kin.ratio, learnt.kin_own)}"


def _in_place_of(found: Selection) -> str:
    """How many stock steps a recipe of ours does the work of, where the record knows it of this cfg."""
    recipe = found.recipe
    if found.match is not None and found.match.at_other_cfg(recipe):
        return ""
    saved = steps_saved(recipe.evidence) if recipe.choice.ours else None
    if saved is None or saved[0] <= recipe.steps:
        return ""
    return f" in place of {'more than' if saved[1] else 'about'} {saved[0]}"


def _to_learn(own: tuple[str, str] | None, news: str) -> str:
    """own: of a model that is learnt elsewhere already, where and what runs (kin/words.py). news: of one that
    is known under these conditions."""
    if own is not None:
        return f"to learn it at {own[1]}"
    return f"to learn it {news}" if news else "to learn this model"


def _pays_back(learnt: Learnt) -> str:
    """After how many pictures, as what follows a clause; beside runs in full, for nobody knows others."""
    count = learnt.pays_after
    if not count:
        return ""
    pictures = "1 picture" if count == 1 else f"{count} pictures"
    each = "" if count == 1 else " each"
    return f"; pays back after {pictures}, beside {counted(learnt.full_steps)}{each}"


def _not_kept(problem: str) -> str:
    return f"It could not be kept: {problem}" if problem else ""


_NOT_LEARNT: dict[str, Callable[[Obstacle], str]] = {
    deciding.STEP_DISTILLED: lambda o: o.detail,
    deciding.OWN_STEPS: lambda o: o.detail,
    deciding.MANY_STEPS: lambda o: (
        f"Above {MOST_LEARNT} steps too little is gained to be learnt; ask for fewer, 6 for instance."
    ),
    deciding.HARDLY_DRAWN: lambda o: (
        "At so low a denoise hardly anything is drawn, so there is nothing to learn; take a higher one."
    ),
    deciding.UNKNOWN_MODEL: lambda o: (
        "This model cannot be told from others, so nothing is learnt of it."
    ),
    deciding.MASK: lambda o: (
        "Nothing is learnt from a picture with a mask; draw one without, of the same size and cfg, and "
        "this one takes few steps too."
    ),
    deciding.HOOKS: lambda o: (
        "The prompt carries hooks that change the model while it draws, so nothing is learnt from it; "
        "draw one picture without."
    ),
    deciding.UNSUITED: lambda o: f"Nothing is learnt: {o.detail[:1].lower()}{o.detail[1:]}",
    deciding.UNWRITABLE: lambda o: f"Nothing can be learnt, for it could not be kept: {o.detail}",
    deciding.AS_BEFORE: lambda o: (
        o.detail or "So it was drawn before; with another seed it takes few steps."
    ),
}
