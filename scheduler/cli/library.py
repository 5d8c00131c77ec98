"""library: the recipes of many models, overnight."""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import OutputError, Stopped
from .console import add_json, command, names, print_json, say, stoppable

if TYPE_CHECKING:
    from ..library.account import Account
    from ..library.jobs import Job
    from ..library.ledger import Ledger
    from ..library.plan import Plan
    from ..library.table import Table

DESCRIPTION = """\
Works off a plan, a TOML file that names models, sizes, guidances and step counts, and keeps every record in
the store. It may be stopped and started at any time, and on several machines at once on one folder: what is
done is not done again, what was begun goes on, and no two work at one record. A job that fails says why in
one sentence, and the others go on.

Without options jobs run here, one after the other; --ray gives them to Ray's workers, --comfyui to ComfyUI
servers that have StepDistill. The store gets the same records in each case. What a plan may say:
docs/library.md."""
EXAMPLES = """\
  python -m scheduler library plan.toml --list                 what would be done
  python -m scheduler library plan.toml --report night.html    here, one job after the other
  python -m scheduler library plan.toml --ray                  on all cores or GPUs of this machine
  python -m scheduler library plan.toml --ray 10.0.0.5:6379    on a cluster
  python -m scheduler library plan.toml --comfyui studio-1:8188,studio-2:8188"""


def add(commands) -> None:
    """Add the command to the parser."""
    parser = command(
        commands,
        "library",
        "distil many models by a plan, here, on Ray, or on ComfyUI servers",
        DESCRIPTION,
        EXAMPLES,
        run,
    )
    parser.add_argument("plan", metavar="PLAN.toml", help="the plan")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--ray",
        nargs="?",
        const="",
        metavar="ADDRESS",
        help="on Ray (pip install ray): the cluster at ADDRESS, or one that is started here",
    )
    where.add_argument(
        "--comfyui", type=names, metavar="HOST:PORT,...", help="on ComfyUI servers that are running"
    )
    parser.add_argument(
        "--store", metavar="FOLDER", help="the store (default: the plan's, or the usual)"
    )
    parser.add_argument(
        "--report",
        metavar="FILE",
        help="write a report at the end: .html or .png (default: the plan's)",
    )
    parser.add_argument("--list", action="store_true", help="say what would be done, and end")
    parser.add_argument("--quiet", action="store_true", help="no table")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Work the plan off; 1 where a job failed."""
    from ..library.account import Account
    from ..library.jobs import jobs_of
    from ..library.ledger import Ledger
    from ..library.plan import load_plan
    from ..library.report import check_report
    from ..library.table import Table
    from ..store import Store

    plan = load_plan(arguments.plan)
    jobs = jobs_of(plan, remote=bool(arguments.comfyui))
    report = arguments.report or plan.report
    if report:
        check_report(Path(report))
    if arguments.list:
        return listed(jobs, arguments.json)
    ledger = Ledger(Store.open(arguments.store or plan.store or None).folder)
    account = Account(jobs, ledger)
    table = Table(account, sys.stderr, shown=not arguments.quiet)
    with stoppable() as should_stop:
        worked(arguments, plan, jobs, ledger, table, should_stop)
        table.close()
        stopped = should_stop()
        ended(account, report, arguments.json)
        if stopped:
            raise Stopped("Stopped as asked; the same line goes on from here.")
    return 1 if any(each.state == "failed" for each in account.summaries.values()) else 0


def worked(
    arguments: argparse.Namespace,
    plan: Plan,
    jobs: list[Job],
    ledger: Ledger,
    table: Table,
    should_stop: Callable[[], bool],
) -> None:
    """All jobs, where the arguments say."""
    about = (jobs, ledger, secrets.token_hex(8), table, should_stop)
    if arguments.comfyui:
        from ..library.comfyui_server import Server
        from ..library.on_comfyui import run_on_comfyui

        run_on_comfyui(*about, [Server(address) for address in dict.fromkeys(arguments.comfyui)])
    elif arguments.ray is not None:
        from ..library.on_ray import Resources, run_on_ray

        usual = 0.0 if plan.device == "cpu" else 1.0
        gpus = usual if plan.gpus is None else plan.gpus
        run_on_ray(*about, Resources(gpus, plan.cpus or 1), arguments.ray or None)
    else:
        from ..library.local import run_here

        run_here(*about)


def ended(account: Account, report: str, as_json: bool) -> None:
    """The report, and what is said at the end."""
    from dataclasses import asdict

    from ..library.report import write_report

    if report:
        try:
            write_report(account, report)
            say(f"Report: {report}")
        except OutputError as problem:  # a night's work is not lost with it
            say(f"No report: {problem}")
    if as_json:
        print_json(
            {
                "store": str(account.ledger.store.folder),
                "seconds": round(account.seconds, 1),
                "jobs": [
                    _as_data(row) | asdict(row.summary)
                    for row in account.rows.values()
                    if row.summary
                ],
            }
        )


def listed(jobs: list[Job], as_json: bool) -> int:
    """The jobs, in order."""
    from ..library.account import Row
    from ..library.table import HEAD, cells, line

    if as_json:
        print_json([_as_data(Row(job)) for job in jobs])
        return 0
    print(line(HEAD))
    for job in jobs:
        print(line(cells(Row(job))))
    say(f"{len(jobs)} jobs")
    return 0


def _as_data(row) -> dict:
    job = row.job
    return {
        "id": job.id,
        "model": job.title,
        "size": job.size_text,
        "cfg": job.cfg,
        "steps": list(job.model.steps),
        "effort": job.effort,
    }
