"""Which published tables were made for a model, by what its host's own loader calls it."""

from __future__ import annotations

from ..fingerprint.step_distilled import Advice

# Presets by family, the best first: AYS was made for the samplers of today, GITS for its own.
SD1 = ("ays-sd1", "gits")
SDXL = ("ays-sdxl",)
SVD = ("ays-svd",)
FLUX = ("optimal-steps-flux",)
WAN = ("optimal-steps-wan",)
CHROMA = ("optimal-steps-chroma",)

# The classes by which ComfyUI and Forge know their models; not their subclasses, which are other
# models (SSD-1B, FLUX.1 schnell, Wan 2.2).
_BY_CLASS = {
    "SD15": SD1,
    "SDXL": SDXL,
    "SVD_img2vid": SVD,
    "Flux": FLUX,
    "FluxInpaint": FLUX,
    "WAN21_T2V": WAN,
    "WAN21_I2V": WAN,
    "Chroma": CHROMA,
}


def published_for(host_class: str, advice: Advice | None = None) -> tuple[str, ...]:
    """The presets (presets.PRESETS) made for a model, the best first; empty for an unknown one.

    host_class: the name of the class that its host's loader chose. A step-distilled model
    (`advice`) has its vendor's own few-step sigmas, and no other table fits it.
    """
    if advice is not None:
        return (advice.preset,) if advice.preset else ()
    return _BY_CLASS.get(host_class, ())
