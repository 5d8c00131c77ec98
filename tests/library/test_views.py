"""The table, the report and the command."""

from __future__ import annotations

import io
import json

import pytest

from scheduler.cli import MISTAKE, OK, main
from scheduler.errors import OutputError
from scheduler.library import work
from scheduler.library.account import QUEUED, RUNNING, Account
from scheduler.library.ledger import Ledger, Progress
from scheduler.library.report import write_report
from scheduler.library.summary import DONE, ELSEWHERE, FAILED, Summary
from scheduler.library.table import Table, cells, line
from tests.library.made import Work, jobs


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def account(tmp_path):
    found = jobs()
    account = Account(found, Ledger(tmp_path / "store"))
    account.ended(found[0], Summary(found[0].id, DONE, "a.json", 60, 2.5, ratios={4: 0.4, 6: 0.21}))
    account.ended(found[1], Summary(found[1].id, FAILED, error="It is <broken>."))
    return account


def test_rows_say_what_became_of_each_job(account):
    lines = [line(cells(row)) for row in account.rows.values()]
    assert lines[0].split()[:6] == ["done", "flow", "1", "4,6", "instant", "60"]
    assert lines[0].endswith("error over best stock at 4: 0.40, 6: 0.21")
    assert lines[1].endswith("It is <broken>.") and lines[2].startswith("waiting")
    assert account.sentence().startswith("1 of 3 jobs done, 1 failed, 1 waiting; 60 model calls")


def test_what_runs_elsewhere_says_how_far_it_is(account):
    job = list(account.rows.values())[2].job
    account.began(job, QUEUED)
    account.tick()
    assert account.rows[job.id].state == QUEUED
    account.ledger.tell(job, Progress(10, 40, "teacher"))
    account.tick()
    assert account.rows[job.id].state == RUNNING and account.rows[job.id].words == "25 %, teacher"
    account.ended(job, Summary(job.id, ELSEWHERE, where="studio (7)"))
    assert account.rows[job.id].words == "being made by studio (7)"


def test_a_terminal_is_drawn_over_and_a_file_gets_each_line_once(account):
    job = list(account.rows.values())[2].job
    terminal, file = Terminal(), io.StringIO()
    for stream in (terminal, file):
        table = Table(account, stream)
        table.began(job, "")
        table.ended(job, Summary(job.id, DONE, "b.json", 1, 1.0))
        table.close()
    assert "\x1b[" in terminal.getvalue() and "\x1b" not in file.getvalue()
    assert [each[:4] for each in file.getvalue().splitlines()] == ["stat", "done", "2 of"]


def test_a_narrow_terminal_shows_what_became_of_a_job(account, monkeypatch):
    from scheduler.library import table

    monkeypatch.setattr(table, "_terminal", lambda stream: (80, 24))
    terminal = Terminal()
    Table(account, terminal).draw(last=True)
    lines = terminal.getvalue().split("\n")
    assert max(map(len, lines[1:])) < 80 and "error over best" in lines[1]
    assert "size" not in lines[0]  # nothing stands in that column


@pytest.mark.slow
def test_the_report_is_a_page_that_needs_nothing_else(account, tmp_path):
    write_report(account, tmp_path / "night.html")
    page = (tmp_path / "night.html").read_text("utf-8")
    assert "It is &lt;broken&gt;." in page and "<broken>" not in page and "a.json" in page
    assert "data:image/png;base64," in page and "http" not in page and "<script" not in page
    with pytest.raises(OutputError, match="no report"):
        write_report(account, tmp_path / "night.txt")


@pytest.fixture
def plan(tmp_path, monkeypatch):
    monkeypatch.setattr(work, "distilled_here", Work())
    from scheduler.library import local

    monkeypatch.setattr(local.run_here, "__defaults__", (Work(), 0.01))
    path = tmp_path / "plan.toml"
    path.write_text('store = "s"\n[[models]]\ncheckpoint = "flow"\nguidances = [1, 3]\n', "utf-8")
    return path


def test_the_command(plan, capsys):
    assert main(["library", str(plan), "--list"]) == OK
    said = capsys.readouterr()
    assert said.out.count("flow") == 2 and not (plan.parent / "s").exists()
    report = plan.parent / "r.png"
    assert main(["library", str(plan), "--json", "--report", str(report)]) == OK
    said = capsys.readouterr()
    data = json.loads(said.out)
    assert [each["state"] for each in data["jobs"]] == ["done", "done"] and report.is_file()
    assert "2 of 2 jobs done" in said.err


def test_the_exit_code_says_that_a_job_failed(plan, monkeypatch, capsys):
    from scheduler.library import local

    monkeypatch.setattr(local.run_here, "__defaults__", (lambda *_: 1 / 0, 0.01))
    assert main(["library", str(plan)]) == MISTAKE
    assert "2 failed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.toml"], "could not be read"),
        (["{plan}", "--report", "r.txt"], "is no report"),
        (["{plan}", "--comfyui", "a b"], "neither comfyui nor workflow"),
    ],
)
def test_mistakes_are_sentences(plan, capsys, arguments, said):
    arguments = [each.replace("{plan}", str(plan)) for each in arguments]
    assert main(["library", *arguments]) == MISTAKE
    error = capsys.readouterr().err
    assert said in error and len(error.splitlines()) == 1


def test_without_ray_one_sentence_says_so(plan, capsys, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["library", str(plan), "--ray", "--quiet"]) == MISTAKE
    assert "Ray is not installed in this Python; run: pip install ray" in capsys.readouterr().err
