"""What keeps every page's panel as the host is: the page's script asks again and again, and whatever
has changed since is told."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from . import notes
from .host import option
from .job import THE_JOB
from .job_state import DONE
from .names import AUTOMATIC
from .next_picture import GUIDANCE, HIRES, NEEDED, PROMPT, STRENGTH, STYLES, AsSet
from .panel_choices import USUAL, usual
from .settings import frozen, remember
from .under_way import learning_now
from .unloaded import shown_model, waiting_file

JOB = 5  # outputs of the panel that tell of the job
OTHERS = 7  # and those that it does not touch, beside what is remembered
OPTIONAL = (STRENGTH, GUIDANCE, HIRES, PROMPT, STYLES)  # of the page
AT_ONCE: dict[str, Any] = {"queue": False, "show_progress": "hidden"}


def tie(made: Any) -> None:
    """What does not need the page."""
    made.opened.click(opened, [], [made.learn], **AT_ONCE)
    made.learn.change(learning, [made.learn], [], **AT_ONCE)


def tie_page(made: Any, page: dict[str, Any]) -> None:
    """page: its controls by the names that `next_picture` has for them."""
    told = [made.seen, made.newest, made.progress, made.running, made.busy, made.doing, made.stop]
    told += [made.learn, made.status, made.use, made.record, made.plot, made.table, made.held]
    told += [getattr(made, name) for name in USUAL]
    parts = [part for part in (*NEEDED, *OPTIONAL) if part in page]
    panel = [made.seen, made.recipes, made.record, made.learn, made.mask]

    def asked(seen: str, recipes: str, chosen: str, learns: bool, mask: str, *values: Any) -> tuple:
        on_page = dict(zip(parts, values, strict=True))
        return polled(seen, tab_of(on_page, recipes, chosen, bool(learns), bool(mask)), chosen)

    made.poll.click(asked, [*panel, *(page[part] for part in parts)], told, **AT_ONCE)


def tab_of(
    values: dict[str, Any], recipes: str, chosen: str, learns: bool = False, masked: bool = False
) -> AsSet:
    """A tab as its page's controls stand; those that were emptied count as the host's own."""
    from .prompt_loras import loras_in
    from .record_list import name_of

    strength, guidance = (values.get(part) for part in (STRENGTH, GUIDANCE))
    return AsSet(
        str(values.get("sampling") or ""),
        str(values.get("scheduler") or AUTOMATIC),
        max(int(values.get("steps") or 1), 1),
        float(values.get("cfg_scale") or 1.0),
        int(values.get("width") or 512),
        int(values.get("height") or 512),
        None if strength is None else float(strength),
        None if guidance is None else float(guidance),
        name_of(str(chosen or AUTOMATIC)),
        str(recipes or ""),
        learns,
        masked,
        bool(values.get(HIRES)),
        loras_in(str(values.get(PROMPT) or ""), values.get(STYLES) or ()),
    )


def opened() -> Any:
    """The panel was unfolded: from the first time on pictures are learnt from."""
    if not option("stepdistill_opened", False):
        remember(stepdistill_opened=True, stepdistill_learn=True)
    return gr.update(value=frozen() or bool(option("stepdistill_learn", False)))


def learning(on: bool) -> None:
    if bool(option("stepdistill_learn", False)) != bool(on):
        remember(stepdistill_learn=bool(on))


@dataclass(frozen=True)
class Seen:
    """What a page knows already: hashes of the job and of all that the panel shows besides, whether
    pictures are learnt from, and what had been noted of pictures when it was opened."""

    job: str
    others: str
    learn: str
    since: int

    @classmethod
    def read(cls, text: str) -> Seen | None:
        """None of a page that has just been opened."""
        parts = text.split(" ")
        return cls(*parts[:3], int(parts[3])) if len(parts) == 4 else None

    def __str__(self) -> str:
        return f"{self.job} {self.others} {self.learn} {self.since}"


def without_job(text: str) -> str:
    """What a page knows, but for the job, which it is told of again."""
    seen = Seen.read(text)
    return "" if seen is None else str(replace(seen, job="-"))


def polled(text: str, tab: AsSet, chosen: str) -> tuple:
    """(what is known now, the controls that follow it), as far as anything has changed since `text`."""
    seen = Seen.read(text)
    now = _now(tab, notes.changes() if seen is None else seen.since)
    newest = gr.update(visible=bool(tab.recipes))
    if seen == now:
        return (gr.update(), newest, *(gr.update(),) * (JOB + OTHERS + len(USUAL)))
    job = _of_job(seen is None)
    if seen is not None and seen.others == now.others:  # the job alone has gone on
        return (str(now), newest, *job, *(gr.update(),) * (OTHERS + len(USUAL)))
    # All pages and both tabs have one tick; what is not told again is left as it was just set.
    same = seen is not None and seen.learn == now.learn
    learn = gr.update() if same else gr.update(value=now.learn == "True")
    left = (gr.update() if seen else gr.update(value=usual(name)) for name in USUAL)
    return (str(now), newest, *job, learn, *_shown(seen, now, tab, chosen), *left)


def _shown(seen: Seen | None, now: Seen, tab: AsSet, chosen: str) -> tuple:
    """(status, button, list of records, plot, table, records)."""
    from .record_list import listed
    from .status_view import held_html, status_html, use_button

    names = listed()
    record = gr.update(choices=names, value=chosen if chosen in names else names[0])
    use = gr.update(**use_button(tab))
    result = _result(seen, now)
    return status_html(tab, now.since), use, record, *result, held_html()


def _of_job(fresh: bool) -> tuple:
    """(what came of it, how far it is, whether that is seen; both, and a button, beside Distill). fresh:
    for a page that was opened since."""
    from .panel_views import progress_html

    here = THE_JOB.progress
    old = not here.busy and (fresh or THE_JOB.is_past)
    told = "" if old else progress_html(here)
    now, then = (told, "") if here.busy else ("", told)
    seen = gr.update(visible=here.busy)
    return then, now, seen, told, seen


def _result(seen: Seen | None, now: Seen) -> tuple:
    """(plot, table) of a job that has ended since the page last asked."""
    from .panel_views import record_html
    from .plot_view import record_plot

    here = THE_JOB.progress
    if seen is None or seen.job == now.job or here.state != DONE or here.record is None:
        return gr.update(), gr.update()
    return record_plot(here.record), record_html(here.record)


def _now(tab: AsSet, since: int) -> Seen:
    from .stores import store

    here, model = THE_JOB.progress, shown_model()
    job = repr((here.state, here.done, here.planned, here.phase, here.text, THE_JOB.is_past))
    waiting = waiting_file() if model is None else None
    loaded = model.sd_checkpoint_info.filename if model is not None else str(waiting)
    place, learn = store(), bool(option("stepdistill_learn", False))
    others = repr(
        (
            loaded,
            str(place.folder),
            _revision_of(place),
            here.state,
            notes.last_note(),
            learning_now(),
            option("stepdistill_opened", False),
            option("stepdistill_steps", 6),
            learn,
            tab,
        )
    )
    return Seen(_short(job), _short(others), str(learn), since)


def _revision_of(place: Any) -> int:
    from ..scheduler.errors import StepDistillError

    try:
        return place.revision()
    except (OSError, StepDistillError):  # a folder that cannot be read; the status says so
        return 0


def _short(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
