"""A plan on ComfyUI servers that are running anyway: each gets a job at a time, beside its artist's own; a
server that goes away hands its job to the others."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from functools import partial
from queue import Empty, SimpleQueue

from ..errors import PlanError, Stopped
from .attempt import Made, Watched, attempt, unreachable
from .comfyui_graph import graph_of
from .comfyui_server import Away, Refused, Server
from .jobs import Job
from .ledger import Ledger, Progress
from .local import POLL, Watch
from .summary import ELSEWHERE, STOPPED, Summary, failed

LOOK = 0.5  # seconds between two looks at a server's queue
MOST_TRIES = 3  # servers that went away during a job
ALL_AWAY = 300.0  # seconds without any server after which what is left is given up
UNANSWERED = 3  # questions in a row


def run_on_comfyui(
    jobs: Sequence[Job],
    ledger: Ledger,
    run: str,
    watch: Watch,
    should_stop: Callable[[], bool],
    servers: Sequence[Server],
    poll: float = POLL,
    all_away: float = ALL_AWAY,
) -> dict[str, Summary]:
    """The summaries of all jobs by their ids. Raises PlanError where no server answers at all."""
    if not any(server.answers() for server in servers):
        named = ", ".join(server.address for server in servers)
        raise PlanError(f"No ComfyUI server answers at {named}; start one, or put --comfyui right.")
    return _Run(jobs, ledger, run, should_stop, servers, poll, all_away).whole(watch)


def distilled_on(server: Server, job: Job, ledger: Ledger, watched: Watched) -> Made:
    """The record that a server makes for a job, fetched into the store. Raises Away where it goes away,
    Stopped, and StepDistillError with the server's reason."""
    graph, nodes = graph_of(job)
    prompt = server.queue(graph)
    try:
        outputs = _awaited(server, prompt, watched)
    except Stopped:
        server.give_up(prompt)
        raise
    kept = [_kept(outputs.get(node)) for node in nodes]
    if not all(kept):
        raise Refused(f"{server.address} could not keep the record; look at the report there.")
    names = dict.fromkeys(kept)
    records = [server.record(name) for name in names]
    for record in records:
        name = ledger.store.put(record)
    return Made(ledger.store.load(name), name)


def _kept(shown: object) -> str:
    """The record's name in the server's store, as Distill Schedule says it."""
    entries = shown.get("stepdistill") if isinstance(shown, dict) else None
    first = entries[0] if isinstance(entries, list) and entries else {}
    name = first.get("kept") if isinstance(first, dict) else None
    return name if isinstance(name, str) else ""


def _awaited(server: Server, prompt: str, watched: Watched) -> dict:
    """The outputs of a prompt; a few questions may go unanswered."""
    unanswered = 0
    while True:
        if watched.should_stop():
            raise Stopped("Stopped as asked; the server goes on from there the next time.")
        try:
            outputs = server.outputs(prompt)
            unanswered = 0
        except Away:
            unanswered += 1
            if unanswered >= UNANSWERED:
                raise
            outputs = None
        if outputs is not None:
            return outputs
        time.sleep(LOOK)


class _Run:
    """One plan on some servers, a thread for each; what they have to say comes through a queue, so that the
    watch hears it on one thread."""

    def __init__(
        self,
        jobs: Sequence[Job],
        ledger: Ledger,
        run: str,
        should_stop: Callable[[], bool],
        servers: Sequence[Server],
        poll: float,
        all_away: float,
    ):
        self.ledger, self.run, self.servers = ledger, run, servers
        self.should_stop, self.poll, self.all_away = should_stop, poll, all_away
        self.lock = threading.Lock()
        self.todo: deque[tuple[float, Job]] = deque((0.0, job) for job in jobs)  # (not before, job)
        self.left = len(jobs)
        self.tries: Counter[str] = Counter()
        self.seen = dict.fromkeys((server.address for server in servers), time.monotonic())
        self.said: SimpleQueue[tuple] = SimpleQueue()
        self.over = threading.Event()

    def whole(self, watch: Watch) -> dict[str, Summary]:
        """Until nothing is left, a stop, or no server has answered for long."""
        found: dict[str, Summary] = {}
        threads = [threading.Thread(target=self._serve, args=(each,)) for each in self.servers]
        for thread in threads:
            thread.start()
        try:
            while self.left and not self.should_stop() and not self._all_away():
                self._hear(watch, found)
        finally:
            self.over.set()
            for thread in threads:
                thread.join()
        while not self.said.empty():
            self._hear(watch, found)
        if not self.should_stop():
            for _, job in self.todo:
                found[job.id] = failed(job, "no ComfyUI server answers any more; start again.")
                watch.ended(job, found[job.id])
        return found

    def _hear(self, watch: Watch, found: dict[str, Summary]) -> None:
        """One thing that a thread has to say, or a moment of silence."""
        watch.tick()
        try:
            kind, job, what = self.said.get(timeout=LOOK)
        except Empty:
            return
        if kind == "ended":
            found[job.id] = what
            watch.ended(job, what)
            self.left -= what.state not in (ELSEWHERE, STOPPED)
        elif kind == "began":
            watch.began(job, what)
        else:
            watch.told(job, what)

    def _serve(self, server: Server) -> None:
        """A server's thread."""
        while not self.over.is_set():
            if not server.answers():
                self.over.wait(self.poll)
                continue
            self.seen[server.address] = time.monotonic()
            job = self._next()
            if job is None:
                self.over.wait(LOOK)
                continue
            self.said.put(("began", job, server.address))
            summary = self._attempted(job, server)
            if summary is not None:
                self.said.put(("ended", job, summary))

    def _attempted(self, job: Job, server: Server) -> Summary | None:
        """What became of a job; None where the server went away, and another one may try."""
        work = partial(distilled_on, server)
        self.said.put(("told", job, Progress(0, 0, f"on {server.address}")))
        try:
            stop = self.over.is_set
            summary = attempt(
                job, self.ledger, self.run, work, should_stop=stop, where=server.address
            )
        except Away as problem:
            self.tries[job.id] += 1
            if self.tries[job.id] >= MOST_TRIES:
                return failed(job, f"each server that tried it went away ({problem}).")
            self._again(job, 0.0)
            return None
        except OSError as problem:
            return unreachable(job, problem)
        if summary.state == ELSEWHERE:
            self._again(job, self.poll)
        else:
            self.seen[server.address] = time.monotonic()
        return summary

    def _next(self) -> Job | None:
        with self.lock:
            now = time.monotonic()
            for place, (begin, job) in enumerate(self.todo):
                if begin <= now:
                    del self.todo[place]
                    return job
        return None

    def _again(self, job: Job, seconds: float) -> None:
        with self.lock:
            entry = (time.monotonic() + seconds, job)
            if seconds:
                self.todo.append(entry)
            else:
                self.todo.appendleft(entry)

    def _all_away(self) -> bool:
        """Whether no server has been seen for long while none is at work."""
        idle = len(self.todo) == self.left
        return idle and time.monotonic() - max(self.seen.values()) > self.all_away
