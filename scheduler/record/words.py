"""A record in words: what it is for, what it holds, how large its pictures are, what it cost.

Every host and the command line say it with these, each with its own names of the samplers: `labels`
maps a sampler's name to the host's label ({"dpmpp_2m": "DPM++ 2M"}); what is not in it keeps its
name. What was measured is said in verdict_words.py, in tables in evidence_table.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..counted import model_calls
from .cfg_range import whole_span
from .counts import ranges

if TYPE_CHECKING:
    from .model import Record

Labels = Mapping[str, str]
NO_LABELS: Labels = {}

CELL = 8  # pixels along a side of one latent cell
PICTURE_CHANNELS = (4, 16)
VIDEO_CHANNELS = 16
FRAMES = 4  # frames of the video that a latent frame stands for, but for the first
BY_CALLS = "budget"  # the effort of a plan that follows from a number of calls: nobody chose it
OWN_SOLVER = "adams3"


def sampler_label(name: str, labels: Labels = NO_LABELS) -> str:
    """A sampler as the host calls it."""
    return labels.get(name, name)


def duration(seconds: float) -> str:
    """A time in words: "8 s", "3 min 20 s", "2 h 5 min"."""
    whole = max(round(seconds), 1)
    if whole < 60:
        return f"{whole} s"
    minutes, hours = whole // 60, whole // 3600
    if whole < 3600:
        return f"{minutes} min" + (f" {whole % 60} s" if whole % 60 and whole < 600 else "")
    return f"{hours} h" + (f" {minutes % 60} min" if minutes % 60 else "")


def size(shape: Sequence[int]) -> str:
    """A latent as the picture or video that it stands for, "1024x1024" or "832x480, 81 frames",
    where its scale is known; else its own shape, "latent 8x64x64".

    Known are the latents of 4 channels (Stable Diffusion 1, 2 and XL) and of 16 (SD3, FLUX, Chroma,
    Qwen Image, and as videos Wan and Hunyuan), of 8 pixels a cell; in videos the first latent frame
    stands for one frame and each other for four.
    """
    channels, *rest = shape
    cells = rest[-2:]
    if len(shape) == 3 and channels in PICTURE_CHANNELS:
        return _pixels(cells)
    if len(shape) == 4 and channels == VIDEO_CHANNELS:
        frames = FRAMES * (rest[0] - 1) + 1
        return f"{_pixels(cells)}, {frames} frame{'s' if frames != 1 else ''}"
    return "latent " + "x".join(map(str, shape))


def _pixels(cells: Sequence[int]) -> str:
    height, width = cells
    return f"{CELL * width}x{CELL * height}"


def contents(record: Record, labels: Labels = NO_LABELS) -> str:
    """The samplers of a record, each with its step counts: "distilled 4-12 steps, euler 4-8, 10 steps"."""
    found: dict[str, set[int]] = {}
    for recipe in record.recipes:
        found.setdefault(recipe.sampler, set()).add(recipe.steps)
    parts = (
        f"{sampler_label(sampler, labels)} {ranges(steps)} step{'s' if steps != {1} else ''}"
        for sampler, steps in found.items()
    )
    return ", ".join(parts) or "none"


def conditions(record: Record) -> str:
    """What a record was made under: "cfg 4, 1024x1024, 2 prompts, seed 0"."""
    under = record.conditions
    patches = patch_words(record)
    parts = [
        _cfg(record),
        f"guidance {under.guidance:g}" if under.guidance is not None else "",
        size(under.latent_shape) if under.latent_shape else "",
        f"with {', '.join(patches)}" if patches else "",
        f"{under.prompts} prompt{'s' if under.prompts != 1 else ''}" if under.prompts else "",
        f"seed {under.seed}" if under.seed is not None and _own_teacher(record) else "",
    ]
    return ", ".join(part for part in parts if part)


def _own_teacher(record: Record) -> bool:
    """Whether its rows were drawn for it, from its own seed, and are no recorded pictures'."""
    return not any(each.get("recordings") for each in record.provenance.get("stages", ()))


def _cfg(record: Record) -> str:
    """ "cfg 3", with the cfgs that a recipe was checked at, as far as they hold."""
    cfg, ends = record.conditions.cfg, whole_span(record)
    if cfg is None:
        return ""
    return f"cfg {cfg:g}" + (f" (checked from {ends[0]:g} to {ends[1]:g})" if ends else "")


def patch_words(record: Record) -> list[str]:
    """The LoRAs and merges with strengths, by their files' names where the record knows them."""
    patches, files = record.model.patches, _lora_files(record)
    names = [each["name"] for each in patches]
    loras = [place for place, name in enumerate(names) if name.startswith("lora")]
    if len(loras) == len(files) == 1:
        names[loras[0]] = files[0][0]
    elif len(loras) == len(files):
        _name_by_strength(names, loras, [each["strength"] for each in patches], files)
    return [f"{name} at {each['strength']:g}" for name, each in zip(names, patches, strict=True)]


def _name_by_strength(
    names: list[str], loras: list[int], strengths: list[float], files: list[tuple]
) -> None:
    """Of LoRAs at one strength it does not matter here which is which: all are named at it."""
    left = list(files)
    for place in loras:
        same = [each for each in left if each[1] is not None and each[1] == strengths[place]]
        if same:
            names[place] = same[0][0]
            left.remove(same[0])


def _lora_files(record: Record) -> list[tuple[str, float | None]]:
    """(file, strength or None) as the record says; earlier ones name files alone."""
    said = record.provenance.get("loras")
    found = []
    for each in said if isinstance(said, (list, tuple)) else ():
        if isinstance(each, dict):
            found.append((str(each.get("name", "")), each.get("strength")))
        else:
            found.append((str(each), None))
    return found


def distinguished(record: Record) -> str:
    """What tells a record from another of its model: cfg, size, LoRAs, effort, evidence."""
    under = record.conditions
    plans = record.provenance.get("plans") or [{}]
    seeds, effort = record.evidence.get("seeds"), str(plans[-1].get("effort", ""))
    parts = [
        _cfg(record),
        size(under.latent_shape) if under.latent_shape else "",
        ", ".join(patch_words(record)),
        effort if effort != BY_CALLS else "",
        f"measured on {seeds} other pictures" if seeds else "not measured on other pictures",
    ]
    return " · ".join(part for part in parts if part)


def about(record: Record) -> str:
    """The model, the conditions, the teacher and where the record comes from, in a few lines."""
    lines = [
        ("Model", _model(record)),
        ("Conditions", conditions(record) or "none stated"),
        ("Teacher", _teacher(record)),
        ("Made", made(record)),
        ("From kin", from_kin(record)),
        ("Evidence", _evidence(record)),
    ]
    return "\n".join(f"{name + ':':<12}{text}" for name, text in lines if text)


def made(record: Record) -> str:
    """When, with which version and how many model calls a record was made, and where it is from."""
    origin = record.provenance
    spent = model_calls(origin["model_calls"])
    if origin.get("evidence_calls"):
        spent += f", {origin['evidence_calls']:,} more for the evidence"
    return f"{origin['created']}, StepDistill {origin['version']}, {spent}"


def from_kin(record: Record) -> str:
    """Which related models' recipes a record's were begun with, and what a check said; "" for none."""
    return "; ".join(_kin(each) for each in record.provenance.get("kin", ()))


_VERDICTS = {"holds": "held as it was", "refine": "was a start", "refuse": "was left"}


def _kin(found: Mapping) -> str:
    cfg = f" at cfg {found['cfg']:g}" if "cfg" in found else ""
    error, stock = found.get("rms"), found.get("stock_rms")
    share = f" ({error / stock:.2f} of stock's error)" if error is not None and stock else ""
    verdict = _VERDICTS.get(found["verdict"], found["verdict"])
    verdict = "was left and not tried" if "stranger" in found else verdict
    return f"the recipe of {found['name']}{cfg}, {found['kinship']}, {verdict}{share}"


def _model(record: Record) -> str:
    model = record.model
    shift = f", shift {model.shift:g}" if model.shift else ""
    kind = f"{model.prediction or model.parametrisation}{shift}"
    if model.noise_scale is not None:
        kind += f", {model.noise_scale:g} times the usual noise"
    ends = f"sigma {model.sigma_min:.4g} to {model.sigma_max:.4g}"
    return f"{model.name or 'unnamed'} ({kind}, {ends})"


def _teacher(record: Record) -> str:
    teacher = record.teacher
    if not teacher:
        return ""
    count = teacher["samples"]
    whose = " of the model's own" if teacher["grid"] == "own" else ""
    samples = f"{count} picture{'s' if count != 1 else ''} of {teacher['nodes']} steps{whose}"
    bare = "" if record.gram is not None else "; for the recipes' own step counts alone"
    solver = teacher["solver"]
    own = solver == OWN_SOLVER  # which no host lists
    return f"{samples}{'' if own else f' ({solver})'}{bare}"


def _evidence(record: Record) -> str:
    seeds = record.evidence.get("seeds")
    return f"{seeds} held-out sample{'s' if seeds != 1 else ''}" if seeds else ""
