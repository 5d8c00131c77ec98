"""The store under kills and crowds: no record is ever lost or torn.

    python -m benchmarks.store_torture [--kills 200] [--processes 8] [--seconds 60]

Kills: a child writes one record after another over the same keys and tells, through a pipe, each
that it has finished; it is killed (SIGKILL) at a random moment. Afterwards every key must hold a
good record that is not older than the last one told. Crowd: processes write, look up, load and list
at once, each with keys of its own and some that all share. Every read must give a whole record of
the right key, and at the end each process's last records must be there. Needs a POSIX system (fork,
SIGKILL).
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import signal
import struct
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))
from scheduler.lookup.key import Key  # noqa: E402
from scheduler.store import Store  # noqa: E402
from tests.weights import record_of, smooth_gram, weights  # noqa: E402

KEYS = 4
SHARED = 99.0
TOLD = struct.Struct("<ii")
OWN = weights()
TEMPLATE = record_of(OWN, samplers=("euler", "dpmpp_2m"))


def record(cfg: float, number: int):
    """A record whose key is told by its cfg and whose age by its seed."""
    return replace(TEMPLATE, conditions=replace(TEMPLATE.conditions, cfg=cfg, seed=number))


def cfg_of(key: int) -> float:
    return (1.0, 2.0, 4.0, 7.0)[key]


def write_for_ever(folder: str, told: int, first: int, products) -> None:
    store = Store(folder)
    number = first
    while True:
        number += 1
        key = number % KEYS
        store.put(replace(record(cfg_of(key), number), gram=products if number % 3 else None))
        os.write(told, TOLD.pack(key, number))


def kills(folder: str, count: int, rng: random.Random) -> list[str]:
    """Kill a writer `count` times; returns what went wrong."""
    products = smooth_gram(40)
    faults: list[str] = []
    last: dict[int, int] = {}
    reached = 0
    for turn in range(count):
        reading, writing = os.pipe()
        child = multiprocessing.get_context("fork").Process(
            target=write_for_ever, args=(folder, writing, reached, products)
        )
        child.start()
        os.close(writing)
        time.sleep(rng.uniform(0.005, 0.15))
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        told = b"".join(iter(lambda pipe=reading: os.read(pipe, 65536), b""))
        os.close(reading)
        for place in range(0, len(told) // TOLD.size * TOLD.size, TOLD.size):
            key, number = TOLD.unpack_from(told, place)
            last[key] = number
            reached = max(reached, number)
        there = {cfg_of(key): number for key, number in last.items()}
        faults += [f"kill {turn}: {fault}" for fault in lost(folder, there)]
    left = len(list(Path(folder).glob(".*.tmp*")))
    print(f"{count} kills, {reached} finished writes, {left} temporary files left by them")
    return faults


def lost(folder: str, last: dict[float, int]) -> list[str]:
    """What is wrong with the records that should be there: {cfg: number of the last one told}."""
    store = Store(folder)
    faults = []
    for cfg, number in last.items():
        match = store.lookup(Key.of(record(cfg, 0), "euler"))
        if match is None or match.kind != "exact":
            faults.append(f"the record at cfg {cfg:g} is lost")
        elif match.record.conditions.seed < number:
            found = match.record.conditions.seed
            faults.append(f"the record at cfg {cfg:g} is number {found}, older than {number}")
    return faults + [f"{name}: {reason}" for name, reason in store.problems()]


def work(folder: str, number: int, seconds: float, answer) -> None:
    """One of the crowd."""
    rng = random.Random(number)
    store = Store(folder)
    own: dict[float, int] = {}
    faults: list[str] = []
    counts = dict.fromkeys(("written", "read", "listed"), 0)
    end = time.monotonic() + seconds
    prints = replace(Key.of(TEMPLATE).fingerprint, id=f"w1-of-process-{number}")
    mine = replace(
        TEMPLATE,
        model=replace(
            TEMPLATE.model,
            name=f"process {number}",
            fingerprint=prints.id,
            patches=[patch_of(number)],
        ),
    )
    while time.monotonic() < end:
        try:
            turn(store, rng, mine, own, counts, faults)
        except Exception as problem:  # anything at all is a fault here
            faults.append(f"process {number}: {type(problem).__name__}: {problem}")
    for cfg, seed in own.items():
        match = Store(folder).lookup(Key.of(numbered(mine, cfg, 0), "euler"))
        if match is None or match.kind != "exact" or match.record.conditions.seed != seed:
            faults.append(f"process {number}: its last record at cfg {cfg:g} is not there")
    answer.put((counts, faults[:20]))


def patch_of(number: int) -> dict:
    return {"name": f"lora of process {number}", "strength": 1.0}


def numbered(mine, cfg: float, seed: int):
    return replace(mine, conditions=replace(mine.conditions, cfg=cfg, seed=seed))


def turn(store: Store, rng: random.Random, mine, own: dict, counts: dict, faults: list) -> None:
    what = rng.random()
    cfg = cfg_of(rng.randrange(KEYS))
    if what < 0.3:
        seed = own.get(cfg, 0) + 1
        store.put(numbered(mine, cfg, seed))
        own[cfg] = seed
        counts["written"] += 1
    elif what < 0.45:
        store.put(record(SHARED, rng.randrange(1000)))
        counts["written"] += 1
    elif what < 0.95:
        wanted = numbered(mine, cfg, 0) if what < 0.7 else record(SHARED, 0)
        match = store.lookup(Key.of(wanted, "euler"))
        seed = match.record.conditions.seed if match is not None and match.kind == "exact" else None
        if what < 0.7 and cfg in own and seed != own[cfg]:
            faults.append(f"{mine.model.name}: read {seed} for {own[cfg]} at cfg {cfg:g}")
        counts["read"] += 1
    else:
        faults += [f"{name}: {reason}" for name, reason in store.problems()]
        counts["listed"] += 1


def crowd(folder: str, processes: int, seconds: float) -> list[str]:
    context = multiprocessing.get_context("fork")
    answer = context.Queue()
    children = [
        context.Process(target=work, args=(folder, number, seconds, answer))
        for number in range(processes)
    ]
    for child in children:
        child.start()
    found = [answer.get() for _ in children]
    for child in children:
        child.join()
    total = {name: sum(counts[name] for counts, _ in found) for name in found[0][0]}
    done = ", ".join(f"{count:,} {name}" for name, count in total.items())
    print(f"{processes} processes, {seconds:g} s: {done}")
    return [fault for _, faults in found for fault in faults]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    np.random.seed(asked.seed)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        faults = kills(one, asked.kills, random.Random(asked.seed))
        faults += crowd(two, asked.processes, asked.seconds)
    print("\n".join(faults) if faults else "no record lost, none torn")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
