"""Recognises step-distilled models, which have few-step sigmas of their own, and advises those.

Text for the user, never a block.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..files import PathLike

# Of a file's metadata only what names the model counts: descriptions also mention other models.
TITLES = ("modelspec.title", "ss_output_name", "name", "title")
_STEPS = re.compile(r"\b(\d{1,2}) ?(?:steps?|nfe)\b")


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


@dataclass(frozen=True)
class _Family:
    title: str
    pattern: str  # of names as `_words`
    preset: str | None
    use: str


# Names of the models that others are distilled from, as `_words` has them.
_MODELS = (
    r"(flux|kontext|qwen|sd|sdxl|xl|sd15|sd3|pony|illustrious|noob|noobai|hidream|chroma|krea|anima|wan|"
    r"hunyuan|hy|ltx|ltxv|ltx2|minimax|hailuo|h3|z ?image|zimage|kolors|sana|lumina|auraflow|pixart|"
    r"cosmos|ovis|ernie|longcat|mochi|cogvideo|cogvideox|ace ?step|omnigen|bria|kandinsky|playground)"
)
_MODEL = rf"\b{_MODELS}[a-z]?[ \d]*\b"
# What gives a model away whose family has no entry of its own.
_TELLING = (
    r"step ?distill",
    r"\bfew ?steps?\b",
    r"(?<!epoch )\b(1|2|4|6|8) ?steps?\b(?! ?\d)",
    r"\b(causvid|accvid|self ?forcing|rcm|senseflow|twin ?flow|pi ?flow|mean ?flow|instaflow|sdxs)\b",
    r"fusion ?x\b",
    r"\bpcm ?(lora|sd|sdxl)",
    r"\bfast ?(wan|hunyuan|mochi|ltx|video)",
    r"\bltx\w*.*\bdistill",
    r"\bflux(?!.*\bbase\b).*\bklein\b",
    r"hidream.*\bfast\b",
    r"\bsana.*\bsprint\b",
    rf"{_MODEL}.*\bturbo\b",
    rf"\bturbo\b.*{_MODEL}",
    r"\bturbo ?(alpha|lora)\b",
    r"chroma.*\bflash\b",
    r"\bsd(xl)? ?flash\b",
    r"\bflash ?(sd|sdxl|sd3|pixart)\b",
    rf"{_MODEL}.*\bhyper\b(?! (real|detail|focus))",
    rf"{_MODEL}.*\blightning(?! (bolt|storm|strike|effect|magic))( ?\d+)?\b",
)
# The first that fits counts, so that the special stand before the general.
_FAMILIES = {
    "qwen-lightning": _Family(
        "Qwen-Image Lightning",
        r"qwen.*lightning",
        "qwen-image-lightning",
        "the 4 or 8 steps that it was made for, shift 3, cfg 1, euler",
    ),
    "flux2-turbo": _Family(
        "FLUX.2 dev Turbo",
        r"\bflux ?2\b(?!.*klein).*\bturbo\b",
        "flux2-turbo",
        "8 steps on its own sigmas, guidance 2.5, euler",
    ),
    "ltx2-distilled": _Family(
        "LTX-2 distilled",
        r"\bltx ?v? ?2 (?!5 ).*distill",
        "ltx2-distilled",
        "8 steps on its own sigmas, cfg 1, euler",
    ),
    "lightx2v": _Family(
        "a model that lightx2v distilled",
        r"(?=.*\blightx2v\b)(?=.*(hunyuan|\bhy ?video|minimax|hailuo|\bh ?3\b|qwen|flux|\bltx|z ?image))",
        None,
        "the few steps that its maker names, cfg 1",
    ),
    "wan22-lightning": _Family(
        "Wan Lightning / lightx2v",
        r"\bwan.*(lightning|lightx2v|\b4 ?steps?\b|distill)|\blightx2v\b",
        "wan22-lightning",
        "4 steps, shift 5, cfg 1, euler",
    ),
    "hyper-flux": _Family(
        "Hyper-FLUX",
        r"hyper ?flux|flux.*hyper ?sd",
        None,
        "8 or 16 steps of FLUX's usual schedule, guidance 3.5",
    ),
    "hyper-sd": _Family(
        "Hyper-SD",
        r"hyper ?(sd|sdxl|sd15|xl)\b|hyper ?sd ?\w*|\bhyper\b.*\bsteps?\b",
        "hyper-sd",
        "the steps in its name, cfg 1",
    ),
    "sdxl-lightning": _Family(
        "SDXL Lightning",
        r"(sdxl|xl|sd) ?lightning|xl.*\blightning\b|"
        r"lightning ?(xl|\d ?steps?)|\d ?steps? ?lightning",
        "sdxl-lightning",
        "2, 4 or 8 steps as its name says, cfg 1, euler",
    ),
    "sd3-turbo": _Family(
        "SD 3.5 Large Turbo", r"(sd|stable diffusion) ?3.*turbo", None, "4 steps, cfg 1, shift 3"
    ),
    "z-image-turbo": _Family("Z-Image Turbo", r"z ?image.*turbo", None, "8 steps, cfg 1, shift 3"),
    "sdxl-turbo": _Family(
        "SD or SDXL Turbo",
        r"(sdxl|sd|xl)[ \d]*turbo|turbo ?xl|xl.*\bturbo\b",
        "sdxl-turbo",
        "1 to 4 steps, cfg 1, euler_ancestral",
    ),
    "lcm": _Family(
        "a latent consistency model",
        r"\blcm\b|latent consistency|\blcm ?lora",
        "lcm",
        "4 to 8 steps, cfg 1 to 2, sampler lcm",
    ),
    "perflow": _Family("PeRFlow", r"\bperflow", "perflow", "4 steps, euler"),
    "flux-schnell": _Family(
        "FLUX.1 schnell",
        r"\bschnell\b",
        "flux-schnell",
        "1 to 4 steps, evenly spaced, cfg 1, euler",
    ),
    "dmd": _Family(
        "DMD2",
        r"\bdmd ?2?\b",
        None,
        "4 steps at timesteps 999, 749, 499 and 249, cfg 1, sampler lcm",
    ),
    "tcd": _Family(
        "TCD",
        r"\btcd ?(lora|sd|sdxl)|\b(sd|sdxl)\w* ?tcd\b",
        None,
        "4 to 8 steps, cfg 1, sampler tcd",
    ),
    "distilled": _Family(
        "a step-distilled model",
        "|".join(_TELLING),
        None,
        "the few steps that its maker names",
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
        plain = _words(title)
        for family, entry in _FAMILIES.items():
            if re.search(entry.pattern, plain):
                return _advice(family, f"{where}, {_short(title)}", _STEPS.search(plain))
    built_as = _family_by(weights)
    return _advice(built_as, "the weights that it has", None) if built_as else None


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
    other modulation).
    """
    guided = ("time_embed.cond_proj.weight", "time_embedding.cond_proj.weight")
    if any(name.endswith(guided) for name in names):
        return "lcm"
    flux = "double_blocks.0.img_attn.qkv.weight" in names and "txt_in.weight" in names
    other = ("guidance_in.", "distilled_guidance_layer.", "double_stream_modulation_img.")
    if flux and not any(name.startswith(other) for name in names):
        return "flux-schnell"
    return None


def _advice(family: str, because: str, steps: re.Match | None) -> Advice:
    entry = _FAMILIES[family]
    count = (int(steps[1]) if steps else 0) or None
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
    return Advice(family, entry.preset, count, because, text)


def _words(title: str) -> str:
    """A name as lower-case words, once as it is and once with itsNamesLikeThis taken apart."""
    # Without our own name, which marks files that we made.
    text = re.sub(r"\bStepDistill\b", "", str(title)[-150:])
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text)
    return re.sub(r"[^a-z0-9]+", " ", f"{text} {apart}".lower())


def _short(title: str) -> str:
    text = str(title)[-80:]
    return f"'{text}'" if text.isprintable() else ascii(text)
