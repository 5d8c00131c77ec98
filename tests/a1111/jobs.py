"""What the tests of jobs ask: a small wish, and its end."""

from __future__ import annotations

import time


def wish(job, **options):
    """A small one."""
    small = {"samplers": ("euler",), "steps": (3, 3), "quality": "quick", "measure": False}
    return job.module.Wish(job.scene(("a cat",)), **(small | options))


def ended(job):
    """The progress once it is over."""
    for _ in range(600):
        if not job.job.progress.busy:
            return job.job.progress
        time.sleep(0.05)
    raise AssertionError("the job did not end")
