"""Mutated records against the parser: a record or a RecordError, never anything else.

    python -m benchmarks.fuzz_record [--records 200000] [--seed 0]

Never long, never large. Half of the mutations change the JSON tree (values exchanged for hostile
ones, keys dropped, doubled and renamed, parts moved and repeated), half the bytes (flipped, cut,
doubled, spliced, tokens put in). Every record that is accepted must be saved and read again as it
was. Time is CPU time of one call, the least of four where it is above a tenth of the limit, since a
busy machine stalls; memory is traced for every 50th record and for every one above 100 KB.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import sys
import time
import tracemalloc
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from scheduler.errors import RecordError  # noqa: E402
from scheduler.record import Record  # noqa: E402
from tests.weights import record_of, weights  # noqa: E402

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
    b"1e-400", b"0x10", b"'", b"\xef\xbb\xbf", b"stepdistill", b'"stepdistill": 2,', b"/*",
    b"\xf0\x9f\x98\x80",
)
# fmt: on


def base(large: bool) -> dict:
    """A record to mutate: of 5 KB, or one of 200 KB as they come out of a long run."""
    data = json.loads(
        record_of(
            weights(blocks=10 if large else 1),
            patches=[{"name": "l", "strength": 0.5, "fingerprint": "ab"}],
        ).to_json()
    )
    data["recipes"][0] |= {
        "offsets": [0.0, 0.1, -0.1, 0.0],
        "evidence": {"rms": 0.1, "stock": {"beta": {"rms": 0.2, "median": None}}},
    }
    data["recipes"].append(
        {
            **data["recipes"][1],
            "sampler": "distilled",
            "coefficients": [[0.1, 0, 0, 0]] * data["recipes"][1]["steps"],
        }
    )
    data["evidence"] = {
        "curve": {"euler": {"4": 0.5, "6": None}},
        "knee": {"euler": 4},
        "seeds": 8,
        "recommendation": "6 steps",
    }
    if large:
        data["recipes"] = [{**data["recipes"][1], "sampler": f"s{k}"} for k in range(1500)]
    return data


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
    found: Counter[str] = Counter()
    slowest = 0.0
    largest = 0
    begun = time.monotonic()
    bases = [
        (data, list(places(data))[1:], json.dumps(data).encode())
        for data in (base(False), base(True))
    ]
    for number in range(asked.records):
        data, paths, text = bases[number % 1000 == 999]
        mutated = tree_mutated(data, paths, rng) if number % 2 else bytes_mutated(text, rng)
        try:
            found[tried(mutated)] += 1
        except Exception as problem:  # whatever is no RecordError is what is looked for
            found["FAULTS"] += 1
            print(f"record {number}: {type(problem).__name__}: {str(problem)[:300]}", flush=True)
        spent = seconds_of(mutated)
        if spent >= MOST_SECONDS / 10:
            spent = min(spent, *(seconds_of(mutated) for _ in range(3)))
        slowest = max(slowest, spent)
        if number % 50 == 0 or len(mutated) > 100_000:
            largest = max(largest, memory_of(mutated))
    results = ", ".join(f"{n:,} {what}" for what, n in found.items())
    print(f"{asked.records:,} mutated records in {time.monotonic() - begun:.0f} s: {results}")
    limits = f"limits {1e3 * MOST_SECONDS:g} ms, {MOST_BYTES / 1e6:g} MB"
    print(f"slowest {1e3 * slowest:.1f} ms of CPU, most memory {largest / 1e6:.1f} MB ({limits})")
    return 1 if found["FAULTS"] or slowest > MOST_SECONDS or largest > MOST_BYTES else 0


if __name__ == "__main__":
    sys.exit(main())
