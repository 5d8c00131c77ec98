"""Save Record: into the store, and as a file of its own."""

from __future__ import annotations

import os
from pathlib import Path

from ...scheduler.record.verdict_words import about_fully as about
from ..fields import CATEGORY
from ..page.card_data import payload
from .keeping import keep

PREFIX_HELP = (
    "Name of the file in ComfyUI's output folder; a number and .json follow it. "
    "It may name a folder inside output, such as recipes/flux."
)


class StepDistillSave:
    """A record into the store and as a file of its own."""

    DESCRIPTION = (
        "Keeps a record in StepDistill's store, writes it as a .json file into the output folder, "
        "and hands out its text."
    )
    CATEGORY, FUNCTION, OUTPUT_NODE = CATEGORY, "save", True
    RETURN_TYPES, RETURN_NAMES = ("STRING",), ("text",)
    OUTPUT_TOOLTIPS = (
        "The record as JSON text: paste it into Record from Text to carry it in a workflow.",
    )

    @classmethod
    def INPUT_TYPES(cls):
        record = (
            "RECORD",
            {
                "tooltip": "The record to keep: from Distill Schedule, Load Record or Record from Text."
            },
        )
        return {
            "required": {
                "record": record,
                "filename_prefix": (
                    "STRING",
                    {"default": "stepdistill/record", "tooltip": PREFIX_HELP},
                ),
            }
        }

    def save(self, record, filename_prefix="stepdistill/record"):
        """Write both; raises ValueError for a prefix that leads out of the output folder, and OutputError."""
        from ...scheduler.errors import OutputError
        from ...scheduler.files import write_text

        text = record.to_json()
        path = output_path(filename_prefix)
        write_text(path, text)  # first: where the store cannot be written to, this is what is left
        try:
            _, place = keep(record)
            kept = f"Kept in your store{place}."
        except OutputError as problem:
            kept = f"Not kept in your store: {problem}"
        shown = f"Written to {path.name} in the output folder. {kept}\n{about(record)}"
        return {
            "ui": {"text": [shown], "stepdistill": [payload(record, info=shown)]},
            "result": (text,),
        }


def output_path(prefix: str):
    """The next free file of a name in the output folder; raises ValueError with a sentence for a
    prefix that leads out of it."""
    import folder_paths

    root = os.path.realpath(folder_paths.get_output_directory())
    wanted = os.path.realpath(os.path.join(root, prefix.replace("\0", "")))
    outside = wanted == root or Path(root) not in Path(wanted).parents
    if outside or "\0" in prefix:
        raise ValueError(
            f"The file name {prefix!r} does not lead into ComfyUI's output folder; use a plain "
            "name such as recipes/flux."
        )
    folder, name, counter, _, _ = folder_paths.get_save_image_path(prefix, root)
    return Path(folder) / f"{name}_{counter:05}_.json"
