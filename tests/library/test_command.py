"""The command as a process: stopped by Ctrl-C and started again, and started twice at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scheduler.cli import INTERRUPTED, OK
from scheduler.store import Store

ROOT = Path(__file__).parents[2]
PLAN = """
store = "store"
steps = 6
guidances = [1, 2, 3]
[[models]]
checkpoint = "flow"
"""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def start(tmp_path):
    (tmp_path / "plan.toml").write_text(PLAN, "utf-8")
    command = [sys.executable, "-m", "scheduler", "library", "plan.toml", "--json"]
    about = {"cwd": tmp_path, "env": os.environ | {"PYTHONPATH": str(ROOT)}, "text": True}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}

    def start() -> subprocess.Popen:
        return subprocess.Popen(command, **about, **pipes)

    return start


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX signal")
def test_ctrl_c_keeps_what_was_paid_for(start, tmp_path):
    first = start()
    folder = tmp_path / "store" / ".library"
    while len(list(folder.glob("*/answer-*"))) < 20:
        assert first.poll() is None, first.communicate()[1]
        time.sleep(0.02)
    first.send_signal(signal.SIGINT)
    out, error = first.communicate()
    assert first.returncode == INTERRUPTED and "the same line goes on from here" in error
    assert json.loads(out)["jobs"][-1]["state"] == "stopped" and "Traceback" not in error
    assert not list(folder.glob("*.claim.*"))  # the next run need not wait for it
    second = start()
    out, error = second.communicate()
    assert second.returncode == OK, error
    made = json.loads(out)["jobs"]
    assert [each["state"] for each in made] == ["done"] * 3
    assert len(Store(tmp_path / "store").records()) == 3


def test_started_twice_at_once_nothing_is_done_twice(start, tmp_path):
    both = [start(), start()]
    ended = [each.communicate() for each in both]
    assert [each.returncode for each in both] == [OK, OK], ended
    made = [job for out, _ in ended for job in json.loads(out)["jobs"]]
    assert len(made) == 6 and sum(not job["found"] for job in made) == 3
    assert len(Store(tmp_path / "store").records()) == 3
