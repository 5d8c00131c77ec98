"""The page's own format: nodes with lists of values and a table of links.

In a graph and in subgraphs. Reading it; graph_edit.py writes. A stranger's file may hold anything
anywhere: what is not as it should be is passed over, and stays as it is.
"""

from __future__ import annotations

from typing import Any

from .everywhere import Broadcast, broadcast_in
from .kinds import CONTROL, LOADERS, MEMORY, known
from .protocols import Id, Port, is_id

FIELDS = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
STATES = {2: "muted", 4: "bypassed"}  # by the number of a node's mode


class Link:
    """One row of the table of links: a list of six in the graph, an object in a subgraph."""

    def __init__(self, row: list | dict):
        self.row = row

    def __getitem__(self, field: str) -> Any:
        if isinstance(self.row, dict):
            return self.row.get(field)
        return self.row[FIELDS.index(field)]

    def __setitem__(self, field: str, value: object) -> None:
        if isinstance(self.row, dict):
            self.row[field] = value
        else:
            self.row[FIELDS.index(field)] = value


class GraphNode:
    """A node of a graph. data: its JSON object, which is edited in place."""

    graph = True

    def __init__(self, data: dict, scope: GraphScope):
        self.data = data
        self.scope = scope

    @property
    def id(self) -> Id:
        return self.data["id"]

    @property
    def kind(self) -> str:
        return self.data["type"]

    @property
    def title(self) -> str:
        return self.data["title"] if isinstance(self.data.get("title"), str) else ""

    @property
    def state(self) -> str:
        """ "muted", "bypassed", or "" for a node that runs."""
        mode = self.data.get("mode")
        return STATES.get(mode, "") if type(mode) is int else ""

    def inputs(self) -> list[dict]:
        return _dicts(self.data.get("inputs"))

    def outputs(self) -> list[dict]:
        return _dicts(self.data.get("outputs"))

    def input(self, name: str) -> dict | None:
        return next((entry for entry in self.inputs() if entry.get("name") == name), None)

    def input_names(self) -> list[str]:
        names = [entry.get("name") for entry in self.inputs()]
        return [name for name in names if isinstance(name, str)]

    def widget_inputs(self) -> list[str]:
        """The names of the inputs that are values."""
        return [str(entry.get("name")) for entry in self.inputs() if entry.get("widget")]

    def output_name(self, slot: int) -> str | None:
        outputs = self.outputs()
        return outputs[slot].get("name") if 0 <= slot < len(outputs) else None

    def link(self, name: str) -> Link | None:
        """The link that feeds an input."""
        entry = self.input(name)
        link = self.scope.link(entry.get("link")) if entry else None
        return link if link and link["target_id"] == self.id else None

    def wired(self, name: str) -> bool:
        return self.link(name) is not None

    def linked(self, name: str) -> bool:
        return self.wired(name) or (self.id, name) in self.scope.broadcast

    def origin(self, name: str) -> Port | None:
        """What feeds an input, by a link or without one (everywhere.py)."""
        link = self.link(name)
        return self.scope.origin(link) if link else self.scope.broadcast.get((self.id, name))

    def upstream(self, kind: str) -> list[Port]:
        """What feeds the inputs of a type; reroutes and the like may be of any type."""
        ports: list[Port | None] = []
        for entry in self.inputs():
            link = self.scope.link(entry.get("link"))
            if link is None:
                if entry.get("type") == kind:
                    ports.append(self.scope.broadcast.get((self.id, entry.get("name", ""))))
                continue
            types = (entry.get("type"), link["type"])
            if kind in types or all(each in ("*", "", None) for each in types):
                ports.append(self.scope.origin(link))
        return [port for port in ports if port]

    def makes(self, kind: str) -> bool:
        """Whether it has an output of a type."""
        return any(entry.get("type") == kind for entry in self.outputs())

    def names(self) -> list[str]:
        """The names of its values, in their order; empty where they are not known."""
        values = self.data.get("widgets_values")
        names = known(self.kind).get("widgets") or LOADERS.get(self.kind, [])
        if not names and isinstance(values, list) and len(self.widget_inputs()) == len(values):
            names = self.widget_inputs()
        # Written by a program, not by the page, they lack the page's own.
        if isinstance(values, list) and len(values) == len(names) - 1 and CONTROL in names:
            return [name for name in names if name != CONTROL]
        return names

    def value(self, name: str | None) -> Any:
        """A value as the node holds it (while a link feeds it, what it was before), or None."""
        values = self.data.get("widgets_values")
        place = self._place(name)
        if isinstance(values, list) and place is not None:
            return values[place]
        named = values if isinstance(values, dict) else self.data.get("widgets_values_named")
        return named.get(name) if isinstance(named, dict) else None

    def set(self, name: str, value: object) -> None:
        """Put a value in its place, and wherever newer pages repeat it by name."""
        values = self.data.get("widgets_values")
        place = self._place(name)
        if isinstance(values, list) and place is not None:
            values[place] = value
        elif isinstance(values, dict) and name in values:
            values[name] = value
        named = self.data.get("widgets_values_named")
        if isinstance(named, dict) and name in named:
            named[name] = value

    def _place(self, name: str | None) -> int | None:
        """Where a value stands in the list of values, if there is one and it goes that far."""
        values = self.data.get("widgets_values")
        names = self.names()
        if not isinstance(values, list) or name not in names:
            return None
        place = names.index(name)
        return place if place < len(values) else None

    def texts(self) -> list[str]:
        """Every text among its values."""
        values = self.data.get("widgets_values")
        if isinstance(values, dict):
            values = list(values.values())
        parts: list = []
        for value in _list(values)[:200]:
            on = isinstance(value, dict) and value.get("on") is not False  # a row of LoRAs
            parts += [each for key, each in value.items() if key != "type"] if on else [value]
        return [part for part in parts if isinstance(part, str)]

    def memory(self) -> dict | None:
        """What the swap noted here, if it did."""
        properties = self.data.get("properties")
        found = properties.get(MEMORY) if isinstance(properties, dict) else None
        return found if isinstance(found, dict) else None


class GraphScope:
    """The graph, or the definition of a subgraph. name: None for the graph itself."""

    def __init__(self, data: dict, root: bool):
        self.data = data
        self.root = root
        # The highest ids in the whole workflow; every scope holds the same.
        self.ids: dict[str, int] = {"node": 0, "link": 0}
        self.given: dict[str, int] = {}  # the highest that were given out here
        self.name = None if root else str(data.get("name") or data.get("id") or "?")
        entries = _list(data.get("nodes"))
        self.nodes = [GraphNode(entry, self) for entry in entries if _is_node(entry)]
        self.by_id: dict[Id, GraphNode | None] = {}  # None: two nodes have that id
        for node in self.nodes:
            self.by_id[node.id] = None if node.id in self.by_id else node
        self.links: dict[Id, Link] = {}
        self.broadcast: Broadcast = {}
        for row in _list(data.get("links")):
            if is_link(row):
                self.links.setdefault(Link(row)["id"], Link(row))
        self.broadcast = broadcast_in(self)

    def link(self, link_id: object) -> Link | None:
        return self.links.get(link_id) if is_id(link_id) else None

    def origin(self, link: Link) -> Port | None:
        """What a link comes from; None where that is not there, or not clear."""
        origin_id = link["origin_id"]
        if origin_id in self.by_id:
            node = self.by_id[origin_id]
            return Port(node, link["origin_slot"]) if node else None
        from_outside = not self.root and origin_id == self.entry_id
        return Port(None, link["origin_slot"]) if from_outside else None

    @property
    def entry_id(self) -> Id:
        """The id under which links start at the subgraph's own inputs."""
        found = self.data.get("inputNode")
        return found.get("id", -10) if isinstance(found, dict) else -10

    def outer(self, slot: int) -> str | None:
        """The name of the subgraph's input."""
        entries = _dicts(self.data.get("inputs"))
        return entries[slot].get("name") if 0 <= slot < len(entries) else None

    def entries(self) -> list[dict]:
        """The subgraph's own inputs."""
        return _dicts(self.data.get("inputs"))

    def leads_to_value(self, entry: dict) -> bool:
        """Whether an input of the subgraph feeds a value of a node."""
        links = [self.link(link_id) for link_id in _list(entry.get("linkIds"))[:100]]
        for link in [each for each in links if each]:
            node = self.by_id.get(link["target_id"])
            inputs = node.inputs() if node else []
            if any(each.get("link") == link["id"] and each.get("widget") for each in inputs):
                return True
        return False

    def inner(self, name: object, slot: int) -> list[Port]:
        """What feeds an output of the subgraph, by its name, or its place where names don't tell."""
        entries = _dicts(self.data.get("outputs"))
        at_place = entries[slot] if 0 <= slot < len(entries) else {}
        entry = next((entry for entry in entries if entry.get("name") == name), at_place)
        found = [self.link(link_id) for link_id in _list(entry.get("linkIds"))[:100]]
        return [port for port in (self.origin(link) for link in found if link) if port]


def _is_node(entry: object) -> bool:
    return isinstance(entry, dict) and is_id(entry.get("id")) and isinstance(entry.get("type"), str)


def is_link(row: object) -> bool:
    """Whether this is a link in either of the page's forms, a list or a mapping.

    With ids and slots of the right kinds.
    """
    if not isinstance(row, dict) and not (isinstance(row, list) and len(row) >= len(FIELDS)):
        return False
    link = Link(row)
    slots = all(type(link[field]) is int for field in ("origin_slot", "target_slot"))
    return slots and all(is_id(link[field]) for field in ("id", "origin_id", "target_id"))


def _list(value: object) -> list:
    return value if isinstance(value, list) else []


def _dicts(value: object) -> list[dict]:
    return [entry for entry in _list(value) if isinstance(entry, dict)]
