"""What the tests without a host share."""

from __future__ import annotations

import contextlib
import time
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from tests.a1111 import made
from tests.webui.made import SHAPE, denoise, record_for


@pytest.fixture
def webui(monkeypatch, tmp_path):
    """A make-believe host with our script in it, and a store of its own."""
    monkeypatch.setenv("STEPDISTILL_STORE", str(tmp_path / "store"))
    return made.install(monkeypatch)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """A checkpoint file, and the model that a host makes of it."""
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    model = made.Model(path)
    save_file(
        {
            f"model.diffusion_model.{name}": tensor
            for name, tensor in model.model.diffusion_model.state_dict().items()
        },
        path,
    )
    return model


@pytest.fixture(scope="session")
def record(checkpoint):
    """A record of it."""
    from pathlib import Path

    return record_for(Path(checkpoint.sd_checkpoint_info.filename))


@pytest.fixture
def stored(webui, record):
    """The record's name in the store."""
    from scheduler.store import Store

    return Store(made.ours("a1111.stores").store().folder).put(record).removesuffix(".json")


@pytest.fixture
def job(webui, checkpoint, monkeypatch):
    """A job whose teacher is a function; `slow.wait` seconds a model call."""
    found, teacher = made.ours("a1111.job"), made.ours("a1111.host_denoiser")
    webui.modules.call_queue.queue_lock = contextlib.nullcontext()
    slow = SimpleNamespace(wait=0.0)

    def run(scene, work, heard):
        def told(x, sigma):
            time.sleep(slow.wait)
            heard(len(x), float(sigma[0]))
            return denoise(x, sigma)

        p = SimpleNamespace(cfg_scale=scene.cfg, is_hr_pass=False)
        return work(
            teacher.Stage((told,) * len(scene.prompts), checkpoint, p, SHAPE, torch.device("cpu"))
        )

    monkeypatch.setattr(teacher, "run", run)
    return SimpleNamespace(
        job=found.Job(),
        module=found,
        scene=teacher.Scene,
        slow=slow,
        state=webui.modules.shared.state,
    )
