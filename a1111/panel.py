"""The panel under the picture's settings: the record to use, what is known of the loaded
checkpoint, and distilling."""

from __future__ import annotations

import gradio as gr
from modules import scripts

from . import infotext, panel_actions
from .names import AUTOMATIC, LABEL, TITLE


class StepDistillScript(scripts.Script):
    """Always there, in an accordion; the only control that travels with a picture is the record."""

    def title(self) -> str:
        return TITLE

    def show(self, is_img2img: bool):
        return scripts.AlwaysVisible

    def ui(self, is_img2img: bool):
        """The controls; those that need the page's own prompt and sizes are tied to them once these
        are there (panel_work)."""
        made = Controls(self, "img2img" if is_img2img else "txt2img")
        self.infotext_fields = [(made.record, infotext.record_of)]
        self.paste_field_names = []
        return [made.record]

    def after_component(self, component, **others) -> None:
        """Of the whole page: some of them are what Distill asks."""
        panel_actions.after(component)

    def process(self, p, record: str = AUTOMATIC, *others) -> None:
        """Note the choice for this picture; an axis that has spoken goes first."""
        p.stepdistill_record = getattr(p, "stepdistill_axis", None) or record or AUTOMATIC

    def postprocess_batch(self, p, *others, **named) -> None:
        """Before the pictures' parameters are written: samplers that take no schedule are told of."""
        infotext.unused(p)


class Controls:
    """What the accordion holds."""

    def __init__(self, script: StepDistillScript, tab: str):
        self.tab, self._id = tab, lambda name: script.elem_id(f"stepdistill_{name}")
        with gr.Accordion(TITLE, open=False, elem_id=self._id("panel")):
            self._use()
            self._ask()
            self._result()
        panel_actions.tie(self)

    def _use(self) -> None:
        with gr.Row():
            self.record = gr.Dropdown(
                label=f"Record for the schedule type and the sampler '{LABEL}'",
                choices=panel_actions.listed(),
                value=AUTOMATIC,
                scale=6,
                elem_id=self._id("record"),
            )
            self.refresh = gr.Button("Refresh", scale=1, min_width=80, elem_id=self._id("refresh"))
        self.status = gr.HTML(panel_actions.status, elem_id=self._id("status"))

    def _ask(self) -> None:
        from .host import distillable
        from .job import QUALITY, Wish

        with gr.Row():
            self.quality = gr.Radio(
                list(QUALITY), value="instant", label="Quality", elem_id=self._id("quality")
            )
            self.samplers = gr.CheckboxGroup(
                distillable(),
                value=list(Wish.samplers),
                label="Samplers to distil for",
                elem_id=self._id("samplers"),
            )
        with gr.Row():
            self.least = gr.Slider(
                1, 50, 4, step=1, label="Fewest steps", elem_id=self._id("least")
            )
            self.most = gr.Slider(1, 50, 12, step=1, label="Most steps", elem_id=self._id("most"))
            self.rows = gr.Slider(1, 8, 1, step=1, label="Batch size", elem_id=self._id("rows"))
        self.prompts = gr.Textbox(
            label="Prompts to distil on, one a line (empty: the prompt above)",
            lines=2,
            value="",
            elem_id=self._id("prompts"),
        )
        with gr.Row():
            self.cfg = gr.Number(0, label="CFG scale (0: as above)", elem_id=self._id("cfg"))
            self.width = gr.Number(
                0, label="Width (0: as above)", precision=0, elem_id=self._id("width")
            )
            self.height = gr.Number(
                0, label="Height (0: as above)", precision=0, elem_id=self._id("height")
            )
            self.again = gr.Checkbox(
                False, label="Distil again though the store has it", elem_id=self._id("again")
            )
        with gr.Row():
            self.distil = gr.Button("Distill", variant="primary", elem_id=self._id("distill"))
            self.interrupt = gr.Button("Interrupt", elem_id=self._id("interrupt"))

    def _result(self) -> None:
        self.progress = gr.HTML("", elem_id=self._id("progress"))
        self.plot = gr.Image(
            show_label=False, type="pil", interactive=False, visible=False, elem_id=self._id("plot")
        )
        self.table = gr.HTML("", elem_id=self._id("table"))
        with gr.Row():
            self.show = gr.Button("Show the record", elem_id=self._id("show"))
            self.export = gr.Button("Export the record", elem_id=self._id("export"))
            self.take = gr.UploadButton(
                "Import a record", file_types=[".json"], elem_id=self._id("import")
            )
        self.exported = gr.File(
            label="Exported record", interactive=False, visible=False, elem_id=self._id("exported")
        )
