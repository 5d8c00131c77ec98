import json
import pickle

import pytest
import torch
from safetensors.torch import load_file, save

from scheduler.checkpoints import digits, load_checkpoint
from scheduler.checkpoints.load import BUNDLED, PREFIX, nearest_timestep, sd_sigmas
from scheduler.checkpoints.mmdit import MMDiT
from scheduler.errors import CheckpointError
from tools.train import write

NAMES = ("flow", "eps")


@pytest.fixture(scope="module", params=NAMES)
def checkpoint(request):
    return load_checkpoint(request.param)


def parts(name):
    """The weights of a bundled file and its metadata, as the file has them."""
    data = BUNDLED[name].read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return load_file(BUNDLED[name]), header["__metadata__"]


def refused(path, match):
    with pytest.raises(CheckpointError, match=match) as caught:
        load_checkpoint(path)
    text = str(caught.value)
    assert "\n" not in text and len(text) < 400
    return text


def test_fields(checkpoint):
    flow = checkpoint.name == "flow"
    assert (checkpoint.parametrisation, checkpoint.prediction) == (
        ("flow", "flow") if flow else ("ve", "eps")
    )
    assert checkpoint.latent_shape == ((16, 8, 8) if flow else (4, 8, 8))
    assert checkpoint.shift == (3.0 if flow else None)
    assert checkpoint.sigma_min == pytest.approx(0.0029940 if flow else 0.0291672, rel=1e-4)
    assert checkpoint.sigma_max == pytest.approx(1.0 if flow else 14.614641, rel=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_file_is_small_and_names_are_a_hosts(name):
    assert BUNDLED[name].stat().st_size <= 5_000_000
    weights, _ = parts(name)
    assert all(key.startswith(PREFIX) for key in weights)
    typical = {
        "flow": "joint_blocks.0.context_block.attn.qkv.weight",
        "eps": "input_blocks.3.1.transformer_blocks.0.attn2.to_k.weight",
    }
    assert PREFIX + typical[name] in weights


def test_metadata_says_what_it_must(checkpoint):
    said = checkpoint.metadata
    for key in (
        "data",
        "licence",
        "training",
        "loss",
        "latent",
        "conditioning",
        "quality",
        "dtype",
        "pictures",
        "optimiser",
    ):
        assert said[key], key
    assert {"steps", "seed", "batch", "cpu_seconds"} <= said["training"].keys() and said[
        "training"
    ]["cpu_seconds"] < 1200
    assert said["conditioning"]["context"] == [2, 32] and said["conditioning"]["pooled"] == [16]


def test_metadata_states_the_quality_asked_for(checkpoint):
    quality = checkpoint.metadata["quality"]
    assert quality["steps"] == 100 and quality["judge_accuracy"] >= 0.97
    assert all(quality["recognised"][f"guidance {g}"] >= 0.95 for g in (2, 3, 4))
    assert quality["nearest"]["share_of_copies"] <= 0.05


def test_answers_are_finite_over_the_whole_range(checkpoint):
    denoise = checkpoint.denoiser(torch.tensor([0, 5, digits.NO_CLASS]), cfg=3)
    noise = torch.randn(3, *checkpoint.latent_shape, generator=torch.Generator().manual_seed(0))
    for sigma in (
        checkpoint.sigma_max,
        checkpoint.sigma_max / 3,
        checkpoint.sigma_min,
        checkpoint.sigma_min / 100,
    ):
        denoised = denoise(noise * sigma, torch.full((3,), sigma))
        assert denoised.shape == noise.shape and denoised.dtype == noise.dtype
        assert (
            denoised.isfinite().all() and denoised.abs().max() < 100 and not denoised.requires_grad
        )


def test_dtype_is_the_states(checkpoint):
    x = torch.randn(1, *checkpoint.latent_shape, generator=torch.Generator().manual_seed(0))
    denoise, sigma = checkpoint.denoiser(torch.tensor([4])), torch.tensor([0.5])
    wide = denoise(x.double(), sigma.double())
    assert wide.dtype == torch.float64 and torch.equal(wide.float(), denoise(x, sigma))


def test_guidance_is_the_formula_and_rows_are_their_own(checkpoint):
    classes, sigma = (
        torch.tensor([1, 8, digits.NO_CLASS]),
        torch.tensor([0.9, 0.5, 0.1]) * checkpoint.sigma_max,
    )
    x = (
        torch.randn(3, *checkpoint.latent_shape, generator=torch.Generator().manual_seed(1))
        * sigma[:, None, None, None]
    )
    with_class = checkpoint.denoiser(classes)(x, sigma)
    free = checkpoint.denoiser(torch.full((3,), digits.NO_CLASS))(x, sigma)
    guided = checkpoint.denoiser(classes, cfg=4)(x, sigma)
    assert torch.allclose(guided, free + 4 * (with_class - free), atol=1e-4)
    assert torch.allclose(guided[2], free[2], atol=1e-4) and not torch.allclose(
        guided[0], free[0], atol=1e-2
    )
    for i in range(3):
        alone = checkpoint.denoiser(classes[i : i + 1], cfg=4)(x[i : i + 1], sigma[i : i + 1])
        assert torch.allclose(alone[0], guided[i], atol=1e-4)


def test_timesteps_are_the_nearest_in_log_sigma():
    table = sd_sigmas()
    assert nearest_timestep(table).tolist() == list(range(1000))
    between = (table[10].log() * 0.6 + table[11].log() * 0.4).exp()
    assert nearest_timestep(torch.stack([between, table[0] / 9, table[-1] * 9])).tolist() == [
        10,
        0,
        999,
    ]


def test_network_follows_the_shapes_and_not_the_files_name(tmp_path):
    _, metadata = parts("flow")
    network = MMDiT(depth=1, words=24, pooled=8, side=6)
    write(network, json.loads(metadata["stepdistill"]), tmp_path / "any name.bin")
    model = load_checkpoint(tmp_path / "any name.bin").model
    assert len(model.joint_blocks) == 1 and model.side == 6
    asked = (
        torch.randn(2, 16, 8, 8),
        torch.tensor([10.0, 900.0]),
        torch.randn(2, 3, 24),
        torch.randn(2, 8),
    )
    assert torch.allclose(model(*asked), network(*asked), atol=0.01)


def test_larger_latents_run_up_to_the_position_table(checkpoint):
    side = 8 if checkpoint.name == "flow" else 16
    x = torch.randn(1, checkpoint.latent_shape[0], 6, side)
    assert checkpoint.denoiser(torch.tensor([2]))(x, torch.tensor([0.5])).shape == x.shape


def test_bad_files(tmp_path):
    refused(tmp_path / "absent.safetensors", "absent.safetensors")
    refused(tmp_path, "ordinary file|could not be read")
    files = {
        "empty": b"",
        "text": b"hello, this is text" * 9,
        "pickle": pickle.dumps({"a": 1}),
        "short": BUNDLED["flow"].read_bytes()[:-7],
    }
    for name, data in files.items():
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(data)
        refused(path, "not a safetensors file")


def test_pickles_are_never_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    path = tmp_path / "bomb.ckpt"
    torch.save({"state_dict": Bomb()}, path)
    refused(path, "not a safetensors file")
    assert not (tmp_path / "ran").exists()


def spoil(weights, metadata, what):
    first = PREFIX + "joint_blocks.0.x_block.attn.qkv.weight"
    if what == "missing":
        del weights[PREFIX + "final_layer.linear.bias"]
    elif what == "unknown":
        weights[PREFIX + "extra"] = torch.zeros(3)
    elif what == "shape":
        weights[first] = weights[first][:-1].contiguous()
    elif what == "not finite":
        weights[first][0, 0] = float("nan")
    elif what == "integers":
        weights[first] = weights[first].to(torch.int32)
    elif what == "other model":
        return {"layer.weight": torch.zeros(2, 2)}, metadata
    elif what == "enormous":
        weights[PREFIX + "x_embedder.proj.weight"] = torch.zeros(2**34, 0, 2, 2)
    return weights, metadata


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("missing", "final_layer.linear.bias"),
        ("unknown", "extra"),
        ("shape", "qkv"),
        ("not finite", "qkv"),
        ("integers", "qkv"),
    ]
    + [("other model", "no known layout"), ("enormous", "no known layout")],
)
def test_spoilt_weights(tmp_path, what, said):
    path = tmp_path / "spoilt.safetensors"
    path.write_bytes(save(*spoil(*parts("flow"), what)))
    assert "spoilt.safetensors" in refused(path, said)


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {},
        {"stepdistill": "{"},
        {"stepdistill": "[]"},
        {"stepdistill": "{}"},
        {"stepdistill": "[" * 100_000},
    ]
    + [
        {"parametrisation": "ve"},
        {"latent": {"block": 4, "mean": [], "std": [], "shape": [16, 8, 8]}},
        {"shift": "three"},
        {"shift": 0},
    ]
    + [{"shift": None}, {"latent": None}],
)
def test_bad_metadata(tmp_path, metadata):
    weights, real = parts("flow")
    if metadata and "stepdistill" not in metadata:
        metadata = {"stepdistill": json.dumps({**json.loads(real["stepdistill"]), **metadata})}
    path = tmp_path / "m.safetensors"
    path.write_bytes(save(weights, metadata))
    refused(path, "metadata")
