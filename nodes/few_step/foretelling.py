"""What the next picture of a Few-Step KSampler will be, before it is run: decided as its run decides, from
what runs of this session have shown of the same model, and only where the graph tells all the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

from ..host.picture_records import signatures
from ..host.running_prompt import is_link, running_node
from ..names import MARK
from .by_file import by_file

SCENE = ("model", "positive", "negative", "latent_image")
TEXTS = (
    "text",
    "text_g",
    "text_l",
    "clip_l",
    "t5xxl",
    "prompt",
    "digits",
)  # another prompt, no more
SEEDS = ("seed", "noise_seed")
SIZES = ("width", "height", "batch_size")
MOST = 64


@dataclass(frozen=True)
class Seen:
    """Of a run: the model's facts, its latent's shape, the distilled guidance, why it was not learnt
    from, the size that its empty latent's node named (None: other nodes), what its pace is remembered by,
    and whether cfg was 1."""

    facts: Any
    shape: tuple[int, ...]
    guidance: float | None
    obstacle: Any
    size: tuple[int, int] | None
    paced: str
    unguided: bool

    def pace(self, shape: tuple[int, ...], cfg: float) -> float | None:
        """Seconds a model call takes, where any of this size and as many evaluations were timed."""
        from ..page.price import pace

        same = shape == self.shape and (cfg == 1) == self.unguided
        return pace(self.paced) if same else None


_seen: dict[str, Seen] = {}
_prompts: dict[str, str] = {}  # what a prompt's run is known by again
_lock = Lock()


def remember(
    facts: Any, scene: Any, guidance: float | None, obstacle: Any, prompt: str, paced: str
) -> None:
    """Note what the running node draws with. paced: what its pace is remembered by (price.pace_key)."""
    node = running_node()
    if node is None:
        return
    asked = _Asked(node.prompt, node.inputs)
    if not asked.whole:
        return
    with _lock:
        whole = tuple(scene.shape), guidance, obstacle, asked.size, paced, scene.cfg == 1
        _put(_seen, asked.scene, Seen(facts, *whole))
        _put(_prompts, asked.exact(scene.cfg), prompt)


def foretold(prompt: Mapping, node: str) -> str:
    """The next picture of a node of a prompt (API format), as a sentence; "" where it is not known.
    Before the model's first run of a session, what the store holds for its file."""
    entry = prompt.get(node)
    inputs = entry.get("inputs") if isinstance(entry, Mapping) else None
    if not isinstance(inputs, Mapping) or is_link(inputs.get("record")):
        return ""
    numbers = [inputs.get(name) for name in ("steps", "cfg", "denoise")]
    if any(type(each) not in (int, float) for each in numbers):
        return ""
    asked = _Asked(prompt, inputs)
    with _lock:
        seen = _seen.get(asked.scene) if asked.whole else None
        known = _prompts.get(asked.exact(float(numbers[1]))) if asked.whole else None
    if seen is None:
        return by_file(prompt, node) if asked.whole else ""
    shape = _shape(seen, asked.size)
    return "" if shape is None else _told(seen, shape, inputs, known)


def _told(seen: Seen, shape: tuple[int, ...], inputs: Mapping, prompt: str | None) -> str:
    from ...scheduler.learning import deciding, words
    from ...scheduler.learning.drawing import foretell
    from ...scheduler.learning.situation import Situation
    from ..host.store import store
    from .picture import TIMING

    key = seen.facts.key(float(inputs["cfg"]), shape, seen.guidance)
    here = Situation.of(seen.facts, key, int(inputs["steps"]), float(inputs["denoise"]))
    told = foretell(store(), here, str(inputs.get("learn")), prompt, seen.obstacle)
    if told is None:
        return ""
    seconds = seen.pace(shape, float(inputs["cfg"]))
    if told.decision.action == deciding.LEARN_FIRST and seconds is None:  # it tells first
        told = told.priced(told.calls + TIMING, TIMING)
    return words.ahead(told, None if seconds is None else seconds * told.calls)


class _Asked:
    """What a node is fed with. scene: of all that feeds it but an empty latent's size, and words and seeds
    where they make no other model."""

    def __init__(self, prompt: Mapping, inputs: Mapping):
        links = [inputs.get(name) for name in SCENE]
        self.whole = all(is_link(each) for each in links)
        self.scene, self._exact, self.size = "", "", None
        if not self.whole:
            return
        latent = links[-1][0]
        self.size = _size_of(prompt.get(latent))
        bare = {id: _without(entry, (MARK,)) for id, entry in prompt.items()}
        model = _upstream(prompt, links[0][0])
        loose = {id: _loose(entry, id == latent) for id, entry in prompt.items() if id not in model}
        loose |= {id: bare[id] for id in model}
        self.scene = _fed(signatures(loose), links)
        self._exact = _fed(signatures(bare), links[1:3])

    def exact(self, cfg: float) -> str:
        """Of the words too, and of the guidance."""
        return f"{self._exact} {cfg:g}"


def _fed(signed: Mapping[str, str], links: list) -> str:
    return " ".join(f"{signed.get(node, '')}:{slot}" for node, slot in links)


def _upstream(prompt: Mapping, node: str) -> set[str]:
    """A node and all that feeds it, as far as they are in the prompt."""
    found: set[str] = set()
    waiting = [node]
    while waiting:
        here = waiting.pop()
        entry = prompt.get(here)
        if here in found or not isinstance(entry, Mapping):
            continue
        found.add(here)
        waiting += [value[0] for value in entry.get("inputs", {}).values() if is_link(value)]
    return found


def _loose(entry: Any, latent: bool) -> Any:
    empty = latent and _size_of(entry) is not None
    return _without(entry, (MARK, *TEXTS, *SEEDS, *(SIZES if empty else ())))


def _without(entry: Any, left_out: tuple[str, ...]) -> Any:
    if not isinstance(entry, Mapping):
        return entry
    inputs = entry.get("inputs", {}).items()
    kept = {name: value for name, value in inputs if name not in left_out or is_link(value)}
    return {"class_type": entry.get("class_type"), "inputs": kept}


def _size_of(entry: Any) -> tuple[int, int] | None:
    """Width and height of a node that makes an empty latent of a size."""
    if not isinstance(entry, Mapping) or not str(entry.get("class_type")).startswith("Empty"):
        return None
    width, height = (entry.get("inputs", {}).get(name) for name in ("width", "height"))
    return (width, height) if type(width) is int and type(height) is int else None


def _shape(seen: Seen, size: tuple[int, int] | None) -> tuple[int, ...] | None:
    """The latent's shape at another size; None where it cannot be told."""
    if size == seen.size:
        return seen.shape
    if size is None or seen.size is None or seen.facts.streams is not None:
        return None
    rows, columns = seen.shape[-2:]
    cell = seen.size[0] // columns
    exact = (columns * cell, rows * cell) == seen.size and size[0] % cell == size[1] % cell == 0
    return (*seen.shape[:-2], size[1] // cell, size[0] // cell) if exact else None


def _put(kept: dict, name: str, value: Any) -> None:
    kept.pop(name, None)
    while len(kept) >= MOST:
        kept.pop(next(iter(kept)))
    kept[name] = value
