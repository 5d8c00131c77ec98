"""The page as a user has it: workflows put in, menus opened, what is on nodes and in toasts read."""

from __future__ import annotations

import json

READY = (
    "Boolean(window.app?.extensionManager && window.app.graph "
    "&& window.LiteGraph?.registered_node_types?.StepDistillDistill)"
)
SETTINGS = {
    "Comfy.TutorialCompleted": True,
    "Comfy.Workflow.ShowMissingModelsWarning": False,
    "Comfy.Minimap.Visible": False,
    "Comfy.VersionCompatibility.DisableWarnings": True,
}
ROOT = """
const root = window.app.rootGraph ?? window.app.graph;
const all = (g) => g.nodes.flatMap((n) => [n, ...(n.subgraph ? all(n.subgraph) : [])]);
const widget = (n, name) => n.widgets?.find((w) => w.name === name);
const chosen = () =>
  all(root)
    .filter((n) => widget(n, "scheduler"))
    .map((n) => [String(n.id), widget(n, "scheduler").value]);
const find = (id) => {
  const graph = window.app.canvas.graph;
  return graph.getNodeById(id) ?? graph.getNodeById(Number(id));
};
"""
PLACE = """
const n = find(given), c = window.app.canvas, box = c.canvas.getBoundingClientRect();
const { offset, scale } = c.ds;
return [(n.pos[0] + 70 + offset[0]) * scale + box.left, (n.pos[1] - 14 + offset[1]) * scale + box.top]
"""
RUN = """
const ends = ["execution_success", "execution_error"];
const heard = (name, done) => {
  const tell = (e) => done([name, e.detail.exception_message]);
  window.app.api.addEventListener(name, tell, { once: true });
};
const end = new Promise((done) => ends.forEach((name) => heard(name, done)));
await window.app.queuePrompt(0);
return await Promise.race([end, new Promise((r) => setTimeout(() => r(["time"]), 60000))])
"""
ARRANGE = """
root.arrange();
const c = window.app.canvas; c.ds.scale = 0.8; c.ds.offset = [30, 120]; c.setDirty(true, true)
"""
WAIT = 15_000
FEW = "Few steps (StepDistill)"


class Page:
    """vue: with Vue nodes. Methods take node ids as text."""

    def __init__(
        self,
        server,
        browser,
        vue: bool = False,
        light: bool = False,
        size: tuple[int, int] = (1500, 950),
    ):
        self.server, self.browser, self.vue, self.light = server, browser, vue, light
        self.size, self.problems = size, []
        from playwright.sync_api import TimeoutError as timeout

        self.timeout = timeout

    def __enter__(self) -> Page:
        palette = "light" if self.light else "dark"
        self.server.client.post(
            "/settings",
            SETTINGS | {"Comfy.VueNodes.Enabled": self.vue, "Comfy.ColorPalette": palette},
        )
        self.page = self.browser.new_page(
            viewport={"width": self.size[0], "height": self.size[1]}, accept_downloads=True
        )
        self.page.set_default_timeout(WAIT)
        self.page.on("console", self._heard)
        self.page.on(
            "pageerror", lambda problem: self.problems.append(f"{problem}\n{problem.stack}")
        )
        self.open()
        return self

    def __exit__(self, *_) -> None:
        self.page.close()

    def open(self) -> None:
        """Load the page anew. What the host itself complains of at its start is not counted."""
        self.page.goto(f"http://{self.server.client.address}/")
        self.page.wait_for_function(READY, timeout=60_000)
        self.page.wait_for_function(
            "window.app.extensionManager.command.commands.some((c) => c.id === 'StepDistill.Use')"
        )
        self.page.wait_for_timeout(1500)
        self.problems = [problem for problem in self.problems if "stepdistill" in problem.lower()]

    def _heard(self, message) -> None:
        if (
            message.type == "error"
            and "Failed to load resource" not in message.text
            and "huggingface" not in message.text
        ):
            self.problems.append(f"{message.text} {message.location}")

    def complaints(self) -> list[str]:
        """What went wrong since the last call."""
        found, self.problems = self.problems, []
        return found

    def do(self, script: str, given=None):
        """Run JavaScript with `root` and `all(graph)` at hand; `given` is its argument."""
        return self.page.evaluate(f"async (given) => {{ {ROOT} {script} }}", given)

    def load(self, prompt: dict) -> None:
        """A prompt in the API's format as a new workflow."""
        self.do("await window.app.loadApiJson(given, 'test')", prompt)
        self.page.wait_for_timeout(800)
        self.do(ARRANGE)
        self.page.wait_for_timeout(500)

    def load_workflow(self, workflow: dict) -> None:
        """A workflow in the page's format."""
        quiet = "{ showMissingNodesDialog: false, showMissingModelsDialog: false, silentAssetErrors: true }"
        self.do(f"await window.app.loadGraphData(given, true, true, null, {quiet})", workflow)
        self.page.wait_for_timeout(600)

    def saved(self) -> dict:
        """The workflow as the page would save it."""
        return json.loads(self.do("return JSON.stringify(root.serialize())"))

    def schedulers(self) -> dict[str, str]:
        """Of every node with a scheduler its id and what is chosen."""
        return dict(self.do("return chosen()"))

    def kinds(self) -> list[str]:
        return self.do("return all(root).map((n) => n.type)")

    def command(self, name: str) -> None:
        """Start one of our commands, without waiting for its end."""
        self.do("void window.app.extensionManager.command.execute(given)", f"StepDistill.{name}")

    def settled(self, script: str, given=None) -> None:
        """Wait until an expression holds."""
        self.page.wait_for_function(f"(given) => {{ {ROOT} return Boolean({script}) }}", arg=given)

    def place(self, node: str) -> tuple[float, float]:
        """Where a node's title is on the screen."""
        return tuple(self.do(PLACE, node))

    def menu(self, node: str, item: str, title: str | None = "StepDistill") -> None:
        """Right-click on a node, and choose an item of our part of its menu; title None: one that
        stands in the menu itself."""
        self.page.mouse.click(*self.place(node), button="right")
        chosen = self.page.get_by_text(item, exact=True).last
        if title is not None:
            self.open_submenu(self.page.get_by_text(title, exact=True).last, chosen)
        chosen.click()

    def open_submenu(self, entry, item) -> None:
        """By pointing, or by a click where pointing opens nothing: one after the other would close
        it again."""
        entry.hover()
        try:
            item.wait_for(timeout=1500)
        except self.timeout:
            entry.click()

    def empty_place(self) -> tuple[int, int]:
        return self.size[0] - 420, self.size[1] - 220

    def undo(self) -> None:
        """Ctrl+Z, the pointer on the canvas."""
        self.do("document.activeElement?.blur()")
        self.page.mouse.move(*self.empty_place())
        self.page.keyboard.press("Control+z")

    def run(self) -> None:
        """Queue the workflow and wait for its end; nothing comes from the cache of an earlier run."""
        self.server.client.forget()
        end = self.do(RUN)
        assert end[0] == "execution_success", end

    def card(self, index: int = 0):
        """The locator of a card."""
        return self.page.locator(".sd-card").nth(index)

    def close_toasts(self) -> None:
        self.do("window.app.extensionManager.toast.removeAll?.()")
