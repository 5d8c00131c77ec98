"""What the two formats of a workflow have in common: nodes, scopes, ports, and how they are changed.

graph.py and api.py read the page's format and the API's; graph_edit.py and api_edit.py change them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, TypeGuard

Id = int | str  # of a node or a link


def is_id(value: object) -> TypeGuard[Id]:
    """Whether a value may name a node or a link."""
    return isinstance(value, (int, str)) and not isinstance(value, bool)


class Port(NamedTuple):
    """An output of a node, or an input of the whole subgraph (node None)."""

    node: Node | None
    slot: int


class Scope(Protocol):
    """A graph, the definition of a subgraph, or a whole prompt. data: its JSON object."""

    data: dict

    @property
    def root(self) -> bool:
        """Whether it is no subgraph."""

    @property
    def name(self) -> str | None:
        """A subgraph's name."""

    @property
    def nodes(self) -> Sequence[Node]: ...

    def outer(self, slot: int) -> str | None:
        """The name of a subgraph's input."""


class Node(Protocol):
    """A node of either format. data: its JSON object, which is edited in place."""

    data: dict

    @property
    def id(self) -> Id: ...

    @property
    def scope(self) -> Scope: ...

    @property
    def graph(self) -> bool:
        """Whether it is in the page's own format."""

    @property
    def kind(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def state(self) -> str:
        """ "muted", "bypassed", or "" for a node that runs."""

    def value(self, name: str | None) -> Any:
        """A value as the node holds it, or None."""

    def set(self, name: str, value: object) -> None:
        """Put a value in its place."""

    def linked(self, name: str) -> bool:
        """Whether a link feeds an input."""

    def origin(self, name: str) -> Port | None:
        """What feeds an input."""

    def upstream(self, kind: str) -> list[Port]:
        """What feeds the inputs of a type."""

    def makes(self, kind: str) -> bool:
        """Whether it has an output of a type."""

    def input_names(self) -> list[str]:
        """The names of all that may be linked."""

    def output_name(self, slot: int) -> str | None:
        """The name of an output, where the file tells it."""

    def texts(self) -> list[str]:
        """Every text among its values."""

    def memory(self) -> dict | None:
        """What a swap noted here, if it did."""


class Edits(Protocol):
    """The module that changes nodes of one format; each function takes nodes of that format."""

    def broken(self, node: Any) -> str | None:
        """Why a node cannot be changed safely, or None."""

    def remember(self, node: Any, memory: dict) -> None:
        """Note something on a node."""

    def forget(self, node: Any) -> None:
        """Take the note away again."""

    def retype(self, node: Any, kind: str, values: dict, kept: dict[str, str]) -> dict:
        """Make a node another kind in place; returns the memory for `untype`."""

    def untype(self, node: Any, memory: dict) -> list[str]:
        """Undo `retype`; returns what could not be restored, in words."""

    def sound(self, memory: dict) -> bool:
        """Whether a note is one that `untype` and `unroute` can follow."""

    def connect(self, node: Any, name: str, port: Port) -> None:
        """Link a port to an input."""

    def redirect(self, node: Any, name: str, port: Port) -> list:
        """Let an input be fed by another port; returns the memory for `unroute`."""

    def unroute(self, node: Any, moved: list, staying: Sequence[Any] = ()) -> None:
        """Let all that a node's first output feeds, but the nodes that stay, be fed by what feeds
        its input `model`."""

    def add(self, scope: Any, kind: str, values: dict, near: Any, offset: tuple[int, int]) -> Node:
        """A new node beside another one."""

    def remove(self, node: Any) -> bool:
        """Take a node out that feeds nothing any more; whether it was."""

    def settle(self, scope: Any) -> None:
        """Note in the scope which ids were given out."""

    def unsettle(self, scope: Any) -> None:
        """Take that back, once nothing in the scope is swapped any more."""
