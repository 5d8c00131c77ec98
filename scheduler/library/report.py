"""The report of a plan: one HTML page that needs nothing else, or a PNG."""

from __future__ import annotations

import base64
import tempfile
from html import escape
from pathlib import Path

from ..errors import OutputError
from ..files import PathLike, write_text
from ..plots.library import plot_library
from .account import Account, Row
from .table import HEAD, cells

SUFFIXES = (".html", ".png", ".svg", ".pdf")
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>StepDistill: library</title><style>
body {{ font: 15px/1.45 system-ui, sans-serif; margin: 2rem; color: #222; background: #fff }}
table {{ border-collapse: collapse; margin: 1rem 0 }} img {{ max-width: 100% }}
th, td {{ text-align: left; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid #ddd }}
td {{ vertical-align: top }}
.failed td {{ color: #a00 }} .soft {{ color: #666 }}
</style></head><body>
<h1>A library of few-step recipes</h1>
<p>{sentence}</p>
<p class="soft">Records are in {store}. The last column is each recipe's error over that of the best stock
sampler and schedule at as many steps, on the rows that the record names.</p>
{picture}
<table><thead><tr>{head}</tr></thead><tbody>
{rows}
</tbody></table></body></html>
"""


def write_report(account: Account, path: PathLike) -> None:
    """Write it in the format that the suffix names. Raises OutputError, without matplotlib too."""
    place = Path(path)
    check_report(place)
    if place.suffix.lower() == ".html":
        write_text(place, _page(account))
    else:
        _plot(account, place)


def check_report(path: Path) -> None:
    """Raise OutputError, before any work, for a report that could not be written at the end."""
    if path.suffix.lower() not in SUFFIXES:
        raise OutputError(
            f"{path.name} is no report; name a file that ends in {', '.join(SUFFIXES)}."
        )
    if not path.parent.is_dir():
        raise OutputError(f"The folder {path.parent} does not exist; make it first.")


def _plot(account: Account, path: Path) -> None:
    jobs = [
        (_label(row), row.summary.ratios)
        for row in account.rows.values()
        if row.summary is not None
    ]
    plot_library(jobs, path, account.sentence())


def _label(row: Row) -> str:
    job = row.job
    cfg = "" if job.cfg is None else f"cfg {job.cfg:g}"
    return "  ".join(each for each in (job.title[:30], job.size_text, cfg, job.effort) if each)


def _page(account: Account) -> str:
    with tempfile.TemporaryDirectory() as folder:
        drawn = Path(folder) / "library.png"
        try:
            _plot(account, drawn)
            data = base64.b64encode(drawn.read_bytes()).decode()
            picture = (
                f'<img alt="What the recipes gain, job by job" src="data:image/png;base64,{data}">'
            )
        except OutputError as problem:  # no matplotlib: the table says the same
            picture = f'<p class="soft">{escape(str(problem))}</p>'
    names = [*HEAD[:-1], "result"]
    return PAGE.format(
        sentence=escape(account.sentence()),
        store=escape(str(account.ledger.store.folder)),
        picture=picture,
        head="".join(f"<th>{escape(name)}</th>" for name in names),
        rows="\n".join(_row(row) for row in account.rows.values()),
    )


def _row(row: Row) -> str:
    texts = list(cells(row))
    record = row.summary.record if row.summary else ""
    if record:
        texts[-1] = f"{texts[-1]}\n{record}"
    inside = "".join(f"<td>{escape(text).replace(chr(10), '<br>')}</td>" for text in texts)
    return f'<tr class="{escape(row.state)}">{inside}</tr>'
