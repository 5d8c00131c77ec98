"""The panel under the picture's settings: learning while drawing and one button for daily use; what is
known of the loaded checkpoint, its records and distilling on purpose under Advanced."""

from __future__ import annotations

import gradio as gr
from modules import scripts

from . import infotext, notes, panel_actions
from .host import option
from .job import THE_JOB
from .names import AUTOMATIC, HIDDEN_CLASS, ROW_CLASS, TITLE
from .record_actions import REMOVE
from .record_list import listed, name_of
from .source_list import sources_html

LEARN_HELP = "Opening this turns it on the first time: pictures drawn in full are then learnt from."


class StepDistillScript(scripts.Script):
    """Always there, in an accordion."""

    def title(self) -> str:
        return TITLE

    def show(self, is_img2img: bool):
        return scripts.AlwaysVisible

    def ui(self, is_img2img: bool):
        """The controls; those that need the page's own prompt and sizes are tied to them once these
        are there (panel_actions)."""
        made = Controls(self, "img2img" if is_img2img else "txt2img")
        self.infotext_fields = [
            (made.record, infotext.record_of),
            (made.recipes, infotext.recipes_of),
        ]
        self.paste_field_names = []
        return [made.record, made.learn, made.recipes]

    def after_component(self, component, **others) -> None:
        """Of the whole page: some of them are what Distill asks, and what Use it sets."""
        panel_actions.after(component)

    def process(self, p, record=AUTOMATIC, learn=False, recipes="", *others) -> None:
        """Note the choices for this picture; an axis that has spoken goes first."""
        notes.begin(p)
        THE_JOB.picture_begins()
        # Of this picture alone; others copy their processing.
        p.stepdistill_lessons, p.stepdistill_begun = [], []
        axis = getattr(p, "stepdistill_axis", None)
        p.stepdistill_record = axis or name_of(record or AUTOMATIC)
        p.stepdistill_learn = bool(learn)
        p.stepdistill_recipes = "" if axis else str(recipes or "")

    def postprocess_batch(self, p, *others, **named) -> None:
        """Before the pictures' parameters are written: samplers that take no schedule are told of, and
        those whose pictures cannot be learnt from."""
        infotext.unused(p)
        infotext.unheard(p)

    def postprocess(self, p, processed, *others) -> None:
        """The pictures are there and saved: now they are learnt from."""
        from .after_picture import learn_from

        notes.finished(p)
        learn_from(p, processed)


def _row() -> gr.Row:
    """Controls side by side, as the page's script lays them out."""
    return gr.Row(elem_classes=[ROW_CLASS])


class Controls:
    """What the accordion holds."""

    def __init__(self, script: StepDistillScript, tab: str):
        self.tab, self._id = tab, lambda name: script.elem_id(f"stepdistill_{name}")
        self._running()
        with gr.Accordion(TITLE, open=False, elem_id=self._id("panel")):
            self._use()
            with gr.Accordion("Advanced", open=False, elem_id=self._id("advanced")):
                self._records()
                self._result()
                self._ask()
            self._unseen()
        for control in vars(self).values():  # what they were left at, we keep ourselves
            if hasattr(control, "elem_id"):
                control.do_not_save_to_config = True
        panel_actions.tie(self)

    def _running(self) -> None:
        """A job, seen and stopped though the panel is folded."""
        with gr.Row(visible=False, elem_id=self._id("busy"), elem_classes=[ROW_CLASS]) as self.busy:
            self.running = gr.HTML("", elem_id=self._id("running"))
            self.interrupt = gr.Button(
                "Interrupt", scale=0, min_width=120, elem_id=self._id("interrupt")
            )

    def _use(self) -> None:
        self.status = gr.HTML("", elem_id=self._id("status"))
        with _row():
            self.use = gr.Button(
                "Use it", variant="primary", visible=False, elem_id=self._id("use")
            )
            self.newest = gr.Button(
                "Draw with the newest recipe again", visible=False, elem_id=self._id("newest")
            )
        self.learn = gr.Checkbox(
            bool(option("stepdistill_learn", False)),
            label="Learn while drawing",
            info=LEARN_HELP,
            elem_id=self._id("learn"),
        )
        self.progress = gr.HTML("", elem_id=self._id("progress"))

    def _records(self) -> None:
        """What is learnt: to look at, to draw with, to keep."""
        gr.HTML("<b>Records of this checkpoint</b>")
        self.held = gr.HTML("", elem_id=self._id("held"))
        with _row():
            self.record = gr.Dropdown(
                label="Draw with the record",
                choices=listed(),
                value=AUTOMATIC,
                scale=6,
                elem_id=self._id("record"),
            )
            self.show = gr.Button("Show", scale=1, min_width=80, elem_id=self._id("show"))
            self.export = gr.Button("Export", scale=1, min_width=80, elem_id=self._id("export"))
            self.remove = gr.Button(REMOVE, scale=1, min_width=80, elem_id=self._id("remove"))
        with _row():
            self.name = gr.Textbox(
                label="New name of that record, or a note",
                max_lines=1,
                scale=6,
                elem_id=self._id("name"),
            )
            self.rename = gr.Button("Rename", scale=1, min_width=80, elem_id=self._id("rename"))
            self.note = gr.Button("Keep note", scale=1, min_width=110, elem_id=self._id("note"))
        with _row():
            self.take = gr.UploadButton(
                "Import records",
                file_types=[".json"],
                file_count="multiple",
                elem_id=self._id("import"),
            )
            self.folder = gr.Button("Open folder", elem_id=self._id("folder"))

    def _result(self) -> None:
        self.told = gr.HTML("", elem_id=self._id("told"))
        self.plot = gr.HTML("", elem_id=self._id("plot"))
        self.table = gr.HTML("", elem_id=self._id("table"))
        self.exported = gr.File(
            label="Exported record", interactive=False, visible=False, elem_id=self._id("exported")
        )
        self.sources = gr.HTML(sources_html, elem_id=self._id("sources"))

    def _ask(self) -> None:
        """Distilling on purpose."""
        from .job_state import QUALITY
        from .panel_choices import sampler_choices, usual

        gr.HTML(
            "<hr style='margin: 8px 0'><b>Distil on purpose</b>, for several samplers, step counts or prompts"
        )
        self.quality = gr.Radio(
            list(QUALITY), value=usual("quality"), label="Quality", elem_id=self._id("quality")
        )
        self.samplers = gr.Dropdown(
            sampler_choices(),
            value=usual("samplers"),
            multiselect=True,
            label="Samplers to distil for",
            elem_id=self._id("samplers"),
        )
        with _row():
            self.least = gr.Slider(
                1, 50, usual("least"), step=1, label="Fewest steps", elem_id=self._id("least")
            )
            self.most = gr.Slider(
                1, 50, usual("most"), step=1, label="Most steps", elem_id=self._id("most")
            )
            self.rows = gr.Slider(
                1, 8, usual("rows"), step=1, label="Batch size", elem_id=self._id("rows")
            )
        self.prompts = gr.Textbox(
            label="Prompts to distil on, one a line (empty: the prompt above)",
            lines=2,
            value="",
            elem_id=self._id("prompts"),
        )
        with _row():
            self.cfg = gr.Number(0, label="CFG scale (0: as above)", elem_id=self._id("cfg"))
            self.width = gr.Number(
                0, label="Width (0: as above)", precision=0, elem_id=self._id("width")
            )
            self.height = gr.Number(
                0, label="Height (0: as above)", precision=0, elem_id=self._id("height")
            )
        with _row():
            self.measure = gr.Checkbox(
                usual("measure"), label="Measure the recipes too", elem_id=self._id("measure")
            )
            self.again = gr.Checkbox(
                False, label="Distil again though the store has it", elem_id=self._id("again")
            )
        self.price = gr.HTML(panel_actions.price_as_left, elem_id=self._id("price"))
        self.distil = gr.Button("Distill", elem_id=self._id("distill"))
        self.doing = gr.HTML("", elem_id=self._id("doing"))
        self.stop = gr.Button("Interrupt", visible=False, elem_id=self._id("stop"))

    def _unseen(self) -> None:
        """What the page's script presses: it hears of other pages and of the checkpoint so."""
        with gr.Row(elem_classes=[HIDDEN_CLASS]):
            self.recipes = gr.Textbox("", show_label=False, elem_id=self._id("recipes"))
            self.seen = gr.Textbox("", show_label=False, elem_id=self._id("seen"))
            self.mask = gr.Textbox("", show_label=False, elem_id=self._id("mask"))
            self.sure = gr.Textbox("", show_label=False, elem_id=self._id("sure"))
            self.poll = gr.Button("", elem_id=self._id("poll"))
            self.opened = gr.Button("", elem_id=self._id("opened"))
