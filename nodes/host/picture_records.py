"""Pictures carry the records that they were drawn with.

What a saver writes is the executor's own `extra_pnginfo`; the queue's list of what is running holds
only a copy of it. A node that the host takes from its cache runs no code of ours: what it looked up
is remembered under the signature of all that it was made from, and goes along with every prompt,
queued later or waiting already, that has the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from . import running_prompt
from .store import revision, store
from .workflow_records import put, slim

if TYPE_CHECKING:
    from ...scheduler.record import Record

MOST_REMEMBERED = 256  # nodes
MOST_RECORDS = 32
MOST_PROMPTS = 4096

_data: dict[str, dict] = {}  # what goes along, by the record's name
_names: dict[
    str, tuple[int | None, set[str]]
] = {}  # by a node's signature, at the store's revision (None: at any)
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
    put(extra, name, data)
    node = running_prompt.running_node()
    if node is None:
        return
    signature = signatures(node.prompt)[node.id]
    _remember(signature, name, data, None if lasting else revision())
    for prompt_id, prompt, waiting in running_prompt.waiting_prompts():
        if prompt_id not in _signed:
            _bound(_signed, MOST_PROMPTS)[prompt_id] = signatures(prompt)
        if signature in _signed[prompt_id].values():
            put(waiting, name, data)


def attach_remembered(prompt: Mapping, extra: dict) -> None:
    """Let a prompt that is being queued carry what its nodes looked up before, where the store has
    not changed since: where it has, they look again."""
    now = revision() if _names else None
    for signature in signatures(prompt).values() if _names else ():
        known, names = _names.get(signature, (None, ()))
        for name in names:
            if name in _data and _still(known, now, name):
                put(extra, name, _data[name])


def _still(known: int | None, now: int | None, name: str) -> bool:
    """Whether a node goes on with what it looked up: until the store changes, or, where it was said
    to last, until its record is removed."""
    return known == now if known is not None else (store().folder / f"{name}.json").is_file()


def signatures(prompt: Mapping) -> dict[str, str]:
    """{node's id: a digest of its class and inputs and of all that feeds it}; a loop has none."""
    found: dict[str, str] = {}
    for node in prompt:
        _sign(prompt, node, found, set())
    return found


def _sign(prompt: Mapping, node: str, found: dict[str, str], above: set[str]) -> str:
    if node in found:
        return found[node]
    entry = prompt.get(node)
    if not isinstance(entry, Mapping) or node in above:
        return ""
    parts = []
    for name, value in sorted(entry.get("inputs", {}).items()):
        if running_prompt.is_link(value):
            value = [_sign(prompt, value[0], found, above | {node}), value[1]]
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
