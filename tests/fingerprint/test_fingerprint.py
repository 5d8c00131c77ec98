"""One identity across prefixes, order, layout, casts and hosts; another for other weights; and no
file is ever loaded or unpickled."""

from __future__ import annotations

import json
import os
import pickle
import struct

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from scheduler.errors import CheckpointError
from scheduler.fingerprint import Fingerprint, file_hash, fingerprint_file, fingerprint_tensors
from scheduler.fingerprint.kinship import OTHER, QUANTISED, RELATED, SAME, kinship
from scheduler.fingerprint.number_formats import coarsest, decoded
from scheduler.fingerprint.sketch import MATRICES, VECTORS, chosen, diffusion_names
from scheduler.fingerprint.tensor_file import open_safetensors
from tests.examples import examples
from tests.weights import cast, prefixed, weights

posix = pytest.mark.skipif(os.name == "nt", reason="needs a POSIX file system")
PLAIN = (torch.float32, torch.float16, torch.bfloat16)
EIGHT = (torch.float8_e4m3fn, torch.float8_e5m2)


@pytest.fixture(scope="module")
def own():
    return fingerprint_tensors(weights())


def kind(here: dict | Fingerprint, there: Fingerprint) -> str:
    return kinship(here if isinstance(here, Fingerprint) else fingerprint_tensors(here), there).kind


# --- the same weights
# -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "prefix",
    [
        "model.diffusion_model.",
        "diffusion_model.",
        "model.model.",
        "net.",
        "transformer.",
        "_orig_mod.",
        "",
    ],
)
def test_prefixes_and_order_do_not_count(own, prefix):
    turned = dict(reversed(prefixed(weights(), prefix).items()))
    assert fingerprint_tensors(turned) == own


def test_the_other_parts_of_a_checkpoint_do_not_count(own):
    others = {
        "first_stage_model.decoder.conv_in.weight": torch.randn(64, 4, 3, 3),
        "cond_stage_model.x.weight": torch.randn(50, 50),
    }
    others |= {f"conditioner.embedders.{k}.weight": torch.randn(9, 9) for k in range(40)} | {
        "model_ema.decay": torch.tensor(0.9)
    }
    assert fingerprint_tensors({**others, **prefixed(weights())}) == own


def test_memory_layout_does_not_count(own):
    def elsewhere(tensor):
        if tensor.ndim == 4:
            return tensor.contiguous(memory_format=torch.channels_last)
        return (
            tensor.t().contiguous().t()
            if tensor.ndim == 2
            else torch.stack([tensor, tensor], 1)[:, 0]
        )

    moved = {name: torch.nn.Parameter(elsewhere(tensor)) for name, tensor in weights().items()}
    assert (
        not moved["input_blocks.0.0.weight"].is_contiguous() and fingerprint_tensors(moved) == own
    )


def test_file_and_live_weights_agree(own, tmp_path):
    save_file(prefixed(weights()), tmp_path / "a.safetensors", {"modelspec.title": "x"})
    assert fingerprint_file(tmp_path / "a.safetensors") == own
    assert json.loads(json.dumps(own.samples)) == own.samples, "a record keeps them as they are"


@pytest.mark.parametrize("dtype", [*PLAIN, *EIGHT])
def test_files_of_every_format(dtype, tmp_path):
    save_file(cast(weights(), dtype), tmp_path / "a.safetensors")
    assert fingerprint_file(tmp_path / "a.safetensors") == fingerprint_tensors(
        cast(weights(), dtype)
    )


@pytest.mark.parametrize("here", PLAIN)
@pytest.mark.parametrize("there", PLAIN)
def test_casts_are_the_same_weights(here, there):
    found = kinship(
        fingerprint_tensors(cast(weights(), here)), fingerprint_tensors(cast(weights(), there))
    )
    assert found.kind == SAME and ("here" in found.words) == (here != there)


def test_a_file_upcast_by_a_host_keeps_its_own_precision(own):
    upcast = cast(cast(weights(), torch.bfloat16), torch.float32)
    assert (
        kind(upcast, own) == SAME
        and kind(upcast, fingerprint_tensors(cast(weights(), torch.float16))) == SAME
    )


def test_two_casts_in_a_row():
    twice = cast(cast(weights(), torch.float16), torch.bfloat16)
    assert kind(twice, fingerprint_tensors(cast(weights(), torch.bfloat16))) == SAME
    assert kind(twice, fingerprint_tensors(weights())) == SAME


def test_a_few_tensors_more_or_less(own):
    fewer = {
        name: tensor
        for name, tensor in weights().items()
        if "blocks.3.norm" not in name and "blocks.7.mlp" not in name
    }
    assert kind({**fewer, "extra.weight": torch.randn(40, 40)}, own) == SAME


# --- other weights
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", EIGHT)
def test_eight_bits_are_a_quantised_relative(own, dtype):
    assert (
        kind(cast(weights(), dtype), own) == QUANTISED
        and kind(own, fingerprint_tensors(cast(weights(), dtype))) == QUANTISED
    )


def test_scaled_eight_bits(own):
    scaled = {
        name: tensor / 0.003 if tensor.ndim > 1 else tensor for name, tensor in weights().items()
    }
    scaled = {
        name: tensor.to(torch.float8_e4m3fn) if tensor.ndim > 1 else tensor
        for name, tensor in scaled.items()
    }
    scaled |= {
        name.replace(".weight", ".scale_weight"): torch.tensor(0.003)
        for name in weights()
        if "qkv.weight" in name
    }
    assert kind(scaled, own) == QUANTISED
    assert kind(scaled, fingerprint_tensors(weights(seed=1))) == OTHER


def test_a_finetune_is_related_and_another_model_is_not(own):
    generator = torch.Generator().manual_seed(9)
    tuned = {
        name: tensor + 0.005 * torch.randn(tensor.shape, generator=generator)
        for name, tensor in weights().items()
    }
    assert kind(tuned, own) == RELATED
    assert kind(weights(seed=1), own) == OTHER
    assert kind(weights(blocks=12, width=32), own) == OTHER
    assert kind(cast(weights(seed=1), torch.float8_e4m3fn), own) == OTHER


def test_a_merge_into_some_weights_is_seen(own):
    merged = {
        name: tensor * 1.01 if "blocks.5.attn" in name else tensor
        for name, tensor in weights().items()
    }
    assert kind(merged, own) == RELATED


def test_weights_moved_by_one_unit_in_the_last_place_are_not_the_same():
    """Within what a cast may change, but no cast changes so many."""
    own = cast(weights(), torch.bfloat16)
    moved = {
        name: (tensor.view(torch.int16) + 1).view(torch.bfloat16) for name, tensor in own.items()
    }
    assert kind(moved, fingerprint_tensors(own)) == RELATED


def test_values_decide_and_not_the_id(own):
    forged = Fingerprint(own.id, fingerprint_tensors(weights(seed=1)).samples)
    assert kind(forged, own) == OTHER


def test_values_that_are_not_finite():
    broken = {name: torch.full_like(tensor, float("nan")) for name, tensor in weights().items()}
    json.dumps(fingerprint_tensors(broken).samples, allow_nan=False)


def test_nothing_to_sample():
    with pytest.raises(CheckpointError, match="16 values"):
        fingerprint_tensors({"a": torch.zeros(3), "b": "text"})


# --- which values ---------------------------------------------------------------------------------
# ------------------


def test_a_sketch_is_bounded_and_depends_on_names_alone():
    shapes = {
        f"blocks.{k}.{part}": (32, 32) if part == "weight" else (32,)
        for k in range(300)
        for part in ("weight", "bias")
    }
    found = chosen(shapes)
    assert len(found) == MATRICES + VECTORS and found == chosen(dict(reversed(shapes.items())))
    assert len(
        set(found) & set(chosen({n: s for n, s in shapes.items() if ".7" not in n}))
    ) > 0.8 * len(found)


def test_control_characters_and_endless_names_are_not_sampled():
    assert chosen(
        {"a\x1b[31m": (32, 32), "b" * 301: (32, 32), "c.weight": (32, 32), "c.scale_weight": (32,)}
    ) == ["c.weight"]


def test_names_inside_wrappers():
    assert diffusion_names(["model.diffusion_model.a.w", "vae.b.w", "model.diffusion_model.c"]) == {
        "a.w": "model.diffusion_model.a.w",
        "c": "model.diffusion_model.c",
    }


@given(st.lists(st.text("abm.odel", min_size=1, max_size=12), max_size=12, unique=True))
@examples(60)
def test_any_names_are_taken(names):
    found = diffusion_names(names)
    assert set(found.values()) <= set(names)


@pytest.mark.parametrize(
    ("dtype", "label"),
    [(torch.float8_e4m3fn, "F8_E4M3"), (torch.float8_e5m2, "F8_E5M2"), (torch.bfloat16, "BF16")],
)
def test_formats_are_decoded_as_torch_does(dtype, label):
    codes = torch.arange(256 if label[0] == "F" else 65536).to(
        torch.uint8 if label[0] == "F" else torch.int32
    )
    tensor = codes.view(dtype) if label[0] == "F" else codes.to(torch.int16).view(dtype)
    wanted = tensor.float().nan_to_num(0, 0, 0).numpy()
    np.testing.assert_array_equal(
        decoded(tensor.view(torch.uint8).numpy().tobytes(), label), wanted
    )


def test_the_precision_that_values_prove():
    values = torch.randn(4)
    assert (
        coarsest(values.bfloat16().float().numpy(), "F32") == "BF16"
        and coarsest(values.half().float().numpy(), "F32") == "F16"
    )
    assert (
        coarsest(values.numpy(), "F32") == "F32"
        and coarsest(np.ones(4, np.float32), "F32") == "F32"
    )


# --- files ----------------------------------------------------------------------------------------
# ------------------


def test_twelve_billion_parameters_are_not_read(tmp_path):
    """24 GB, sparse: the header counts and the runs are all that is touched."""
    path, shape = tmp_path / "big.safetensors", (3072, 3072)
    count = 1272
    size = 2 * shape[0] * shape[1]
    header = {
        f"blocks.{k}.weight": {
            "dtype": "BF16",
            "shape": shape,
            "data_offsets": [k * size, (k + 1) * size],
        }
        for k in range(count)
    }
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + count * size)
    assert os.path.getsize(path) > 24e9 and len(fingerprint_file(path).samples) == MATRICES


def gguf(path, tensors: dict[str, tuple[int, torch.Tensor]], data_at: int = 32) -> None:
    """A GGUF file: {name: (type number, tensor)}; type 8 (Q8_0) is made here, 0 and 1 are plain."""

    def text(value):
        return struct.pack("<Q", len(value)) + value.encode()

    head, body = b"", b""
    for name, (number, tensor) in tensors.items():
        head += (
            text(name)
            + struct.pack("<I", tensor.ndim)
            + struct.pack(f"<{tensor.ndim}Q", *reversed(tensor.shape))
        )
        head += struct.pack("<IQ", number, len(body))
        body += (
            _block_quantised(tensor)
            if number == 8
            else tensor.float().numpy().astype("<f4" if number == 0 else "<f2").tobytes()
        )
        body += bytes(-len(body) % data_at)
    entries = (
        text("general.architecture")
        + struct.pack("<I", 8)
        + text("flux")
        + text("general.alignment")
        + struct.pack("<II", 4, data_at)
    )
    start = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), 2) + entries + head
    path.write_bytes(start + bytes(-len(start) % data_at) + body)


def _block_quantised(tensor: torch.Tensor) -> bytes:
    blocks = tensor.float().reshape(-1, 32)
    scales = blocks.abs().amax(1) / 127
    levels = (blocks / scales[:, None]).round().to(torch.int8)
    return b"".join(
        scale.half().numpy().tobytes() + row.numpy().tobytes()
        for scale, row in zip(scales, levels, strict=True)
    )


def test_a_gguf_file_is_a_quantised_relative(tmp_path):
    plain = weights(width=32)
    quantised = {name: (8 if tensor.ndim == 2 else 0, tensor) for name, tensor in plain.items()}
    gguf(tmp_path / "a.gguf", quantised)
    found = fingerprint_file(tmp_path / "a.gguf")
    assert found.id.startswith("f1-") and kind(found, fingerprint_tensors(plain)) == QUANTISED
    assert kind(found, fingerprint_tensors(weights(seed=1, width=32))) == OTHER
    gguf(tmp_path / "b.gguf", quantised, data_at=64)
    assert kind(fingerprint_file(tmp_path / "b.gguf"), found) == SAME, (
        "the same bytes in another file"
    )


class _Blocks(torch.Tensor):
    """As ComfyUI's GGUF loader hands quantised weights out: bytes that state another shape."""

    @property
    def shape(self):
        return torch.Size(self.stated)


def test_live_gguf_weights_are_those_of_the_file(tmp_path):
    plain = weights(width=32)
    gguf(
        tmp_path / "a.gguf",
        {name: (8 if tensor.ndim == 2 else 0, tensor) for name, tensor in plain.items()},
    )
    live = {}
    for name, tensor in plain.items():
        raw = (
            torch.frombuffer(bytearray(_block_quantised(tensor)), dtype=torch.uint8).reshape(
                len(tensor), -1
            )
            if tensor.ndim == 2
            else tensor
        )
        live[name] = raw.as_subclass(_Blocks)
        live[name].stated = tuple(tensor.shape)
    assert (
        kind(live, fingerprint_file(tmp_path / "a.gguf")) == SAME
        and kind(live, fingerprint_tensors(plain)) == QUANTISED
    )


def test_a_hosts_quantised_tensors_are_looked_into(own):
    class Wrapped:
        def __init__(self, tensor):
            self._qdata, self.shape = (tensor / 0.001).to(torch.float8_e4m3fn), tensor.shape

    live = {
        name: Wrapped(tensor) if tensor.ndim == 2 else tensor for name, tensor in weights().items()
    }
    assert kind(live, own) == QUANTISED


class _Never:
    def __reduce__(self):
        return os.mkdir, ("unpickled",)


@pytest.mark.parametrize("name", ["a.ckpt", "a.PT", "a.gguf"])
def test_pickles_are_never_opened(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    path.write_bytes(pickle.dumps(_Never()) + bytes(9000))
    found = fingerprint_file(path)
    assert (
        not found.samples
        and not os.path.exists("unpickled")
        and kind(found, fingerprint_file(path)) == SAME
    )
    path.write_bytes(pickle.dumps(_Never()) + bytes(9001))
    assert kind(fingerprint_file(path), found) == OTHER


def test_the_full_hash_is_the_files_own(tmp_path):
    import hashlib

    (tmp_path / "a").write_bytes(b"abc" * 1000)
    assert file_hash(tmp_path / "a") == hashlib.sha256(b"abc" * 1000).hexdigest()


def _file(header: object, body: int = 64, length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + bytes(body)


ENTRY = {"dtype": "F32", "shape": [4, 4], "data_offsets": [0, 64]}
BROKEN = {
    "empty": b"",
    "text": b"hello, hello, hello",
    "length": _file({}, length=2**62),
    "length beyond the file": _file({"a": ENTRY}, length=1000),
    "a list": _file([1]),
    "no offsets": _file({"a": {"dtype": "F32", "shape": [4, 4]}}),
    "outside": _file({"a": {**ENTRY, "data_offsets": [64, 128]}}),
    "negative": _file({"a": {**ENTRY, "data_offsets": [-64, 0]}}),
    "backwards": _file({"a": {**ENTRY, "data_offsets": [64, 0]}}),
    "shape": _file({"a": {**ENTRY, "shape": [5, 4]}}),
    "huge shape": _file({"a": {**ENTRY, "shape": [2**60, 2**60]}}),
    "bool": _file({"a": {**ENTRY, "shape": [True, 16]}}),
    "text for numbers": _file({"a": {**ENTRY, "data_offsets": ["0", "64"]}}),
    "metadata": _file({"__metadata__": [], "a": ENTRY}),
    "depth": _file(b'{"a":' + b"[" * 100_000),
    "cut": _file({"a": ENTRY})[:40],
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files(name, tmp_path):
    (tmp_path / "a.safetensors").write_bytes(BROKEN[name])
    with pytest.raises(CheckpointError) as caught:
        fingerprint_file(tmp_path / "a.safetensors")
    assert len(str(caught.value)) < 300 and str(caught.value).isprintable()


@given(st.binary(max_size=120), st.integers(0, 60))
@examples(100)
def test_broken_gguf_files_are_known_by_their_hash(tmp_path_factory, noise, cut):
    path = tmp_path_factory.mktemp("gguf") / "a.gguf"
    gguf(path, {"a.weight": (0, torch.ones(8, 16))})
    whole = path.read_bytes()
    path.write_bytes(whole[:cut] + noise + whole[cut + len(noise) :] or b"x")
    assert fingerprint_file(path).id.startswith("f1-")


@pytest.mark.parametrize("path", ["missing.safetensors", ".", "a\0b", None, "x" * 5000])
def test_what_cannot_be_opened(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError):
        fingerprint_file(path)


@posix
def test_a_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match="not an ordinary file"):
        fingerprint_file(tmp_path / "a.safetensors")


def test_unknown_formats_are_bytes(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(
        _file({"a": {**ENTRY, "dtype": "F4_NEW", "shape": [8, 16]}})
    )
    with open_safetensors(tmp_path / "a.safetensors") as file:
        assert file.tensors["a"].dtype == "RAW" and file.values("a", 0, 4).tolist() == [0, 0, 0, 0]
