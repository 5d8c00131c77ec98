"""ComfyUI's HTTP and websocket interface with nothing but the standard library, and a small way to
write prompts."""

from __future__ import annotations

import base64
import json
import os
import socket
import struct
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.speed import scaled

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class Refused(Exception):
    """The server did not take the prompt, or not all of it; `.errors` is its node_errors, the
    message all of it."""

    def __init__(self, answer: dict):
        super().__init__(json.dumps(answer))
        self.errors = answer.get("node_errors", {})


class Failed(Exception):
    """A node raised an error; the message is the node's own, `.node` its id, `.type` its class,
    `.data` all that the server says."""

    def __init__(self, data: dict):
        super().__init__(data.get("exception_message", "").strip() or str(data))
        self.node, self.type, self.data = data.get("node_id"), data.get("node_type"), data


class Interrupted(Exception):
    """The prompt was interrupted."""


class Out:
    """An output of a node in a Graph; node[1] is the second one, the node itself stands for the first."""

    def __init__(self, node: str, index: int = 0):
        self.node, self.index = node, index

    def __getitem__(self, index: int) -> Out:
        return Out(self.node, index)


class Graph:
    """A prompt in the making: add("KSampler", model=out, seed=1, ...) returns the node's outputs."""

    def __init__(self):
        self.prompt: dict[str, dict] = {}

    def add(self, kind: str, **inputs) -> Out:
        """Add a node; inputs that are None are left out."""
        name = str(len(self.prompt) + 1)
        given = {
            key: [value.node, value.index] if isinstance(value, Out) else value
            for key, value in inputs.items()
            if value is not None
        }
        self.prompt[name] = {"class_type": kind, "inputs": given}
        return Out(name)


@dataclass
class Result:
    """What became of a prompt: outputs by node id (the "ui" part), and the ids of the nodes that
    were really run."""

    outputs: dict
    ran: set[str] = field(default_factory=set)

    def ui(self, out: Out) -> dict:
        """The "ui" data of a node."""
        return self.outputs.get(out.node, {})

    def text(self, out: Out) -> str:
        """The text that a node shows."""
        return "\n".join(self.ui(out).get("text", []))


class Client:
    """Talks to the server at "host:port"."""

    def __init__(self, address: str):
        self.address, self.id = address, uuid.uuid4().hex

    def get(self, path: str):
        """GET, decoded from JSON where it is JSON, else bytes."""
        return self._send(urllib.request.Request(f"http://{self.address}{path}"))

    def post(self, path: str, data: dict | None = None):
        """POST JSON; HTTPError where the server refuses."""
        body = json.dumps(data or {}).encode()
        return self._send(
            urllib.request.Request(
                f"http://{self.address}{path}", body, {"Content-Type": "application/json"}
            )
        )

    def object_info(self, kind: str | None = None) -> dict:
        """What the server says of its nodes, or of one of them ({} for an unknown one)."""
        return (
            self.get("/object_info")
            if kind is None
            else self.get(f"/object_info/{kind}").get(kind, {})
        )

    def choices(self, kind: str, name: str) -> list:
        """The values of a combo input, in the form of V1 nodes and of V3 nodes."""
        inputs = self.object_info(kind)["input"]
        spec = (inputs.get("required", {}) | inputs.get("optional", {}))[name]
        return spec[1]["options"] if spec[0] == "COMBO" else spec[0]

    def queue(self, graph: Graph | dict, workflow: dict | None = None) -> str:
        """Queue a prompt; its id. Raises Refused when any part of it is refused."""
        prompt = graph.prompt if isinstance(graph, Graph) else graph
        extra = {"extra_pnginfo": {"workflow": workflow}} if workflow else {}
        try:
            answer = self.post(
                "/prompt", {"prompt": prompt, "client_id": self.id, "extra_data": extra}
            )
        except urllib.error.HTTPError as problem:
            raise Refused(json.loads(problem.read())) from None
        if answer.get("node_errors"):  # a prompt with one good output is taken all the same
            raise Refused(answer)
        return answer["prompt_id"]

    def wait(self, prompt_id: str, seconds: float = 240) -> Result:
        """Wait until a prompt has ended; raises Failed, Interrupted and TimeoutError."""
        end = time.monotonic() + scaled(seconds)
        while time.monotonic() < end:
            entry = self.get(f"/history/{prompt_id}").get(prompt_id)
            if entry is not None and entry.get("status"):
                return _result(entry)
            time.sleep(0.02)
        raise TimeoutError(f"prompt {prompt_id} took more than {seconds} s of an idle machine")

    def run(self, graph: Graph | dict, seconds: float = 240) -> Result:
        """Queue and wait."""
        return self.wait(self.queue(graph), seconds)

    def interrupt(self) -> None:
        """Stop what is running."""
        self.post("/interrupt")

    def forget(self) -> None:
        """Drop the server's cached node outputs, so that the same prompt runs again."""
        self.post("/free", {"unload_models": False, "free_memory": True})
        time.sleep(
            0.3
        )  # the worker looks at that when it is idle; a prompt that comes at once would be run before

    def events(self) -> Events:
        """The websocket, for `with`: messages about this client's prompts."""
        return Events(self.address, self.id)

    def _send(self, request: urllib.request.Request):
        with urllib.request.urlopen(request, timeout=60) as answer:
            body = answer.read()
            return (
                json.loads(body)
                if body and "json" in answer.headers.get("Content-Type", "")
                else body
            )


def _result(entry: dict) -> Result:
    messages = {kind: data for kind, data in entry["status"]["messages"]}
    if "execution_interrupted" in messages:
        raise Interrupted(str(messages["execution_interrupted"]))
    if "execution_error" in messages:
        raise Failed(messages["execution_error"])
    cached = set(messages.get("execution_cached", {}).get("nodes", ()))
    return Result(entry["outputs"], set(entry["prompt"][2]) - cached)


class Events:
    """A websocket client of the least kind: reads text messages, answers pings."""

    def __init__(self, address: str, client_id: str, seconds: float = 120):
        host, port = address.split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=seconds)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET /ws?clientId={client_id} HTTP/1.1\r\nHost: {address}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self.file = self.socket.makefile("rb")
        status = self.file.readline()
        if b" 101 " not in status:
            raise OSError(f"no websocket: {status!r}")
        while self.file.readline().strip():
            pass

    def __enter__(self) -> Events:
        return self

    def __exit__(self, *_) -> None:
        self.file.close()
        self.socket.close()

    def __iter__(self) -> Iterator[dict]:
        """Text messages as they come, {"type": ..., "data": ...}; previews (binary) are left out."""
        while True:
            kind, body = self._frame()
            if kind == CLOSE:
                return
            if kind == PING:
                self._answer(PONG, body)
            if kind == TEXT:
                yield json.loads(body)

    def until(self, wanted: Callable[[dict], bool]) -> list[dict]:
        """All messages up to and with the first that is wanted."""
        seen = []
        for message in self:
            seen.append(message)
            if wanted(message):
                return seen
        raise OSError("the server closed the websocket")

    def until_done(self, prompt_id: str) -> list[dict]:
        """All messages up to the end of a prompt, however it ends."""
        ends = ("execution_success", "execution_error", "execution_interrupted")
        return self.until(
            lambda message: (
                message["type"] in ends and message["data"].get("prompt_id") == prompt_id
            )
        )

    def _frame(self) -> tuple[int, bytes]:
        kind, body, final = 0, b"", False
        while not final:
            first, length = self.file.read(2)
            final, kind = bool(first & 128), (first & 15) or kind
            length &= 127
            if length >= 126:
                size = 2 if length == 126 else 8
                length = int.from_bytes(self.file.read(size), "big")
            body += self.file.read(length)
        return kind, body

    def _answer(self, kind: int, body: bytes) -> None:
        self.socket.sendall(
            struct.pack("!BB", 128 | kind, 128 | len(body)) + bytes(4) + body
        )  # masked, as clients must: with zeros
