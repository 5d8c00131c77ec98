"""What a fingerprint costs against file size, and what it is equal across.

    python -m benchmarks.fingerprint [--folder FOLDER]

Files up to 1 GB are filled with random numbers; the larger ones are sparse, for a fingerprint reads
as little of them. "first" is the first time in this process, right after the file was made (its
pages are in the file cache), "warm" the median of 20 more.
"""

from __future__ import annotations

import argparse
import json
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from scheduler.fingerprint import file_hash, fingerprint_file, fingerprint_tensors
from scheduler.fingerprint.kinship import kinship

# GB, tensors: a small model; SD1.5's and SDXL's UNets with about as many tensors; FLUX's; Wan's 14
# billion in fp16; 12 billion in fp32.
SIZES = (
    (0.01, 60),
    (0.1, 400),
    (1, 686),
    (1.7, 686),
    (5.1, 1680),
    (10, 780),
    (24, 780),
    (28, 1095),
    (48, 780),
)
FILLED = 1.0


def make(path: Path, gigabytes: float, tensors: int) -> None:
    """A BF16 safetensors file with names as long as real ones: half of its tensors are matrices."""
    block = "model.diffusion_model.double_blocks"
    parts = ("img_attn.proj.bias", "img_attn.qkv.weight")
    names = [f"{block}.{k // 2}.{parts[k % 2]}" for k in range(tensors)]
    side = int((gigabytes * 1e9 / 2 / (tensors // 2)) ** 0.5)
    header = {}
    place = 0
    for name in names:
        shape = [side, side] if name.endswith("weight") else [side]
        length = 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [place, place + length]}
        place += length
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        if gigabytes > FILLED:
            file.truncate(8 + len(text) + place)
            return
        rng = np.random.default_rng(0)
        for start in range(0, place, 1 << 24):
            numbers = rng.normal(0, 0.02, min(1 << 23, (place - start) // 2)).astype(np.float32)
            file.write((numbers.view(np.uint32) >> 16).astype("<u2").tobytes())


def milliseconds(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return 1e3 * (time.perf_counter() - begun)


def times(folder: Path) -> None:
    print(f"{'GB':>6}{'tensors':>9}{'first ms':>10}{'warm ms':>9}{'slowest of 20':>15}")
    for gigabytes, tensors in SIZES:
        path = folder / "model.safetensors"
        make(path, gigabytes, tensors)
        first, *rest = [milliseconds(lambda path=path: fingerprint_file(path)) for _ in range(21)]
        spent = f"{first:10.1f}{np.median(rest):9.1f}{max(rest):15.1f}"
        print(f"{gigabytes:6}{tensors:9}{spent}", flush=True)
        if gigabytes == FILLED:
            spent = milliseconds(lambda path=path: file_hash(path))
            print(f"       (SHA-256 of every byte of the {gigabytes} GB file: {spent:,.0f} ms)")
        path.unlink()


def equality() -> None:
    """Kinship of one model with itself in other clothes, and with others."""
    generator = torch.Generator().manual_seed(0)
    own = {
        f"blocks.{k}.{part}": 0.03
        * torch.randn((256, 256) if "weight" in part else (256,), generator=generator)
        for k in range(150)
        for part in ("attn.weight", "attn.bias")
    }
    noise = {
        name: torch.randn(tensor.shape, generator=generator) * tensor.std()
        for name, tensor in own.items()
    }
    there = fingerprint_tensors(own)
    matrices = [name for name, tensor in own.items() if tensor.ndim == 2]
    third = [name for name in own if name.split(".")[1] in ("3", "50", "99")]
    half = {name: tensor.half() for name, tensor in own.items()}
    brain = {name: tensor.bfloat16() for name, tensor in own.items()}
    tuned = {name: tensor + 0.001 * noise[name] for name, tensor in own.items()}
    e4m3, e5m2 = torch.float8_e4m3fn, torch.float8_e5m2
    cases = {
        "prefix model.diffusion_model.": {f"model.diffusion_model.{n}": t for n, t in own.items()},
        "reversed order": dict(reversed(own.items())),
        "column by column in memory": own | {n: own[n].t().contiguous().t() for n in matrices},
        "cast to float16": half,
        "cast to bfloat16": brain,
        "float16, then bfloat16": {name: tensor.bfloat16() for name, tensor in half.items()},
        "bfloat16, then float32": {name: tensor.float() for name, tensor in brain.items()},
        "cast to float8 e4m3": {name: tensor.to(e4m3) for name, tensor in own.items()},
        "cast to float8 e5m2": {name: tensor.to(e5m2) for name, tensor in own.items()},
        "scaled float8": own | {name: (own[name] / 2e-4).to(e4m3) for name in matrices},
        "finetune, 0.1 % of the spread": tuned,
        "the same, both in float16": {name: tensor.half() for name, tensor in tuned.items()},
        "finetune, 10 %": {name: tensor + 0.1 * noise[name] for name, tensor in own.items()},
        "3 of 150 blocks changed by 1 %": own | {name: own[name] * 1.01 for name in third},
        "other weights": noise,
    }
    print(f"\n{'the weights in float32 against':<34}{'kinship':<12}{'mean cosine':<14}words")
    for name, tensors in cases.items():
        other = fingerprint_tensors(half) if "both in" in name else there
        found = kinship(fingerprint_tensors(tensors), other)
        print(f"{name:<34}{found.kind:<12}{found.alike:<14.6f}{found.words}")
    live = np.median([milliseconds(lambda: fingerprint_tensors(own)) for _ in range(9)])
    comparison = np.median([milliseconds(lambda: kinship(there, there)) for _ in range(9)])
    print(f"live weights, 300 tensors: {live:.1f} ms; one comparison: {comparison:.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--folder", help="where the files are made (default: the system's temporary folder)"
    )
    with tempfile.TemporaryDirectory(dir=parser.parse_args().folder) as folder:
        times(Path(folder))
    equality()


if __name__ == "__main__":
    main()
