"""Two axes for the host's X/Y/Z plot: the record that is used, and whether a record is used at all."""

from __future__ import annotations

from .names import AUTOMATIC, STOCK_ONLY, TITLE

RECORD, SOURCE = f"[{TITLE}] Record", f"[{TITLE}] Source"
SOURCES = ("Distilled", "Stock")


def register() -> None:
    """Add them while the page is made, when the host's own axes are there."""
    from modules import script_callbacks

    script_callbacks.on_before_ui(_add)


def _add() -> None:
    module = _xyz_grid()
    if module is None:
        return
    module.axis_options[:] = [
        axis for axis in module.axis_options if axis.label not in (RECORD, SOURCE)
    ]
    module.axis_options.append(module.AxisOption(RECORD, str, _set_record, choices=_choices))
    module.axis_options.append(
        module.AxisOption(SOURCE, str, _set_source, choices=lambda: list(SOURCES))
    )


def _xyz_grid():
    from modules import scripts

    entries = getattr(scripts, "scripts_data", [])
    return next(
        (each.module for each in entries if str(each.script_class.__module__) == "xyz_grid.py"),
        None,
    )


def _choices() -> list[str]:
    from .stores import choices

    return choices()


def _set_record(p, value: str, values) -> None:
    p.stepdistill_record = p.stepdistill_axis = value


def _set_source(p, value: str, values) -> None:
    p.stepdistill_record = p.stepdistill_axis = STOCK_ONLY if value == SOURCES[1] else AUTOMATIC
