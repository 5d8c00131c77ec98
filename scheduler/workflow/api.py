"""The API format (a prompt): each node's class and its inputs by name, a link as [node, slot].

Reading it; api_edit.py writes.
"""

from __future__ import annotations

from typing import Any, TypeGuard

from .kinds import MEMORY, known
from .protocols import Port, is_id

# Under which names nodes take what passes through them; a prompt does not say types.
PASSES: dict[str, tuple[str, ...]] = {
    "MODEL": ("model", "model1", "model2", "model_negative", "unet"),
    "SIGMAS": ("sigmas", "sigmas_1", "sigmas_2"),
    "SAMPLER": ("sampler",),
    "GUIDER": ("guider",),
    "LATENT": ("latent_image", "latent", "samples"),
}
ANY = ("on_true", "on_false", "anything", "any_01", "input")


class ApiNode:
    """A node of a prompt. data: its JSON object, which is edited in place."""

    graph = False
    state = ""

    def __init__(self, name: str, data: dict, scope: ApiScope):
        self.id = name
        self.data = data
        self.scope = scope

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

    def wired(self, name: str) -> bool:
        return self.linked(name)

    def origin(self, name: str) -> Port | None:
        value = self.fields().get(name)
        if not _is_link(value):
            return None
        node = self.scope.by_id.get(str(value[0]))
        return Port(node, value[1]) if node else None

    def upstream(self, kind: str) -> list[Port]:
        """What feeds the inputs that are, by their names, of a type."""
        ports = [self.origin(name) for name in (*PASSES.get(kind, ()), *ANY)]
        return [port for port in ports if port]

    def makes(self, kind: str) -> bool:
        """Whether it is known to have an output of a type."""
        if kind != "SIGMAS":
            return False
        entry = known(self.kind)
        return entry.get("role") in ("maker", "modifier") or entry.get("sigmas", False)

    def input_names(self) -> list[str]:
        return list(self.fields())

    def output_name(self, slot: int) -> str | None:
        """A prompt does not name outputs."""
        return None

    def value(self, name: str | None) -> Any:
        value = self.fields().get(name)
        return None if _is_link(value) else value

    def set(self, name: str, value: object) -> None:
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
        entries = [(name, entry) for name, entry in data.items() if is_api_node(entry)]
        self.nodes = [ApiNode(name, entry, self) for name, entry in entries]
        self.by_id = {node.id: node for node in self.nodes}

    def outer(self, slot: int) -> str | None:
        """A prompt has no inputs of its own."""
        return None


def is_api_node(entry: object) -> bool:
    """Whether an entry of a prompt is a node."""
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("class_type"), str)
        and isinstance(entry.get("inputs"), dict)
    )


def _is_link(value: object) -> TypeGuard[list]:
    return isinstance(value, list) and len(value) == 2 and is_id(value[0]) and type(value[1]) is int
