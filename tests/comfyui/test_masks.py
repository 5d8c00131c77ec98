"""Pictures with a mask, in the real ComfyUI: what it keeps comes out as it was, on every route."""

from __future__ import annotations

import numpy as np
import pytest

from tests.comfyui.graphs import scene


def half_masked(s) -> None:
    """The latent of a scene, of which the left half is drawn and the right one kept, an even grey."""
    zeros = s.add("SolidMask", value=0.0, width=64, height=64)
    ones = s.add("SolidMask", value=1.0, width=32, height=64)
    mask = s.add("MaskComposite", destination=zeros, source=ones, x=0, y=0, operation="add")
    s.latent = s.add("SetLatentNoiseMask", samples=s.latent, mask=mask)


@pytest.mark.parametrize("route", ["sampler", "apply", "few step"])
def test_what_a_mask_keeps_comes_out_as_it_was(server, client, flow, route):
    assert flow.record.recipe("distilled", 6).coefficients is not None
    s, name = scene(), f"masked-{route.replace(' ', '-')}"
    half_masked(s)
    if route == "sampler":
        chosen = s.add(
            "StepDistillSampler", model=s.model, steps=6, denoise=1.0, if_missing="error"
        )
        s.custom(chosen[1], chosen, name)
    elif route == "apply":
        model = s.add("StepDistillApply", model=s.model, use_offsets=True)
        s.ksampler(model, name, sampler_name="distilled")
    else:
        settings = {"seed": 5, "steps": 6, "cfg": 3.0, "denoise": 1.0, "learn": "off"}
        drawn = s.add(
            "StepDistillKSampler", model=s.model, **s.prompts, latent_image=s.latent, **settings
        )
        s.saved(name, samples=drawn[0])
    client.run(s.graph)
    drawn = server.array(f"{name}.samples")
    stock = f"{name}-stock"
    s.ksampler(s.model, stock, sampler_name="euler", scheduler="simple")
    client.run(s.graph)
    kept = server.array(f"{stock}.samples")[..., 4:]  # as the host itself keeps it
    assert np.abs(drawn[..., 4:] - kept).max() < 1e-6 and np.ptp(kept) < 1e-6
    assert np.ptp(drawn[..., :4]) > 0.1
