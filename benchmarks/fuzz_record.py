"""Mutated records against the parser: a record or a RecordError, never anything else, never long,
never large.

    python -m benchmarks.fuzz_record [--records 200000] [--seed 0]

Records of both formats are mutated: small ones, and now and then large ones, with 1,500 recipes or
with the inner products of 200 nodes. Half of the mutations change the JSON tree (values exchanged
for hostile ones, keys dropped, doubled and renamed, parts moved and repeated), a few of them the
numbers of the inner products (another size, not finite, not positive semidefinite), the others the
bytes (flipped, cut, doubled, spliced, tokens put in). Every record that is accepted must be saved
and read again as it was. Time is CPU time of one call, the least of four where it is above a tenth
of the limit, since a busy machine stalls; memory is traced for every 50th record and for every one
above 100 KB.
"""

from __future__ import annotations

import argparse
import base64
import copy
import json
import random
import sys
import time
import tracemalloc
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))
from scheduler.errors import RecordError  # noqa: E402
from scheduler.record import Record  # noqa: E402
from tests.weights import record_of, smooth_gram, weights  # noqa: E402

MOST_SECONDS = 0.1
MOST_BYTES = 50_000_000
# fmt: off
HOSTILE = (
    None, True, False, 0, -1, 1, 0.5, -0.0, 1e308, 5e-324, 10**19, 2**64,
    "", "x" * 3000, "\x1b[31m", "\u202e", "\ud800", "../../x", "__class__", "NaN",
    [], {}, [[]], {"": {}}, [0.0] * 2000, {"a": [{}] * 50}, [1.0, 0.5, 0.5, 0.0], "1" * 400,
)
TOKENS = (
    b"NaN", b"Infinity", b"-Infinity", b"1e999", b"null", b"[" * 40, b"{" * 40, b'"' * 3,
    b"\\u0000", b"\\ud800", b"\xff", b"\x00", b"9" * 400, b"]", b"}", b",", b":", b"\\",
    b"1e-400", b"0x10", b"'", b"\xef\xbb\xbf", b"stepdistill", b'"stepdistill": 3,', b"/*",
    b"\xf0\x9f\x98\x80",
)
# fmt: on


def base(blocks: int, nodes: int) -> dict:
    """A record to mutate, with the inner products of a teacher of so many nodes."""
    patch = {"name": "l", "strength": 0.5, "fingerprint": "ab"}
    record = replace(record_of(weights(blocks=blocks), patches=[patch]), gram=smooth_gram(nodes))
    data = json.loads(record.to_json())
    data["recipes"][0] |= {"offsets": [0.0, 0.1, -0.1, 0.0], "evidence": EVIDENCE}
    rows = [[0.1, 0, 0, 0]] * data["recipes"][1]["steps"]
    data["recipes"].append({**data["recipes"][1], "sampler": "distilled", "coefficients": rows})
    data["evidence"] = {
        "curve": {"euler": {"4": 0.5, "6": None}},
        "knee": {"euler": 4},
        "seeds": 8,
        "rows": {"held_out": 8},
        "left_out": [{"code": "step_counts", "steps": [5], "budget": 100}],
        "starts": [{"start_sigma": 0.7, "curve": {"euler": {"4": 0.5}}}],
        "recommendation": {"steps": 4, "sampler": "euler", "offsets": True},
        "of a newer version": {"a": [1, {"b": None}]},
    }
    stage = {"stage": "recording", "calls": 100, "created": "2026-11-21T00:00:00Z", "rows": 4}
    plan = {"steps": [4, 6], "calls": 1000, "effort": "good", "costs": {"teacher": 50}}
    data["provenance"] |= {"stages": [stage], "plans": [plan]}
    return data


EVIDENCE = {
    "rms": 0.1,
    "stock": [{"schedule": "beta", "rms": 0.2, "median": None}],
    "best_stock": {"schedule": "beta"},
    "ratio": 0.5,
    "margin": 0.1,
    "verdict": "better",
}


def old(data: dict) -> dict:
    """Such a record as version 1 had it."""
    found = copy.deepcopy(data) | {"stepdistill": 1}
    del found["inner_products"]
    for recipe in found["recipes"]:
        recipe["choice"] = "beta + dpmpp_2m"
        recipe["evidence"] = {}
    found["recipes"][0]["evidence"] = EVIDENCE | {
        "stock": {"beta": {"rms": 0.2, "median": None}},
        "best_stock": "beta",
        "verdict": "0.50 of the error of the best stock choice (beta)",
    }
    found["evidence"] = {"curve": {"euler": {"4": 0.5}}, "recommendation": "Use it."}
    how = (
        "Plan: at most 927 model calls on 3 samples (lean), then 3051 for the evidence.; euler: 357"
    )
    kept = " Recipes for 4 steps are kept from the record of 2026-11-20, made by: "
    made = {"version": "0.1.0", "created": "2026-11-21T00:00:00Z", "model_calls": 1}
    found["provenance"] = made | {"how": how + kept + how}
    return found


def bases() -> list[tuple[dict, list, bytes]]:
    """(data, the paths of all that is in it, text) of the records that are mutated: two small ones,
    and two large ones."""
    small, many, fine = base(1, 6), base(10, 50), base(1, 200)
    many["recipes"] = [{**many["recipes"][1], "sampler": f"s{k}"} for k in range(1500)]
    found = (small, old(small), many, fine)
    return [(data, list(places(data))[1:], json.dumps(data).encode()) for data in found]


def places(value, path=()):
    """The path of everything in a tree."""
    yield path
    if isinstance(value, dict):
        pairs = value.items()
    else:
        pairs = enumerate(value if isinstance(value, list) else ())
    for key, entry in pairs:
        yield from places(entry, (*path, key))


def tree_mutated(data: dict, paths: list, rng: random.Random) -> bytes:
    data = copy.deepcopy(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        path = rng.choice(paths)
        other = rng.choice(paths)
        try:
            _tree_step(data, path, other, rng)
        except (KeyError, IndexError, TypeError):  # an earlier mutation took the place away
            continue
    return json.dumps(data).encode("utf-8", "surrogatepass")


def products_mutated(data: dict, rng: random.Random) -> bytes:
    """With other numbers in the place of some of its inner products."""
    data = copy.deepcopy(data)
    found = data["inner_products"]
    numbers = np.frombuffer(base64.b64decode(found["products"]), dtype="<f8").copy()
    for _ in range(rng.choice((1, 1, 3))):
        place = rng.randrange(len(numbers))
        scaled = float(numbers[place]) * rng.choice((-1.0, 0.5, 1 + 1e-12, 1e6))
        numbers[place] = rng.choice((float("nan"), float("inf"), -0.0, 1e308, 5e-324, scaled))
    numbers = numbers[: rng.choice((len(numbers), len(numbers), len(numbers) - 1, 1))]
    raw = numbers.tobytes()[: rng.choice((None, None, -3))]
    found["products"] = base64.b64encode(raw).decode()
    return json.dumps(data).encode()


def mutated(number: int, kinds: list[tuple[dict, list, bytes]], rng: random.Random) -> bytes:
    """One mutated record; every 500th is a large one."""
    kind = 2 + number // 500 % 2 if number % 500 == 499 else number // 3 % 2
    data, paths, text = kinds[kind]
    if number % 20 == 19 and "inner_products" in data:
        return products_mutated(data, rng)
    return tree_mutated(data, paths, rng) if number % 2 else bytes_mutated(text, rng)


def _tree_step(data: dict, path: tuple, other: tuple, rng: random.Random) -> None:
    holder = _at(data, path[:-1])
    key = path[-1]
    what = rng.randrange(6)
    if what == 0:
        holder[key] = copy.deepcopy(rng.choice(HOSTILE))
    elif what == 1:
        del holder[key]
    elif what == 2:
        holder[key] = copy.deepcopy(_at(data, other))
    elif what == 3 and isinstance(holder, dict):
        holder[str(key) + rng.choice(("", "x", "\n", "\u2028"))] = holder.pop(key)
    elif what == 4 and isinstance(holder, list):
        holder.extend(copy.deepcopy(holder[key]) for _ in range(rng.choice((1, 3, 300))))
    elif type(holder[key]) in (int, float):
        holder[key] = holder[key] * rng.choice((-1, 0, 10, 1e-9, 1e12)) + rng.choice((0, 1, -1e-7))


def _at(data, path: tuple):
    for key in path:
        data = data[key]
    return data


def bytes_mutated(text: bytes, rng: random.Random) -> bytes:
    for _ in range(rng.choice((1, 1, 2, 5))):
        place = rng.randrange(len(text) + 1)
        length = rng.choice((0, 0, 1, 2, 10, 200))
        token = rng.choice(TOKENS)
        byte = bytes([rng.randrange(256)])
        put = rng.choice((b"", token, byte, text[place : place + 50], text[-(place % 97) :]))
        text = text[:place] + put + text[place + length :]
    return text


def tried(text: bytes) -> str:
    """Parse one; returns what came of it, and raises whatever is no RecordError."""
    try:
        record = Record.from_json(text)
    except RecordError as problem:
        if not str(problem).isprintable() or len(str(problem)) > 1000:
            raise AssertionError(f"an unfit message: {str(problem)!r:.200}") from problem
        return "refused"
    if Record.from_json(record.to_json()) != record:
        raise AssertionError("a record that is accepted is not read again as it was saved")
    return "accepted"


def seconds_of(text: bytes) -> float:
    begun = time.process_time()
    try:
        Record.from_json(text)
    except RecordError:
        pass
    return time.process_time() - begun


def memory_of(text: bytes) -> int:
    tracemalloc.start()
    try:
        Record.from_json(text)
    except RecordError:
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    rng = random.Random(asked.seed)
    kinds = bases()
    found: Counter[str] = Counter()
    slowest = 0.0
    largest = 0
    begun = time.monotonic()
    for number in range(asked.records):
        text = mutated(number, kinds, rng)
        try:
            found[tried(text)] += 1
        except Exception as problem:  # whatever is no RecordError is what is looked for
            found["FAULTS"] += 1
            print(f"record {number}: {type(problem).__name__}: {str(problem)[:300]}", flush=True)
        spent = seconds_of(text)
        if spent >= MOST_SECONDS / 10:
            spent = min(spent, *(seconds_of(text) for _ in range(3)))
        slowest = max(slowest, spent)
        if number % 50 == 0 or len(text) > 100_000:
            largest = max(largest, memory_of(text))
    results = ", ".join(f"{n:,} {what}" for what, n in found.items())
    print(f"{asked.records:,} mutated records in {time.monotonic() - begun:.0f} s: {results}")
    limits = f"limits {1e3 * MOST_SECONDS:g} ms, {MOST_BYTES / 1e6:g} MB"
    print(f"slowest {1e3 * slowest:.1f} ms of CPU, most memory {largest / 1e6:.1f} MB ({limits})")
    return 1 if found["FAULTS"] or slowest > MOST_SECONDS or largest > MOST_BYTES else 0


if __name__ == "__main__":
    sys.exit(main())
