"""How long a store of 10,000 records takes to answer.

    python -m benchmarks.store_lookup [--records 10000] [--folder FOLDER]

Records as a standard run makes them: three samplers at nine step counts, every recipe beside 14
stock schedules, inner products of 50 nodes. 20 conditions for each model, all models of one
architecture: the worst case for finding relatives. Medians of 20; a first lookup parses the record
that it finds, a later one has it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))
from scheduler.fingerprint import Fingerprint  # noqa: E402
from scheduler.lookup.key import Key  # noqa: E402
from scheduler.record import Recipe, Record, load_record  # noqa: E402
from scheduler.store import Store  # noqa: E402
from tests.weights import record_of, smooth_gram, weights  # noqa: E402

CONDITIONS = 20


def typical() -> Record:
    """A record of about 150 KB, a third of it the inner products of 50 nodes."""
    record = record_of(weights(blocks=40))
    rng = np.random.default_rng(0)
    stock = {
        f"schedule_{k} + sampler_{k}": {
            "rms": rng.random(),
            "median": rng.random(),
            "different": 0.1,
        }
        for k in range(14)
    }
    evidence = {
        "rms": 0.1,
        "median": 0.1,
        "samples": 16,
        "stock": stock,
        "best_stock": "schedule_1 + sampler_1",
        "ratio": 0.5,
        "margin": 0.1,
    }
    recipes = []
    for sampler in ("distilled", "dpmpp_2m", "euler"):
        for steps in range(4, 13):
            sigmas = np.append(np.sort(rng.random(steps - 1))[::-1] * 0.9, 0.0)
            rows = rng.random((steps, 4)) if sampler == "distilled" else None
            recipes.append(
                Recipe(
                    sampler,
                    steps,
                    1.0,
                    [1.0, *sigmas],
                    [0.0, *rng.random(steps - 1)],
                    rows,
                    evidence=evidence,
                )
            )
    return replace(record, recipes=tuple(recipes), gram=smooth_gram(50))


def fill(folder: Path, count: int) -> None:
    """Write the records, each model's samples drawn anew."""
    data, rng = json.loads(typical().to_json()), np.random.default_rng(1)
    samples = data["model"]["samples"]
    for number in range(count):
        if number % CONDITIONS == 0:
            for sample in samples.values():
                sample["values"] = [
                    float(str(value))
                    for value in rng.normal(0, 0.05, len(sample["values"])).astype(np.float32)
                ]
            data["model"] |= {
                "fingerprint": f"w1-model-{number // CONDITIONS}",
                "name": f"Model {number // CONDITIONS}",
            }
        data["conditions"]["cfg"] = 1.0 + number % CONDITIONS
        (folder / f"model-{number}.json").write_text(json.dumps(data))


def said(what: str, call, times: int = 20) -> None:
    """Print medians of wall-clock and CPU time."""
    spent = []
    for _ in range(times):
        begun, worked = time.perf_counter(), time.process_time()
        call()
        spent.append((time.perf_counter() - begun, time.process_time() - worked))
    wall, cpu = 1e3 * np.median(spent, axis=0)
    print(f"{what:<52}{wall:12,.1f}{cpu:12,.1f}", flush=True)


def questions(folder: Path, count: int) -> dict[str, list[Key]]:
    """For each kind of question 20 keys, of different models."""
    keys = []
    for number in range(0, count, max(count // 20, 1)):
        keys.append(Key.of(load_record(folder / f"model-{number}.json"), "euler"))
    strange = [
        replace(key.fingerprint, samples=_noised(key.fingerprint.samples), id=f"w1-{k}")
        for k, key in enumerate(keys)
    ]
    cast = [
        Fingerprint(f"w1-cast-{k}", _cast(key.fingerprint.samples)) for k, key in enumerate(keys)
    ]
    return {
        "exact": keys,
        "exact, weights cast to bfloat16": [
            replace(key, fingerprint=one) for key, one in zip(keys, cast, strict=True)
        ],
        "nearest, another cfg": [replace(key, cfg=70.0) for key in keys],
        "another range, to be solved": [replace(key, sigma_max=0.9) for key in keys],
        "nothing, an unknown model": [
            replace(key, fingerprint=one) for key, one in zip(keys, strange, strict=True)
        ],
    }


def _cast(samples: dict) -> dict:
    def bfloat16(values):
        bits = np.array(values, dtype=np.float32).view(np.uint32) + 0x8000
        return (bits & 0xFFFF0000).astype(np.uint32).view(np.float32).astype(float).tolist()

    return {
        name: {**sample, "dtype": "BF16", "values": bfloat16(sample["values"])}
        for name, sample in samples.items()
    }


def _noised(samples: dict) -> dict:
    rng = np.random.default_rng(2)
    return {
        name: {**sample, "values": rng.normal(0, 0.05, len(sample["values"])).tolist()}
        for name, sample in samples.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument(
        "--folder", help="where the store is made (default: the system's temporary folder)"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as name:
        folder = Path(name)
        fill(folder, asked.records)
        size = sum(path.stat().st_size for path in folder.iterdir())
        print(f"{asked.records:,} records, {size / 1e6:,.0f} MB")
        keys = questions(folder, asked.records)
        print(f"{'':<52}{'wall ms':>12}{'CPU ms':>12}")
        said("the first look ever (every record is parsed)", lambda: Store(folder).records(), 1)
        said("a new process (the index is read)", lambda: Store(folder).records(), 3)
        time.sleep(3)  # until the folder counts as settled
        store = Store(folder)
        store.records()
        for what, asked_keys in keys.items():
            fresh = iter(asked_keys)
            said(f"lookup, {what}, first", lambda it=fresh: store.lookup(next(it)), len(asked_keys))
            said(f"lookup, {what}, again", lambda key=asked_keys[-1]: store.lookup(key))
        said("revision", store.revision)
        record = store.load("model-0")
        said("put", lambda: store.put(record), 5)
        said(
            "lookup just after a put (the folder is scanned)",
            lambda: store.lookup(keys["exact"][0]),
            5,
        )


if __name__ == "__main__":
    main()
