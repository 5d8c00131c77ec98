"""Step-distilled models are recognised by names, metadata and key patterns; ordinary ones are not;
what is said is advice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from scheduler.checkpoints.load import BUNDLED
from scheduler.fingerprint.step_distilled import detect, detect_file
from scheduler.presets import PRESETS

DISTILLED = {
    "sdxl_lightning_4step_lora.safetensors": ("sdxl-lightning", 4),
    "realvisxlV40_v40LightningBakedvae": ("sdxl-lightning", None),
    "juggernautXL_v9Rdphoto2Lightning": ("sdxl-lightning", None),
    "dreamshaperXL_v21TurboDPMSDE": ("sdxl-turbo", None),
    "sd_xl_turbo_1.0_fp16": ("sdxl-turbo", None),
    "Hyper-SDXL-8steps-CFG-lora": ("hyper-sd", 8),
    "Hyper-SD15-1step-lora": ("hyper-sd", 1),
    "Hyper-FLUX.1-dev-8steps-lora": ("hyper-flux", 8),
    "flux1-schnell-fp8": ("flux-schnell", None),
    "lcm-lora-sdv1-5": ("lcm", None),
    "LCM_Dreamshaper_v7": ("lcm", None),
    "perflow-dreamshaper": ("perflow", None),
    "Wan2.2-T2V-A14B-4steps-lora-rank64-Seko-V1": ("wan22-lightning", 4),
    "wan2.2_t2v_lightx2v_4steps_lora_v1.1_high_noise": ("wan22-lightning", 4),
    "Wan21_T2V_14B_lightx2v_cfg_step_distill_lora_rank32": ("wan22-lightning", None),
    "Qwen-Image-Lightning-8steps-V1.0": ("qwen-lightning", 8),
    "dmd2_sdxl_4step_lora": ("dmd", 4),
    "sd3.5_large_turbo": ("sd3-turbo", None),
    "z_image_turbo_bf16": ("z-image-turbo", None),
    "flux-2-klein-9b-fp8": ("distilled", None),
    "Flux2Klein_4b": ("distilled", None),
    "Flux_2-Turbo-LoRA_comfyui": ("flux2-turbo", None),
    "FLUX.1-Turbo-Alpha": ("distilled", None),
    "qwen_image_2.1_turbo_bf16": ("distilled", None),
    "ltx-2.5-22b-distilled-transformer": ("distilled", None),
    "ltxv-13b-0.9.8-distilled-fp8": ("distilled", None),
    "ltx-2-19b-distilled-lora-384": ("ltx2-distilled", None),
    "minimax_h3_turbo_fp8": ("distilled", None),
    "krea2_turbo": ("distilled", None),
    "anima-turbo-v1": ("distilled", None),
    "FastWan2.2-TI2V-5B": ("distilled", None),
    "FastHunyuan-diffusers": ("distilled", None),
    "Chroma1-HD-Flash": ("distilled", None),
    "Wan14BT2VFusioniX_FusionX_fp16": ("distilled", None),
    "Wan2.1_T2V_14B_FusionX_LoRA": ("distilled", None),
    "hidream_i1_fast_fp8": ("distilled", None),
    "illustrious_hyper_v2": ("distilled", None),
    "ponyRealism_lightning8": ("sdxl-lightning", None),
    "pony_lightning_4step": ("sdxl-lightning", 4),
    "sana_sprint_1.6B": ("distilled", None),
    "pcm_sdxl_normalcfg_8step_converted": ("distilled", 8),
    "my_special_lora_8steps": ("distilled", 8),
    "hunyuanvideo_1.5_lightx2v_4steps": ("lightx2v", 4),
    "minimax_h3_lightx2v_4step": ("lightx2v", 4),
}
ORDINARY = [
    "v1-5-pruned-emaonly",
    "juggernautXL_v9",
    "flux1-dev",
    "lightning_bolts_style_lora",
    "turbocharged car",
    "hyperrealism_xl",
]
ORDINARY += [
    "ponyDiffusionV6XL",
    "wan2.1_t2v_1.3B_bf16",
    "sd3.5_large",
    "qwen_image_fp8",
    "chroma-unlocked-v37",
    "swan_lake_4_dancers",
    "flux-2-klein-base-9b",
    "ltx-2.5-22b-dev",
    "porsche_911_turbo",
    "flux_lightning_bolts",
    "flash_photography_flux",
    "hidream_i1_full",
    "my_lora_epoch 4 step 500",
    "illustrious_hyper_detailed",
    "wan2.2_t2v_high_noise_14B_fp8_scaled",
    "krea2_base",
    "minimax_h3",
    "sdxl_vae_fast_decode",
    "Chroma1-HD",
    "animagine-xl-4.0",
    "distilled_whisky_style",
    "",
]
PUBLIC = json.loads((Path(__file__).parent / "public_names.json").read_text("utf-8"))
FLUX = [
    "double_blocks.0.img_attn.qkv.weight",
    "txt_in.weight",
    "img_in.weight",
    "vector_in.in_layer.weight",
]


@pytest.mark.parametrize("name", DISTILLED)
def test_names_give_them_away(name):
    advice = detect(["ordinary", name])
    assert (advice.family, advice.steps) == DISTILLED[name] and advice.preset in (None, *PRESETS)
    assert "may distil all the same" in advice.text and (
        not advice.preset or advice.preset in advice.text
    )


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_names(name):
    assert detect([name]) is None


def test_public_names_that_say_it():
    found = {name: detect([name]) for name in PUBLIC["says"]}
    assert {name: advice and advice.family for name, advice in found.items()} == PUBLIC["says"]


def test_public_names_that_only_look_like_it():
    assert [name for name in PUBLIC["ordinary"] if detect([name])] == []


def test_no_family_of_another_model_is_advised():
    """A word of one family and a model of another: the general advice."""
    for name in (
        "acestep_xl_turbo_bf16",
        "FireRed-Image-Lightning-8steps",
        "Hyper-SD3-8steps-lora",
    ):
        assert detect([name]).family == "distilled" and detect([name]).preset is None


def test_metadata_counts_by_titles_alone():
    assert detect(metadata={"modelspec.title": "SDXL Lightning 4-step"}).because.startswith(
        "modelspec.title"
    )
    assert (
        detect(
            metadata={"modelspec.description": "better than SDXL Turbo, LCM and Lightning 4 steps"}
        )
        is None
    )


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model."])
def test_key_patterns(prefix):
    def found(names):
        advice = detect(weights=[prefix + name for name in names])
        return advice and advice.family

    assert found(FLUX) == "flux-schnell" and found([*FLUX, "guidance_in.in_layer.weight"]) is None
    assert found(FLUX[:3]) is None  # LongCat-Image
    assert found([*FLUX, "distilled_guidance_layer.norms.0.scale"]) is None
    assert found([*FLUX, "double_stream_modulation_img.lin.weight"]) is None
    assert (
        found(["time_embed.0.weight", "time_embed.cond_proj.weight"]) == "lcm"
        and found(["time_embed.0.weight"]) is None
    )


def test_a_file_by_its_header(tmp_path):
    save_file({name: torch.zeros(4, 4) for name in FLUX}, tmp_path / "mine.safetensors")
    assert detect_file(tmp_path / "mine.safetensors").family == "flux-schnell"
    save_file(
        {"a": torch.zeros(4)}, tmp_path / "mine.safetensors", {"ss_output_name": "lcm-lora-mine"}
    )
    assert detect_file(tmp_path / "mine.safetensors").family == "lcm"


def test_the_bundled_checkpoints_are_ordinary():
    assert detect_file(BUNDLED["flow"]) is None and detect_file(BUNDLED["eps"]) is None


@given(
    st.lists(st.text(max_size=400), max_size=3),
    st.dictionaries(st.text(max_size=20), st.text(max_size=50), max_size=3),
)
def test_anything_is_taken(names, metadata):
    advice = detect(names, {**metadata, "name": names[0] if names else ""}, names)
    assert advice is None or advice.text.isprintable()
