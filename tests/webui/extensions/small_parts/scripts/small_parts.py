"""A test's extension: Forge takes text encoders as small as a test's checkpoint has them, and reads the
sizes of a Flux from its weights; both are numbers in its own files. Everything else is its own."""

from pathlib import Path

try:
    from backend import loader
    from huggingface_guess import detection
except ImportError:  # another host
    loader = None

LAYERS = 2
T5 = {"d_model": 64, "d_ff": 128, "d_kv": 32, "num_heads": 2, "num_layers": 1}
HEAD = 128  # channels of a head of Flux


def _small_clip(original):
    def load(path, *arguments, **named):
        config = original(path, *arguments, **named)
        if any(name in str(path) for name in ("stabilityai", "FLUX")):
            config.num_hidden_layers = LAYERS
        return config

    load.original = original
    return load


def _small_t5(original):
    def read(path):
        return original(path) | T5

    read.original = original
    return read


def _t5_tokens(original):
    """Of the file that Forge has: transformers would make it anew, with a package that may be missing."""

    def load(path, *arguments, **named):
        file = Path(path) / "tokenizer.json"
        if not file.is_file():
            return original(path, *arguments, **named)
        return T5TokenizerFast(tokenizer_file=str(file), model_max_length=512)

    load.original = original
    return load


def _sized_flux(original):
    def detect(weights, prefix):
        found = original(weights, prefix)
        if found and found.get("image_model") == "flux":
            names = [name.removeprefix(prefix).split(".") for name in weights]
            hidden = weights[f"{prefix}img_in.weight"].shape[0]
            found |= {"hidden_size": hidden, "num_heads": hidden // HEAD}
            found["context_in_dim"] = weights[f"{prefix}txt_in.weight"].shape[1]
            for key, part in (("depth", "double_blocks"), ("depth_single_blocks", "single_blocks")):
                found[key] = len({name[1] for name in names if name[0] == part})
        return found

    detect.original = original
    return detect


def _original(function):
    return getattr(function, "original", function)


if loader is not None:
    from transformers import CLIPTextConfig, T5TokenizerFast

    T5TokenizerFast.from_pretrained = _t5_tokens(_original(T5TokenizerFast.from_pretrained))
    CLIPTextConfig.from_pretrained = _small_clip(_original(CLIPTextConfig.from_pretrained))
    loader.read_arbitrary_config = _small_t5(_original(loader.read_arbitrary_config))
    detection.detect_unet_config = _sized_flux(_original(detection.detect_unet_config))
