"""Pictures of latents and of records, without ComfyUI."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
import torch

from tests.nodes.made import recipe, record
from tests.nodes.pack import module

pictures = module("nodes.page.images")
FACTORS = SimpleNamespace(
    latent_rgb_factors=[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]],
    latent_rgb_factors_bias=[0.0, 0.0, 1.0],
)


def test_quick_colours_are_the_formats_linear_map():
    latent = torch.zeros(1, 4, 3, 5)
    latent[:, 0], latent[:, 1] = 1.0, -1.0
    shown = pictures.quick_colours(latent, FACTORS)
    assert shown.shape == (3, 5, 3) and shown[0, 0].tolist() == [1.0, 0.0, 1.0]


def test_of_a_video_the_middle_frame_is_shown():
    latent = torch.zeros(1, 4, 3, 2, 2)
    latent[:, 0, 1] = 1.0
    assert pictures.quick_colours(latent, FACTORS)[0, 0, 0] == 1.0


@pytest.mark.parametrize("shape", [(1, 4, 6, 6), (1, 2, 6, 6), (1, 1, 6, 6), (1, 8, 3, 6, 6)])
def test_formats_without_colours_are_shown_all_the_same(shape):
    shown = pictures.quick_colours(torch.randn(shape), SimpleNamespace(latent_rgb_factors=None))
    assert shown.shape == (6, 6, 3) and 0 <= shown.min() and shown.max() <= 1


def test_packed_latents_are_a_plain_square():
    assert pictures.quick_colours(torch.randn(1, 1, 77), FACTORS).std() == 0


@pytest.mark.parametrize("shape", [(2, 5, 7, 3), (1, 4, 5, 7, 3)])
def test_a_vaes_answer_is_one_picture(shape):
    vae = SimpleNamespace(decode=lambda latent: torch.rand(shape))
    patcher = SimpleNamespace(model=SimpleNamespace(process_latent_out=lambda x: x))
    assert pictures.decoder(patcher, vae)(torch.zeros(1, 4, 1, 1)).shape == (5, 7, 3)


def test_pil_and_back():
    picture = torch.rand(4, 6, 3)
    assert torch.allclose(
        pictures.from_pil(pictures.to_pil(picture))[0], picture, atol=0.5 / 255 + 1e-6
    )


@pytest.mark.slow
def test_a_record_without_evidence_shows_its_schedules():
    image, trouble = pictures.record_image(record(recipe()))
    assert trouble == "" and image.shape[1] > 400 and image.shape[-1] == 3


def test_without_matplotlib_the_node_goes_on(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    image, trouble = pictures.record_image(record(recipe()))
    assert (
        trouble.startswith("There is no plot: ")
        and "matplotlib" in trouble
        and image.shape == (1, 64, 64, 3)
    )
