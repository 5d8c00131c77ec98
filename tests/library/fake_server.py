"""What a ComfyUI server answers, as far as a plan asks it: a stand-in that needs no host."""

from __future__ import annotations

import json
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

from tests.library.made import OWN
from tests.weights import record_of


class FakeServer:
    """Runs a prompt when it has been asked about `slow` times. refuses: the reason it gives for every prompt;
    fails: what its nodes raise; mute: it drops every connection."""

    def __init__(self, slow: int = 0, refuses: str = "", fails: str = "", kept: bool = True):
        self.slow, self.refuses, self.fails, self.kept = slow, refuses, fails, kept
        self.mute = False
        self.graphs: list[dict] = []
        self.prompts: dict[str, dict] = {}
        self.records: dict[str, str] = {}
        self.given_up: list[str] = []
        self.lock = threading.Lock()

    def __enter__(self) -> FakeServer:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.answer(None)

            def do_POST(self):
                size = int(self.headers["Content-Length"])
                self.answer(json.loads(self.rfile.read(size)))

            def answer(self, data):
                if fake.mute:
                    self.connection.close()
                    return
                with fake.lock:
                    code, found = fake.answer(urlparse(self.path), data)
                body = json.dumps(found).encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.handle_error = lambda *_: None
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()
        self.address = f"127.0.0.1:{self.http.server_port}"
        return self

    def __exit__(self, *_) -> None:
        self.http.shutdown()
        self.http.server_close()

    def answer(self, url, data) -> tuple[int, object]:
        if url.path == "/prompt":
            return self.prompted(data["prompt"])
        if url.path == "/queue" and data is not None:
            self.given_up += data["delete"]
            return 200, None
        if url.path == "/queue":
            waiting = [[0, name, {}] for name, each in self.prompts.items() if each["left"] >= 0]
            return 200, {"queue_running": waiting, "queue_pending": []}
        if url.path.startswith("/history/"):
            return 200, self.history(url.path.rpartition("/")[2])
        if url.path == "/stepdistill/file":
            return 200, {"text": self.records[parse_qs(url.query)["name"][0]]}
        return 200, None

    def prompted(self, graph) -> tuple[int, object]:
        if self.refuses:
            error = {"message": "Prompt failed"}
            return 400, {
                "error": error,
                "node_errors": {"1": {"errors": [{"message": self.refuses}]}},
            }
        name = uuid.uuid4().hex
        self.graphs.append(graph)
        self.prompts[name] = {"graph": graph, "left": self.slow}
        return 200, {"prompt_id": name, "node_errors": {}}

    def history(self, name) -> dict:
        found = self.prompts.get(name)
        if found is None or found["left"] > 0:
            if found:
                found["left"] -= 1
            return {}
        found["left"] = -1
        messages, outputs = [], {}
        if self.fails:
            messages.append(["execution_error", {"exception_message": self.fails}])
        for node, each in found["graph"].items():
            if each["class_type"] == "StepDistillDistill":
                outputs[node] = {"stepdistill": [{"kept": self.made(each["inputs"])}]}
        return {name: {"outputs": outputs, "status": {"messages": messages}}}

    def made(self, inputs) -> str:
        if not self.kept:
            return ""
        record = record_of(OWN, samplers=("distilled",), cfg=inputs["cfg"], name="remote")
        name = f"remote-{inputs['cfg']}"
        self.records[name] = record.to_json()
        return name

    def restart(self) -> None:
        """Forget everything, as a server that was started again."""
        with self.lock:
            self.prompts.clear()
