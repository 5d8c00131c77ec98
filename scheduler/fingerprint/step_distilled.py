"""Recognises step-distilled models, which have few-step sigmas of their own, and advises those.

Text for the user, never a block.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..files import PathLike
from .step_distilled_names import Said, said_by

# Of a file's metadata only what names the model counts: descriptions also mention other models.
BY_WEIGHTS = "the weights that it has"
TITLES = ("modelspec.title", "ss_output_name", "name", "title")


@dataclass(frozen=True)
class Advice:
    """What a user should know of a step-distilled model.

    family: a short name. preset: one of presets.PRESETS, or None where no table is known. steps: as
    a name states them, or None. because: what gave it away. text: one paragraph for the user.
    """

    family: str
    preset: str | None
    steps: int | None
    because: str
    text: str
    own_steps: int | None = None
    noisy: bool = False
    most_cfg: float = 2.0


ANY: tuple[str | None, ...] = ()


@dataclass(frozen=True)
class _Family:
    title: str
    word: str  # a pattern of the telling one
    bases: tuple[str | None, ...]  # ANY: whichever
    preset: str | None
    use: str
    steps: int | None = None  # of the maker's run, where there is but one
    noisy: bool = False
    most_cfg: float = 2.0


# By the telling word and the model; the first that fits counts, so that the special stand before the
# general. A family's steps and settings hold for the models that its maker published it for.
_FAMILIES = {
    "qwen-lightning": _Family(
        "Qwen-Image Lightning",
        r"lightning",
        ("qwen",),
        "qwen-image-lightning",
        "the 4 or 8 steps that it was made for, shift 3, cfg 1, euler",
    ),
    "flux2-turbo": _Family(
        "FLUX.2 dev Turbo",
        r"turbo ?(alpha|lora)?",
        ("flux2",),
        "flux2-turbo",
        "8 steps on its own sigmas, guidance 2.5, euler",
        steps=8,
    ),
    "ltx2-distilled": _Family(
        "LTX-2 distilled",
        r"distil\w*|step ?distil\w*",
        ("ltx2",),
        "ltx2-distilled",
        "8 steps on its own sigmas, cfg 1, euler",
        steps=8,
    ),
    "wan22-lightning": _Family(
        "Wan Lightning / lightx2v",
        r"lightning|lightx2v|[48] ?steps?|step ?distil\w*|distil\w*",
        ("wan",),
        "wan22-lightning",
        "4 steps, shift 5, cfg 1, euler",
        steps=4,
    ),
    "lightx2v": _Family(
        "a model that lightx2v distilled",
        r"lightx2v",
        ANY,
        None,
        "the few steps that its maker names, cfg 1",
    ),
    "hyper-flux": _Family(
        "Hyper-FLUX",
        r"hyper ?(sd\w*)?",
        ("flux",),
        None,
        "8 or 16 steps of FLUX's usual schedule, guidance 3.5",
    ),
    "hyper-sd": _Family(
        "Hyper-SD",
        r"hyper ?sd\w*",
        ("sdxl", "sd"),
        "hyper-sd",
        "the steps in its name, cfg 1",
    ),
    "sdxl-lightning": _Family(
        "SDXL Lightning",
        r"lightning",
        ("sdxl",),
        "sdxl-lightning",
        "2, 4 or 8 steps as its name says, cfg 1, euler",
    ),
    "sd3-turbo": _Family(
        "SD 3.5 Large Turbo", r"turbo", ("sd3",), None, "4 steps, cfg 1, shift 3", steps=4
    ),
    "z-image-turbo": _Family(
        "Z-Image Turbo",
        r"turbo",
        ("z-image",),
        None,
        "8 steps, cfg 1, shift 3",
        steps=8,
    ),
    "sdxl-turbo": _Family(
        "SD or SDXL Turbo",
        r"turbo",
        ("sdxl", "sd"),
        "sdxl-turbo",
        "1 to 4 steps, cfg 1, euler_ancestral",
        noisy=True,
    ),
    "lcm": _Family(
        "a latent consistency model",
        r"lcm|latent consistency",
        ("sdxl", "sd", None),
        "lcm",
        "4 to 8 steps, cfg 1 to 2, sampler lcm",
        noisy=True,
    ),
    "perflow": _Family(
        "PeRFlow",
        r"perflow",
        ("sdxl", "sd", None),
        "perflow",
        "4 steps, euler",
        steps=4,
        most_cfg=7.5,
    ),
    "flux-schnell": _Family(
        "FLUX.1 schnell",
        r"schnell",
        ("flux", None),
        "flux-schnell",
        "1 to 4 steps, evenly spaced, cfg 1, euler",
        steps=4,
    ),
    "dmd": _Family(
        "DMD2",
        r"dmd ?2?",
        ("sdxl", "sd", None),
        None,
        "4 steps at timesteps 999, 749, 499 and 249, cfg 1, sampler lcm",
        noisy=True,
    ),
    "tcd": _Family(
        "TCD", r"tcd", ("sdxl", "sd"), None, "4 to 8 steps, cfg 1, sampler tcd", noisy=True
    ),
    "distilled": _Family(
        "a step-distilled model", r".*", ANY, None, "the few steps that its maker names"
    ),
}


def detect(
    names: Iterable[str] = (),
    metadata: Mapping[str, str] | None = None,
    weights: Iterable[str] = (),
) -> Advice | None:
    """What gives a step-distilled model away, if anything.

    names: of the checkpoint and of each active LoRA, file names or titles. metadata: of their
    safetensors headers. weights: the names of the checkpoint's tensors. A guess by names can be
    wrong both ways; what it says is advice.
    """
    titles = [(name, "its name") for name in names]
    titles += [
        (str(value)[:300], f"{key} in its metadata")
        for key, value in (metadata or {}).items()
        if key in TITLES
    ]
    for title, where in titles:
        said = said_by(title)
        if said is not None:
            return _advice(_family_named(said), f"{where}, {_short(title)}", said.steps)
    built_as = _family_by(weights)
    return _advice(built_as, BY_WEIGHTS, None) if built_as else None


def detect_file(path: PathLike) -> Advice | None:
    """The same from a safetensors file's name and header, which is all that is read.

    Raises CheckpointError.
    """
    from .tensor_file import open_safetensors  # numpy, which names are read without

    with open_safetensors(path) as file:
        return detect([Path(path).stem], file.metadata, file.tensors)


def _family_by(weights: Iterable[str]) -> str | None:
    names = list(weights)
    if not names:
        return None
    from .sketch import diffusion_names  # numpy, which names are read without

    return _family_of(diffusion_names(names))


def _family_of(names: Mapping[str, str]) -> str | None:
    """The family by key patterns.

    A consistency model is told the guidance through a projection of its own; schnell has FLUX's
    blocks but not the embedding of guidance that dev has (Chroma has another in its place, FLUX.2
    other modulation, LongCat-Image no pooled text).
    """
    guided = ("time_embed.cond_proj.weight", "time_embedding.cond_proj.weight")
    if any(name.endswith(guided) for name in names):
        return "lcm"
    parts = ("double_blocks.0.img_attn.qkv.weight", "txt_in.weight", "vector_in.in_layer.weight")
    flux = all(each in names for each in parts)
    other = ("guidance_in.", "distilled_guidance_layer.", "double_stream_modulation_img.")
    if flux and not any(name.startswith(other) for name in names):
        return "flux-schnell"
    return None


def _family_named(said: Said) -> str:
    return next(
        family
        for family, entry in _FAMILIES.items()
        if re.fullmatch(entry.word, said.word) and (said.base in entry.bases or entry.bases == ANY)
    )


def _advice(family: str, because: str, count: int | None) -> Advice:
    entry = _FAMILIES[family]
    named = f" (its name says {count} steps)" if count else ""
    command = f"python -m scheduler bake {entry.preset} --steps {count or 'N'}"
    preset = (
        f"; `{command}` prints its sigmas, and `swap --to vendor` puts them into a workflow"
        if entry.preset
        else ""
    )
    text = (
        f"This looks like {entry.title} ({because}), a model that was distilled to few steps "
        f"and has its own: {entry.use}{named}{preset}. "
        "Use those rather than distil a schedule for it; you may distil all the same."
    )
    own = count or entry.steps
    return Advice(family, entry.preset, count, because, text, own, entry.noisy, entry.most_cfg)


def _short(title: str) -> str:
    text = str(title)[-80:]
    return f"'{text}'" if text.isprintable() else ascii(text)
