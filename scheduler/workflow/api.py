"""The API format (a prompt): each node's class and its inputs by name, a link as [node, slot].
Reading it; api_edit.py writes."""

from __future__ import annotations

from .graph import Port, is_id
from .kinds import MEMORY, known

# Under which names nodes take what passes through them; a prompt does not say types.
PASSES = {
    "MODEL": ("model", "model1", "model2", "model_negative", "unet"),
    "SIGMAS": ("sigmas", "sigmas_1", "sigmas_2"),
}
PASSES |= {"SAMPLER": ("sampler",), "GUIDER": ("guider",)}
ANY = ("on_true", "on_false", "anything", "any_01", "input")


class ApiNode:
    """A node of a prompt. data: its JSON object, which is edited in place."""

    graph = False
    state = ""

    def __init__(self, name: str, data: dict, scope: ApiScope):
        self.id, self.data, self.scope = name, data, scope

    @property
    def kind(self) -> str:
        return self.data["class_type"]

    @property
    def title(self) -> str:
        meta = self.data.get("_meta")
        title = meta.get("title") if isinstance(meta, dict) else None
        return title if isinstance(title, str) else ""

    def fields(self) -> dict:
        return self.data["inputs"]

    def linked(self, name: str) -> bool:
        return _is_link(self.fields().get(name))

    def origin(self, name: str) -> Port | None:
        value = self.fields().get(name)
        node = self.scope.by_id.get(str(value[0])) if _is_link(value) else None
        return Port(node, value[1]) if node else None

    def upstream(self, kind: str) -> list[Port]:
        """What feeds the inputs that are, by their names, of a type."""
        return [
            port for port in (self.origin(name) for name in (*PASSES.get(kind, ()), *ANY)) if port
        ]

    def makes(self, kind: str) -> bool:
        """Whether it is known to have an output of a type."""
        entry = known(self.kind)
        return kind == "SIGMAS" and (
            entry.get("role") in ("maker", "modifier") or entry.get("sigmas", False)
        )

    def value(self, name: str | None):
        value = self.fields().get(name)
        return None if _is_link(value) else value

    def set(self, name: str, value) -> None:
        self.fields()[name] = value

    def texts(self) -> list[str]:
        """Every text among its values."""
        return [value for value in list(self.fields().values())[:200] if isinstance(value, str)]

    def memory(self) -> dict | None:
        """What the swap noted here, if it did."""
        meta = self.data.get("_meta")
        found = meta.get(MEMORY) if isinstance(meta, dict) else None
        return found if isinstance(found, dict) else None


class ApiScope:
    """A whole prompt."""

    name = None
    root = True

    def __init__(self, data: dict):
        self.data = data
        self.nodes = [
            ApiNode(name, entry, self) for name, entry in data.items() if is_api_node(entry)
        ]
        self.by_id = {node.id: node for node in self.nodes}


def is_api_node(entry: object) -> bool:
    """Whether an entry of a prompt is a node."""
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("class_type"), str)
        and isinstance(entry.get("inputs"), dict)
    )


def _is_link(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and is_id(value[0]) and type(value[1]) is int
