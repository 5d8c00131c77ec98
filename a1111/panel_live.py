"""What keeps every page's panel as the host is: the page's script asks again and again, and whatever
has changed since is told."""

from __future__ import annotations

import hashlib
from typing import Any

import gradio as gr

from .host import option
from .job import THE_JOB
from .job_state import DONE
from .names import AUTOMATIC
from .next_picture import GUIDANCE, NEEDED, STRENGTH, AsSet
from .notes import last_note
from .panel_choices import USUAL, usual
from .settings import remember
from .under_way import learning_now
from .unloaded import shown_model, waiting_file

OTHERS = 5  # outputs of the panel that the job does not touch, beside those that are remembered
OPTIONAL = (STRENGTH, GUIDANCE)  # of the page
AT_ONCE: dict[str, Any] = {"queue": False, "show_progress": "hidden"}


def tie(made: Any) -> None:
    """What does not need the page."""
    made.opened.click(opened, [], [made.learn], **AT_ONCE)
    made.learn.change(learning, [made.learn], [], **AT_ONCE)


def tie_page(made: Any, page: dict[str, Any]) -> None:
    """page: its controls by the names that `next_picture` has for them."""
    told = [made.seen, made.status, made.progress, made.running, made.busy, made.use, made.newest]
    told += [made.record, made.learn, made.plot, made.table, made.held]
    told += [getattr(made, name) for name in USUAL]
    parts = [part for part in (*NEEDED, *OPTIONAL) if part in page]
    inputs = [made.seen, made.recipes, made.record, *(page[part] for part in parts)]

    def asked(seen: str, recipes: str, chosen: str, *values: Any) -> tuple:
        return polled(seen, recipes, chosen, dict(zip(parts, values, strict=True)))

    made.poll.click(asked, inputs, told, **AT_ONCE)


def tab_of(values: dict[str, Any], recipes: str, chosen: str) -> AsSet:
    """A tab as its page's controls stand; those that were emptied count as the host's own."""
    from .record_list import name_of

    strength, guidance = (values.get(part) for part in OPTIONAL)
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
    )


def opened() -> Any:
    """The panel was unfolded: from the first time on pictures are learnt from."""
    if option("stepdistill_opened", False):
        return gr.update()
    remember(stepdistill_opened=True, stepdistill_learn=True)
    return gr.update(value=True)


def learning(on: bool) -> None:
    if bool(option("stepdistill_learn", False)) != bool(on):
        remember(stepdistill_learn=bool(on))


def polled(seen: str, recipes: str, chosen: str, page: dict[str, Any]) -> tuple:
    """(what is known now, status, progress, and the controls that follow them), as far as anything
    has changed since `seen`."""
    tab = tab_of(page, recipes, chosen)
    now = _revision(tab)
    job, newest = now.split(" ")[0], gr.update(visible=bool(recipes))
    if seen == now:
        return (*(gr.update(),) * 6, newest, *(gr.update(),) * (OTHERS + len(USUAL)))
    if seen and seen.split(" ")[1] == now.split(" ")[1]:  # the job alone has gone on
        rest = (gr.update(),) * (OTHERS + len(USUAL))
        return (now, gr.update(), *_of_job(), gr.update(), newest, *rest)
    from .record_list import listed
    from .status_view import held_html, status_html, use_button

    names = listed()
    record = gr.update(choices=names, value=chosen if chosen in names else names[0])
    plot, table = _result(seen, job)
    use = gr.update(**use_button(tab))
    learn = gr.update() if seen else gr.update(value=bool(option("stepdistill_learn", False)))
    left = (gr.update() if seen else gr.update(value=usual(name)) for name in USUAL)
    return (
        now,
        status_html(tab),
        *_of_job(),
        use,
        newest,
        record,
        learn,
        plot,
        table,
        held_html(),
        *left,
    )


def _of_job() -> tuple:
    """(what came of it, how far it is, whether that is seen)."""
    from .panel_views import progress_html

    here = THE_JOB.progress
    told = progress_html(here)
    now, then = (told, "") if here.busy else ("", told)
    return then, now, gr.update(visible=here.busy)


def _result(seen: str, job: str) -> tuple:
    """(plot, table) of a job that has ended since the page last asked."""
    from .panel_views import record_html
    from .plot_view import record_plot

    here = THE_JOB.progress
    if not seen or seen.split(" ")[0] == job or here.state != DONE or here.record is None:
        return gr.update(), gr.update()
    return record_plot(here.record), record_html(here.record)


def _revision(tab: AsSet) -> str:
    """Two hashes: of the job, and of all else that the panel shows."""
    from .stores import store

    here, model = THE_JOB.progress, shown_model()
    job = repr((here.state, here.done, here.planned, here.phase, here.text))
    waiting = waiting_file() if model is None else None
    loaded = model.sd_checkpoint_info.filename if model is not None else str(waiting)
    place = store()
    others = repr(
        (
            loaded,
            str(place.folder),
            _revision_of(place),
            here.state,
            last_note(),
            learning_now(),
            option("stepdistill_opened", False),
            option("stepdistill_steps", 6),
            option("stepdistill_learn", False),
            tab,
        )
    )
    return f"{_short(job)} {_short(others)}"


def _revision_of(place: Any) -> int:
    from ..scheduler.errors import StepDistillError

    try:
        return place.revision()
    except (OSError, StepDistillError):  # a folder that cannot be read; the status says so
        return 0


def _short(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
