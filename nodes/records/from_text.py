"""Record from Text: a record that stands in the workflow itself."""

from __future__ import annotations

from ...scheduler.record.verdict_words import about_fully as about
from ..fields import CATEGORY
from ..page.card_data import payload

TEXT_HELP = (
    "A record as text: what Save Record shows, or what a .json file of StepDistill holds. "
    "It travels inside the workflow."
)


class StepDistillFromText:
    """A record that stands in the workflow itself."""

    DESCRIPTION = (
        "Reads a record from text, so that a shared workflow carries its recipes in itself "
        "and needs no file."
    )
    CATEGORY, FUNCTION, HAS_INTERMEDIATE_OUTPUT = CATEGORY, "read", True
    RETURN_TYPES, RETURN_NAMES = ("RECORD",), ("record",)
    OUTPUT_TOOLTIPS = ("The record, for any StepDistill node that takes one.",)

    @classmethod
    def INPUT_TYPES(cls):
        # dynamicPrompts would take the braces of JSON for choices
        return {
            "required": {
                "text": (
                    "STRING",
                    {
                        "multiline": True,
                        "default": "",
                        "dynamicPrompts": False,
                        "tooltip": TEXT_HELP,
                    },
                )
            }
        }

    def read(self, text):
        """Parse it strictly; raises RecordError, or ValueError where there is no text."""
        from ...scheduler.record import Record

        if not text.strip():
            raise ValueError(
                "There is no text; paste a record here: what Save Record shows, or the content "
                "of a record's .json file."
            )
        record = Record.from_json(text)
        shown = about(record)
        return {
            "ui": {"text": [shown], "stepdistill": [payload(record, info=shown)]},
            "result": (record,),
        }
