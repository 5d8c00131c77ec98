"""A headless Chromium with one page, driven over its own debugging protocol with the `websockets`
package that every WebUI has."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

MOST_SLOW = 4.0
USUAL_START = 15.0  # seconds that a host takes to start where nothing else runs
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--remote-debugging-port=0",
]


def browser() -> str | None:
    """The browser's program, or None: BROWSER_PATH, else the first that is installed."""
    return os.environ.get("BROWSER_PATH") or next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """A page of a host (`server.Server`) while the `with` block lasts."""

    def __init__(self, server, width: int = 1280, height: int = 1600):
        self.address, self.size, self._last = server.address, (width, height), 0
        self.server = server
        self.errors: list[str] = []

    def __enter__(self) -> Page:
        from websockets.sync.client import connect

        self.folder = tempfile.mkdtemp(prefix="stepdistill-browser-")
        flags = [
            *FLAGS,
            f"--user-data-dir={self.folder}",
            f"--window-size={self.size[0]},{self.size[1]}",
            "about:blank",
        ]
        self.process = subprocess.Popen(
            [browser(), *flags], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        place = Path(self.folder) / "DevToolsActivePort"
        _wait(
            lambda: place.is_file() and len(place.read_text().splitlines()) == 2,
            300,
            "the browser did not start",
        )
        port = place.read_text().splitlines()[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
            target = next(each for each in json.loads(answer.read()) if each["type"] == "page")
        self.socket = connect(target["webSocketDebuggerUrl"], max_size=None)
        for domain in ("Page", "Runtime"):
            self.ask(f"{domain}.enable")
        self.ask("Page.navigate", url=self.address)
        return self

    def __exit__(self, *trouble) -> None:
        self.socket.close()
        self.process.terminate()
        self.process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, method: str, **parameters) -> dict:
        """One request of the protocol and its answer."""
        self._last += 1
        self.socket.send(json.dumps({"id": self._last, "method": method, "params": parameters}))
        while True:
            told = json.loads(self.socket.recv(timeout=1200))
            if told.get("method") == "Runtime.exceptionThrown":
                self.errors.append(str(told["params"]["exceptionDetails"])[:500])
            if told.get("id") == self._last:
                if "error" in told:
                    raise RuntimeError(f"{method}: {told['error']}")
                return told["result"]

    def run(self, script: str):
        """The value of a JavaScript expression; promises are awaited."""
        found = self.ask(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in found:
            raise RuntimeError(str(found["exceptionDetails"])[:1000])
        return found["result"].get("value")

    def wait(self, script: str, patience: float = 60):
        """The value of an expression as soon as it is true. patience: seconds on a machine where the
        host starts within USUAL_START; longer where it took longer."""
        slowness = max(1.0, self.server.started / USUAL_START)
        return _wait(lambda: self.run(script), patience * min(slowness, MOST_SLOW), script)

    def click(self, selector: str) -> None:
        self.wait(f"!!document.querySelector({json.dumps(selector)})")
        self.run(f"document.querySelector({json.dumps(selector)}).click()")

    def write(self, selector: str, text: str) -> None:
        """Put a text into a field, as typing does."""
        self.wait(f"!!document.querySelector({json.dumps(selector)})")
        self.run(
            f"(() => {{ const field = document.querySelector({json.dumps(selector)}); "
            f"field.value = {json.dumps(text)}; "
            "field.dispatchEvent(new Event('input', {bubbles: true})); "
            "field.dispatchEvent(new Event('change', {bubbles: true})); })()"
        )

    def pick(self, selector: str, path: Path) -> None:
        """Give a file to the upload button."""
        near = (
            "(b => b.querySelector('input[type=file]') "
            "|| b.parentElement.querySelector('input[type=file]'))"
        )
        expression = f"{near}(document.querySelector({json.dumps(selector)}))"
        found = self.ask("Runtime.evaluate", expression=expression)["result"]
        self.ask("DOM.setFileInputFiles", files=[str(path)], objectId=found["objectId"])

    def choices(self, selector: str) -> list[str]:
        """What a dropdown offers when it is opened."""
        field = f"document.querySelector({json.dumps(selector + ' input')})"
        self.wait(f"!!{field}")
        self.run(f"{field}.dispatchEvent(new Event('focus')), {field}.focus()")
        options = json.dumps(f"{selector} ul.options li, ul.options li")
        listed = f"[...document.querySelectorAll({options})]"
        found = self.wait(
            f"{listed}.length ? {listed}.map(each => "
            "each.getAttribute('aria-label') || each.innerText.trim()) : null",
            15,
        )
        self.run(f"{field}.blur()")
        return found

    def choose(self, selector: str, value: str) -> None:
        """Pick an entry of a dropdown."""
        field = f"document.querySelector({json.dumps(selector + ' input')})"
        self.wait(f"!!{field}")
        self.run(f"{field}.dispatchEvent(new Event('focus')), {field}.focus()")
        options = json.dumps(f"{selector} ul.options li, ul.options li")
        entry = (
            f"[...document.querySelectorAll({options})].find(each => "
            f"(each.getAttribute('aria-label') || each.innerText.trim()) === {json.dumps(value)})"
        )
        self.wait(f"!!{entry}", 15)
        self.run(f"{entry}.dispatchEvent(new MouseEvent('mousedown', {{bubbles: true}}))")

    def picture(self, path: Path, selector: str | None = None) -> None:
        """Save a PNG of the page, or of one element of it."""
        options = {}
        if selector:
            element = f"document.querySelector({json.dumps(selector)})"
            box = self.run(
                f"(() => {{ const b = {element}.getBoundingClientRect(); "
                "return [b.x + scrollX, b.y + scrollY, b.width, b.height]; })()"
            )
            options = {
                "clip": dict(zip(("x", "y", "width", "height"), box, strict=True), scale=1),
                "captureBeyondViewport": True,
            }
        path.write_bytes(
            base64.b64decode(self.ask("Page.captureScreenshot", format="png", **options)["data"])
        )


def _wait(question, patience: float, what: str):
    began = time.monotonic()
    while time.monotonic() - began < patience:
        found = question()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"not within {patience} s: {what}")
