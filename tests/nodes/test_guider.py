"""What the guider is given, with stand-ins for the host's classes; the real ones are asked in
tests/comfyui."""

from __future__ import annotations

from types import SimpleNamespace

import torch

from tests.nodes.pack import module

guided, report = module("nodes.host.guider"), module("nodes.page.distill_report")


def scene(samples, conds=None, **attributes):
    guider = SimpleNamespace(original_conds=conds or {}, cfg=4.0, model_patcher=None, **attributes)
    return guided.Guided(guider, {"samples": samples})


class Nested:
    """A latent of several kinds, as newer hosts have."""

    is_nested = True

    def __init__(self, *parts):
        self.parts = parts

    def unbind(self):
        return self.parts


def test_shapes_of_pictures_videos_and_packed_latents():
    picture, video = scene(torch.zeros(3, 4, 8, 6)), scene(torch.zeros(1, 16, 5, 8, 8))
    packed = scene(Nested(torch.zeros(2, 16, 5, 8, 8), torch.zeros(2, 8, 20)))
    assert (picture.shape, picture.batch, picture.frames) == ((4, 8, 6), 3, 0)
    assert (video.shape, video.batch, video.frames) == ((16, 5, 8, 8), 1, 5)
    assert (packed.shape, packed.batch, packed.frames) == ((1, 16 * 5 * 64 + 160), 2, 0)


def test_the_guidance_of_a_guider_with_two_is_the_first():
    assert scene(torch.zeros(1, 4, 8, 8)).cfg == 4.0
    assert scene(torch.zeros(1, 4, 8, 8), cfg1=2.5).cfg == 2.5


def test_fewer_frames_cut_the_latent_its_mask_and_the_conditioning_of_each_frame():
    concat, text = torch.rand(1, 16, 9, 8, 8), torch.rand(1, 4, 32)
    full = scene(
        torch.zeros(1, 16, 9, 8, 8),
        {"positive": [{"concat_latent_image": concat, "cross_attn": text, "refs": [concat, text]}]},
    )
    short = guided.with_frames(full, 3)
    (given,) = short.guider.original_conds["positive"]
    assert (
        short.shape == (16, 3, 8, 8)
        and given["concat_latent_image"].shape[2] == 3
        and given["refs"][0].shape[2] == 3
    )
    assert given["cross_attn"] is text and given["refs"][1] is text
    assert (
        full.shape == (16, 9, 8, 8)
        and full.guider.original_conds["positive"][0]["concat_latent_image"] is concat
    )


class Patcher:
    """A MODEL's wrappers."""

    model_options: dict = {}  # noqa: RUF012

    def __init__(self, **kinds):
        self.wrappers = {kind: dict(keys) for kind, keys in kinds.items()}

    def clone(self):
        return Patcher(**self.wrappers)

    def remove_wrappers_with_key(self, kind, key):
        self.wrappers[kind].pop(key, None)


def test_step_caches_are_left_out_on_a_clone_and_nothing_else_is():
    plain = Patcher(outer_sample={"other": [1]})
    assert guided.without_caches(plain) == (plain, ())
    cached = Patcher(
        outer_sample={"easycache": [1], "other": [2]}, predict_noise={"lazycache": [3]}
    )
    clone, names = guided.without_caches(cached)
    assert names == ("EasyCache", "LazyCache") and clone.wrappers == {
        "outer_sample": {"other": [2]},
        "predict_noise": {},
    }
    assert "easycache" in cached.wrappers["outer_sample"]


def test_a_video_is_offered_fewer_frames():
    video = scene(torch.zeros(1, 16, 21, 8, 8))
    (offer,) = report.scene_notes(video, video, None, shortened=False)
    assert "21 latent frames" in offer and "`frames` at 5 would distil in 24 % of the time" in offer
    short = guided.with_frames(video, 5)
    (said,) = report.scene_notes(video, short, None, shortened=True)
    assert (
        said
        == "Distilled with 5 of 21 latent frames, at 24 % of the cost or less, and checked at full length."
    )
    picture = scene(torch.zeros(1, 4, 8, 8))
    assert report.scene_notes(picture, picture, None, shortened=False) == []


def test_a_step_distilled_model_is_advised_first():
    picture = scene(torch.zeros(1, 4, 8, 8))
    advice = SimpleNamespace(text="This looks like SDXL Turbo.")
    assert report.scene_notes(picture, picture, advice, shortened=False) == [advice.text]


def test_the_hosts_own_step_caches_go_by_their_keys_alone():
    """Both come from one module of the host's, whose name is one of theirs."""
    caches = module("nodes.host.step_caches")

    def wrapper():
        return None

    wrapper.__module__ = "comfy_extras.nodes_easycache"
    lazy = Patcher(outer_sample={"lazycache": [wrapper]})
    assert caches.step_caches(lazy) == ("LazyCache",)
    wrapper.__module__ = "custom_nodes.ComfyUI-TeaCache.nodes"
    assert caches.step_caches(Patcher(outer_sample={"key": [wrapper]})) == ("TeaCache",)
