"""Pictures carry the records that they were drawn with.

What a saver writes is the executor's own `extra_pnginfo`; the queue's list of what is running holds
only a copy of it. A node that the host takes from its cache runs no code of ours: what it looked up
is remembered under the signature of all that it was made from, and goes along with every prompt,
queued later or waiting already, that has the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from ..names import MARK
from . import running_prompt
from .attached import is_attached, mark
from .workflow_records import EXTRA, listed, put, slim, write, written

if TYPE_CHECKING:
    from ...scheduler.record import Record

MOST_REMEMBERED = 256  # nodes
MOST_RECORDS = 32
MOST_PROMPTS = 4096

_data: dict[str, dict] = {}  # what goes along, by the record's name
# What nodes looked up: the records' names by a node's signature, at the store's revision (None: at any).
_names: dict[str, tuple[int | None, set[str]]] = {}
_notes: dict[str, tuple[str, dict]] = {}  # what nodes said, each of a kind, by signature
_signed: dict[str, dict[str, str]] = {}  # the signatures of a waiting prompt's nodes, by its id
_last: list = [None, "", None]  # a record, its name and data: a run asks for it two or three times


def attach(record: Record, name: str = "", lasting: bool = False) -> None:
    """Let the pictures of the prompt that runs carry a record, and those of every waiting prompt
    whose same node will be taken from the host's cache. Nothing happens outside a prompt.

    name: of its file in the store, by which Load Record finds it in the picture. lasting: whether
    the node that runs goes on with it when the store has changed.
    """
    extra = running_prompt.running_extra()
    if extra is None:
        return
    digest, data = _slim(record)
    if data is None:
        return
    name = name.removesuffix(".json") or digest
    node = running_prompt.running_node()
    if node is None:
        put(extra, name, data)
        return
    _put_latest(extra, name, data, node.id)
    from .store import revision  # loaded late: the host is waiting while packs are imported

    signature = _signature(node)
    _remember(signature, name, data, None if lasting else revision())
    for waiting, nodes in _waiting(signature):
        _put_record(waiting, name, data, nodes)


def attach_note(kind: str, said: dict | None) -> None:
    """The same for what pictures say of the node that runs (_put_note); None: nothing any more."""
    node = running_prompt.running_node()
    if node is None or (said is None and not _notes):
        return
    signature = _signature(node)
    _notes.pop(signature, None)
    if said is None:
        return
    _bound(_notes, MOST_REMEMBERED)[signature] = kind, said
    for waiting, nodes in _waiting(signature):
        _put_note(waiting, kind, said, nodes)


def attach_remembered(prompt: Mapping, extra: dict) -> None:
    """Let a prompt that is being queued carry what its nodes looked up before, where the store has
    not changed since: where it has, they look again."""
    from .store import revision

    if not _names and not _notes:
        return
    now = revision()
    for node, signature in signatures(prompt).items():
        known, names = _names.get(signature, (None, ()))
        for name in names:
            if name in _data and _still(known, now, name):
                _put_record(extra, name, _data[name], (node,))
        if signature in _notes:
            _put_note(extra, *_notes[signature], (node,))


def forget(name: str) -> None:
    """Of a record that was removed from the store: nothing goes on with it, though one of its name may
    come."""
    removed = name.removesuffix(".json")
    for _, names in _names.values():
        names.discard(removed)


def signature_of(node: running_prompt.RunningNode) -> str:
    """What a node of a prompt is known by again wherever the prompt is queued: without our marks."""
    return _sign(node.prompt, node.id, {}, set(), left_out=MARK)


def _signature(node: running_prompt.RunningNode) -> str:
    return _sign(node.prompt, node.id, {}, set())


def _waiting(signature: str) -> Iterator[tuple[dict, list[str]]]:
    """(what came with it, its nodes) of each waiting prompt that has a node of this signature."""
    for prompt_id, prompt, extra in running_prompt.waiting_prompts():
        if prompt_id not in _signed:
            _bound(_signed, MOST_PROMPTS)[prompt_id] = signatures(prompt)
        nodes = [node for node, each in _signed[prompt_id].items() if each == signature]
        if nodes:
            yield extra, nodes


def _put_latest(extra: dict, name: str, data: dict, node: str) -> None:
    """Let the running prompt carry what its node has just drawn with: for that one, unless its workflow
    has carried such a record."""
    theirs = listed(extra).items()
    own = [other for other, each in theirs if not is_attached(extra, EXTRA, other) and each == data]
    known = name in dict(theirs) and not is_attached(extra, EXTRA, name)
    put(extra, name, data)
    if not own and not known:
        mark(extra, EXTRA, name, (node,))


def _put_record(extra: dict, name: str, data: dict, nodes: Iterable[str]) -> None:
    """Let a prompt carry a record for some of its nodes, unless its workflow has one of that name."""
    if name not in listed(extra) or is_attached(extra, EXTRA, name):
        put(extra, name, data)
        mark(extra, EXTRA, name, nodes)


def _put_note(extra: dict, kind: str, said: dict, nodes: Iterable[str]) -> None:
    """Let a prompt say something of some of its nodes, where its workflow says nothing of them."""
    kept = written(extra, kind)
    free = [node for node in nodes if node not in kept or is_attached(extra, kind, node)]
    if free:
        write(extra, kind, kept | dict.fromkeys(free, said))
        for node in free:
            mark(extra, kind, node, (node,))


def _still(known: int | None, now: int | None, name: str) -> bool:
    """Whether a node goes on with what it looked up: until the store changes, or, where it was said
    to last, until its record is removed."""
    from .store import store

    return known == now if known is not None else (store().folder / f"{name}.json").is_file()


def signatures(prompt: Mapping) -> dict[str, str]:
    """{node's id: a digest of its class and inputs and of all that feeds it}; a loop has none."""
    found: dict[str, str] = {}
    for node in prompt:
        _sign(prompt, node, found, set())
    return found


def _sign(
    prompt: Mapping, node: str, found: dict[str, str], above: set[str], left_out: str = ""
) -> str:
    if node in found:
        return found[node]
    entry = prompt.get(node)
    if not isinstance(entry, Mapping) or node in above:
        return ""
    parts = []
    for name, value in sorted(entry.get("inputs", {}).items()):
        if name == left_out:
            continue
        if running_prompt.is_link(value):
            value = [_sign(prompt, value[0], found, above | {node}, left_out), value[1]]
        elif isinstance(value, float) and value.is_integer():  # a page writes 3.0 as 3
            value = int(value)
        parts.append([name, value])
    text = json.dumps([entry.get("class_type"), parts], default=str)
    found[node] = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    return found[node]


def _slim(record: Record) -> tuple[str, dict | None]:
    from ...scheduler.lookup.key import Key

    if _last[0] is not record:
        _last[:] = record, Key.of(record).digest(), slim(record)
    return _last[1], _last[2]


def _remember(signature: str, name: str, data: dict, now: int | None) -> None:
    known, names = _names.pop(signature, (now, set()))
    names = names if known == now else set()
    _bound(_names, MOST_REMEMBERED)[signature] = now, names | {name}
    _data.pop(name, None)
    _bound(_data, MOST_RECORDS)[name] = data


def _bound(kept: dict, most: int) -> dict:
    """The dictionary, the oldest taken out where it is full."""
    while len(kept) >= most:
        kept.pop(next(iter(kept)))
    return kept
