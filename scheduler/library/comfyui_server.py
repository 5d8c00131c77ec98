"""A ComfyUI server as a worker, by its own HTTP interface and StepDistill's two routes there."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.parse
import urllib.request
import uuid
from typing import Any

from ..errors import PlanError, RecordError
from ..record import Record

USUAL_PORT = 8188
PATIENCE = 30.0  # seconds for one answer: a server that loads a model is slow to answer
MOST_BYTES = 64_000_000
ADDRESS = re.compile(r"[A-Za-z0-9.\-]{1,253}(:\d{1,5})?|\[[0-9a-fA-F:.]{2,45}\](:\d{1,5})?")


class Away(OSError):
    """The server does not answer, or has forgotten what it was asked."""


class Refused(PlanError):
    """The server answered that it will not, or could not, do what it was asked."""


class Server:
    """The server at "host:port"."""

    def __init__(self, address: str, patience: float = PATIENCE):
        if not ADDRESS.fullmatch(address):
            raise PlanError(
                f"{address[:80]!r} is no server; write host:port, such as studio-3:8188."
            )
        port = address.rpartition(":")[2]
        self.address = address if port.isdigit() and ":" in address else f"{address}:{USUAL_PORT}"
        self.patience, self._client = patience, uuid.uuid4().hex
        # A studio's own machines are not behind its proxy.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def answers(self) -> bool:
        """Whether it is there."""
        try:
            self._get("/queue")
        except (Away, Refused):
            return False
        return True

    def queue(self, graph: dict) -> str:
        """Queue a graph; its id. Raises Away, and Refused with the server's reason."""
        answer = self._send("/prompt", {"prompt": graph, "client_id": self._client})
        if not isinstance(answer, dict) or not isinstance(answer.get("prompt_id"), str):
            raise Refused(f"{self.address} is no ComfyUI server; look at --comfyui.")
        if answer.get("node_errors"):
            self.give_up(answer["prompt_id"])
            raise Refused(f"{self.address} refused the graph: {_reason(answer)}")
        return answer["prompt_id"]

    def outputs(self, prompt: str) -> dict | None:
        """What the nodes of a finished prompt showed, or None while it waits or runs. Raises Away where the
        server knows nothing of it, and Refused for one that failed."""
        entry = self._ended(prompt)
        if entry is None:
            queue = self._get("/queue")
            waiting = [*queue.get("queue_running", ()), *queue.get("queue_pending", ())]
            if any(prompt in each[:3] for each in waiting):
                return None
            entry = self._ended(prompt)  # it may have ended between the two questions
        if entry is None:
            raise Away(f"{self.address} was started again")
        messages = dict(entry["status"].get("messages", ()))
        if "execution_error" in messages:
            told = str(messages["execution_error"].get("exception_message", "")).strip()
            raise Refused(f"{self.address}: {told or 'the graph failed there.'}")
        if "execution_interrupted" in messages:
            raise Refused(f"It was interrupted on {self.address}; start again, and it goes on.")
        return entry["outputs"]

    def record(self, name: str) -> Record:
        """A record of the server's store. Raises Away, Refused and RecordError."""
        found = self._get(f"/stepdistill/file?{urllib.parse.urlencode({'name': name})}")
        text = found.get("text")
        if not isinstance(text, str):
            raise RecordError(f"{self.address} handed out no record under {name!r}.")
        return Record.from_json(text)

    def give_up(self, prompt: str) -> None:
        """Take a prompt out of the queue, or interrupt it where it runs; nobody else's."""
        try:
            self._send("/queue", {"delete": [prompt]})
            running = self._get("/queue").get("queue_running", ())
            if any(prompt in each[:3] for each in running):
                self._send("/interrupt", {"prompt_id": prompt})
        except (Away, Refused):  # then there is nothing to give up
            pass

    def _ended(self, prompt: str) -> dict | None:
        entry = self._get(f"/history/{prompt}").get(prompt)
        ended = isinstance(entry, dict) and isinstance(entry.get("status"), dict)
        return entry if ended else None

    def _get(self, path: str) -> dict:
        found = self._send(path)
        return found if isinstance(found, dict) else {}

    def _send(self, path: str, data: dict | None = None) -> Any:
        body = None if data is None else json.dumps(data).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"http://{self.address}{path}", body, headers)
        try:
            with self._opener.open(request, timeout=self.patience) as answer:
                text = answer.read(MOST_BYTES + 1)
        except urllib.error.HTTPError as problem:
            if problem.code >= 500:
                raise Away(f"{self.address} answered {problem.code}") from None
            raise Refused(f"{self.address} refused it: {_told(problem)}") from None
        except (OSError, ValueError) as problem:
            raise Away(f"{self.address} does not answer ({problem})") from None
        except Exception as problem:  # http.client's own: it stopped in the middle of an answer
            raise Away(f"{self.address} stopped answering ({problem})") from None
        if len(text) > MOST_BYTES:
            raise Refused(f"{self.address} answered with more than {MOST_BYTES:,} bytes.")
        try:
            return json.loads(text) if text else None
        except (ValueError, RecursionError):
            return None


def _told(problem: urllib.error.HTTPError) -> str:
    """The reason in a refusal."""
    try:
        return _reason(json.loads(problem.read(MOST_BYTES)))
    except (ValueError, OSError, RecursionError):
        return f"code {problem.code}."


def _reason(answer: Any) -> str:
    """ComfyUI's reasons, those of single nodes first."""
    answer = answer if isinstance(answer, dict) else {}
    nodes = answer.get("node_errors")
    found = []
    for each in nodes.values() if isinstance(nodes, dict) else ():
        for error in each.get("errors", ()):
            found.append(f"{error.get('message', '')} {error.get('details', '')}".strip())
    error = answer.get("error")
    if isinstance(error, dict):
        found.append(str(error.get("message", "")))
    elif error:
        found.append(str(error))
    return "; ".join(dict.fromkeys(each for each in found if each))[:400] or "it said no reason."
