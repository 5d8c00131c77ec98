"""What a name says of a model: whether it was distilled to few steps, and which model that was.

Some words say it in any family ("schnell", "8 steps"); others are English too ("turbo", "lightning")
and say it only where the rest of the name is a model's: beside a model's name, or before nothing but
formats.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Models that others are distilled from, as words of `_words`; what is more special comes first.
_BASES = {
    "qwen": r"qwen",
    "wan": r"wan|skyreels|fusion ?x",
    "z-image": r"z ?image",
    "ltx2": r"ltx ?v? ?2(?= |$)(?! 5)",
    "ltx": r"ltx\w*",
    "hunyuan": r"hunyuan\w*|hyvideo|hy",
    "minimax": r"minimax|hailuo|h3",
    "sd3": r"sd ?3|stable ?diffusion ?3",
    "flux2": r"flux ?2",
    "flux": r"flux\w*|kontext",
    "other": r"acestep|ace ?step|anima|animatediff|auraflow|boogu|bria|chroma\w*|chronoedit|cogvideo\w*|"
    r"cosmos|ernie|fibo\w*|firered|framepack|hidream|kandinsky\w*|kolors|krea|longcat|lumina|mochi|"
    r"nucleus|omnigen\w*|ovis|pid|pix ?art\w*|sana|svd|video",
    "sdxl": r"\w*xl|pony\w*|illustrious\w*|noob\w*|animagine|juggernaut|juggernautx|realvis\w*|"
    r"proteus|segmind|ssd|vega|playground|cyberrealistic\w*",
    "sd": r"sd|sd ?1 ?5|sd15|sd ?2|stable ?diffusion|dreamshaper|realistic ?vision\w*|photon|epicrealism\w*",
}
_MODEL = rf"(?:(?:{'|'.join(_BASES.values())})\d*[a-z]?)"
_GLUED = r"(?:qwen|wan|flux|ltx|ltxv|hunyuan|h3|sdxl|sd|xl|sana|chroma|pony|video|mochi|vision)"
_VERSION = r"(?:v?\d\w*|v|x|xi+|x?iv|i+|ix)"
# What a file's name says of how it is stored.
_STORED = (
    r"(?:fp|bf|int|nf|mxfp|nvfp|q|iq)\d+\w*|f16|f32|e\dm\d\w*|gguf|ggml|svdq|scaled|pruned|quantized|"
    r"\w*mixed|fp8mix|convrot|onnx|trt|awq|gptq"
)
_ABOUT = (
    rf"{_VERSION}|{_STORED}|loras?|ranks?|avg|dynamic|fro\d+|ema|ckpt\w*|baked\w*|vae|no|dev|unet|dit|"
    r"transformer|diffusion\w*|model|checkpoint|comfy\w*|diffusers|aio|final|alpha|beta|rc|full|large|"
    r"medium|small|mini|lite|tiny|unlocked|run ?diffusion|high|low|noise|ti?2v|i2v|t2i|i2i|s2v|image|"
    r"edit|text|to|dpm\w*|sde|euler|cfg|steps?|fun|controlnet|union|tile|by|rd|k|m|s|simple|transformer|sfw|nsfw|"
    r"inpaint\w*|animate|img|mv|framewise|hd|uhd|\d+p|sr|bakedvae"
)
# Words that say it in any family.
_SAYS = (
    r"schnell|lcm|tlcm|latent consistency|consistency (?:model|distill\w*|lora)|"
    r"step ?distil\w*|few ?steps?|dmd ?2?|perflow|lightx2v|caus ?vid|acc ?vid|"
    r"(?:self|causal) ?forcing|rcm|scm|sense ?flow|twin ?flow|pi ?flow|pi ?i?d(?= [48] ?step)|mean ?flow|"
    r"insta ?flow|sdxs|yoso|tdd|nitro ?(?:sd|fusion)|hyper ?sd\w*|turbo ?diffusion|fusion ?x|"
    r"rapid ?(?:mega )?(?:aio|all ?in ?one)|pcm(?= (?:lora|sd|sdxl))|tcd(?= (?:lora|sd|sdxl))|"
    r"(?<=sdxl )tcd|(?<=sd )tcd|(?<=sd15 )tcd|turbo ?(?:alpha|lora)|klein [49] ?b|v\d[48] ?steps?|"
    r"(?<!epoch )(?<!epoch 0)(?:[1-9]|1[0-6]) ?(?:steps?|nfe)(?! ?\d)"
)
# English words that say it in a model's name.
_MAY_SAY = (
    r"turbo|lightning|hyper(?! ?(?:real|detail|focus|spire|bolic))|flash|fast|sprint|rapid|klein|"
    r"distil(?:led|l|lation)?"
)
# Beside one of these they are English: what is drawn, what a file does, what was undone.
_ENGLISH = (
    r"bolts?|storms?|strikes?|thunder\w*|electric\w*|zeus|mcqueen|vfx|effects?|magic\w*|powers?|porsche|"
    r"cars?|911|racing|racer|charged|charger|engine|jet|snail|granny|kid|"
    r"photo\w*|camera|polaroid|gordon|drive|mob|dance\w*|food|furious|fashion|motion|decode|"
    r"whisky|whiskey|distillery|yves|calvin|anne|painting|blue|stairs|yoga|stool|tutorial|"
    r"muscle|sonic|speedster|dc|costume|sword|sky|weather|tattoo|vacation|forward|travel"
)
_UNDONE = r"de ?(?:distil\w*|turbo|schnell)|undistil\w*|(?:open|libre) ?flux"
# Guidance distilled into the weights, which leaves the steps as they were.
_GUIDANCE = r"(?:cfg|guidance) ?distil\w*"
_BASE_OF_A_FAMILY = r"klein (?:\w+ )?base|base klein|klein \w*base"
_STEPS = re.compile(r"\b(\d{1,2}) ?(?:steps?|nfe)\b")


@dataclass(frozen=True)
class Said:
    """What a name says. word: the telling one. base: one of _BASES, or None where none is named.
    steps: as the name states them, or None."""

    word: str
    base: str | None
    steps: int | None


def said_by(name: str) -> Said | None:
    """What a file's name or title says of a model distilled to few steps; None where it says nothing."""
    words = _words(name)
    if re.search(rf"\b(?:{_UNDONE}|{_BASE_OF_A_FAMILY})\b", words):
        return None
    words = re.sub(rf"\b{_GUIDANCE}\b", " ", words)
    plain = re.search(rf"\b(?:{_SAYS})\b", words)
    english = re.search(rf"\b(?:{_ENGLISH})\b", words)
    told = plain[0] if plain else None
    word = None if told and told[0].isdigit() else told  # stairs have eight steps too
    if not english:
        word = word or _in_a_model(words, str(name)) or told
    if word is None:
        return None
    steps = _STEPS.search(words)
    return Said(word, _base(words), (int(steps[1]) if steps else 0) or None)


def _in_a_model(words: str, name: str) -> str | None:
    """An English word of _MAY_SAY where the rest of the name is a model's."""
    for found in re.finditer(rf"\b(?:{_MAY_SAY})\b", words):
        before, after = words[: found.start()].rstrip(), words[found.end() :].lstrip()
        beside = re.search(rf"\b{_MODEL}(?: (?:{_ABOUT}))*$", before) or re.match(
            rf"(?:(?:{_ABOUT}) )*{_MODEL}\b", after
        )
        if beside or _only_stored(after) or _after_its_model(before, after, found[0]):
            return found[0]
        if _version_of(name, found[0]):
            return found[0]
    return None


def _after_its_model(before: str, after: str, word: str) -> bool:
    """Whether a word follows a model's name and version, or distilled a model's name, and ends the name."""
    ends = re.fullmatch(rf"(?:(?:{_ABOUT})(?: |$))*", after)
    direct = word.startswith("distil") or re.search(r"\bv?\d\w*$", before)
    return bool(ends and direct and re.search(rf"\b{_MODEL}\b", before))


def _only_stored(after: str) -> bool:
    """Whether nothing follows but how a file is stored, and that it is."""
    about = re.fullmatch(rf"(?:(?:{_ABOUT})(?: |$))+", after)
    return bool(about and re.search(rf"\b(?:{_STORED})\b", after))


def _version_of(name: str, word: str) -> bool:
    """Whether a word is in the version of a name as model sites write it: theModelsName_itsVersion."""
    parts = re.fullmatch(r"([a-z0-9]+[A-Z]\w*?)_(\w*)", re.sub(r"\.[a-z]+$", "", name))
    return parts is not None and word in parts[2].lower() and word not in parts[1].lower()


def _base(words: str) -> str | None:
    """Which model was distilled."""
    for base, pattern in _BASES.items():
        if re.search(rf"\b(?:{pattern})[a-z]?\d*\b", words):
            return base
    return None


def _words(title: str) -> str:
    """A name as lower-case words, itsNamesLikeThis and gluedturbo taken apart."""
    # Without our own name, which marks files that we made.
    text = re.sub(r"\bStepDistill\b", "", str(title)[-150:])
    text = re.sub(
        r"(?<=[a-z0-9])(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{3})", " ", text
    )
    text = re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()
    text = re.sub(rf"(?<=\d)({_MAY_SAY}|lcm|dmd2?)\b", r" \1", text)
    text = re.sub(rf"\b({_GLUED})({_MAY_SAY}|lcm|dmd2?)(?=\b|v?\d)", r"\1 \2", text)
    text = re.sub(rf"\b({_MAY_SAY})({_GLUED}\w*)", r"\1 \2", text)
    return re.sub(rf"\b({_MAY_SAY}|lcm|klein)(v?\d\w*)", r"\1 \2", text)
