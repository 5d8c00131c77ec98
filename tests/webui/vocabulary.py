"""CLIP's tokenizer where A1111 looks for it offline: a hub cache folder, filled from the vocabulary
that the `clip` package carries."""

from __future__ import annotations

import gzip
import importlib.util
import json
from pathlib import Path

MODEL = "models--openai--clip-vit-large-patch14"
REVISION = "0" * 40


def write(hub: Path) -> Path:
    """Make the cache entry; returns its snapshot's folder. Does nothing where neither `clip` nor
    `open_clip` is installed."""
    folder = hub / MODEL / "snapshots" / REVISION
    folder.mkdir(parents=True, exist_ok=True)
    (hub / MODEL / "refs").mkdir(exist_ok=True)
    (hub / MODEL / "refs" / "main").write_text(REVISION)
    source = _source()
    if source is None:
        return folder
    merges = gzip.decompress(source.read_bytes()).decode().split("\n")[1 : 49152 - 256 - 2 + 1]
    letters = list(_letters().values())
    words = (
        letters
        + [letter + "</w>" for letter in letters]
        + ["".join(merge.split()) for merge in merges]
    )
    words += ["<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(
        json.dumps({word: number for number, word in enumerate(words)}), encoding="utf-8"
    )
    (folder / "merges.txt").write_text(
        "#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8"
    )
    special = {
        "bos_token": "<|startoftext|>",
        "eos_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>",
        "pad_token": "<|endoftext|>",
    }
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"do_lower_case": True, "model_max_length": 77, **special})
    )
    (folder / "special_tokens_map.json").write_text(json.dumps(special))
    sizes = {
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "vocab_size": 49408,
    }
    text = {
        "model_type": "clip_text_model",
        "max_position_embeddings": 77,
        "hidden_act": "quick_gelu",
        "projection_dim": 768,
        **sizes,
    }
    (folder / "config.json").write_text(
        json.dumps({"model_type": "clip", "projection_dim": 768, "text_config": text})
    )
    return folder


def _source() -> Path | None:
    for package in ("clip", "open_clip"):
        found = importlib.util.find_spec(package)
        path = found and Path(found.origin).parent / "bpe_simple_vocab_16e6.txt.gz"
        if path and path.is_file():
            return path
    return None


def _letters() -> dict[int, str]:
    """Bytes as printable letters, the way byte-pair vocabularies write them."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in plain]
    return {byte: chr(byte) for byte in plain} | {
        byte: chr(256 + place) for place, byte in enumerate(rest)
    }
