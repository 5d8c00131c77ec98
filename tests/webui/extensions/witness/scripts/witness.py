"""A test's extension: remembers the noise levels at which the host asked its model, and answers
questions about the running host."""

import sys
import time

import torch
from modules import infotext_utils, processing, script_callbacks, sd_models, shared
from modules.sd_samplers_cfg_denoiser import CFGDenoiser

OURS = "stepdistill_webui.a1111"
seen = []
decoded, comments = [], []
# At which call of the model something happens; and what happens once elsewhere.
NEVER = {"stop": 0, "skip": 0, "break": 0, "memory": 0, "decode": 0, "done": 0, "slow": 0}
limits = {"calls": 0, **NEVER}
forward = getattr(CFGDenoiser.forward, "original", CFGDenoiser.forward)
comment = getattr(
    processing.StableDiffusionProcessing.comment,
    "original",
    processing.StableDiffusionProcessing.comment,
)
state_class = type(shared.state)
next_job = getattr(state_class.nextjob, "original", state_class.nextjob)
decode = getattr(processing.decode_latent_batch, "original", processing.decode_latent_batch)


def _decode(*arguments, **named):
    decoded.append(True)
    _fail_once("decode", "no VAE, as a test has it")
    return decode(*arguments, **named)


def _next_job(self, *arguments, **named):
    _fail_once("done", "no end, as a test has it")
    return next_job(self, *arguments, **named)


def _fail_once(where, sentence):
    if limits[where]:
        limits[where] = 0
        raise RuntimeError(sentence)


def _comment(self, text):
    comments.append(str(text))
    return comment(self, text)


_comment.original = comment
processing.StableDiffusionProcessing.comment = _comment
_decode.original = decode  # through a reload, too
_next_job.original = next_job
state_class.nextjob = _next_job
processing.decode_latent_batch = _decode


def _forward(self, *arguments, **named):
    limits["calls"] += 1
    if limits["calls"] == limits["break"]:
        raise RuntimeError("no model, as a test has it")
    if limits["calls"] == limits["memory"]:
        raise torch.cuda.OutOfMemoryError("Allocation on device, as a test has it")
    time.sleep(limits["slow"] / 1000)
    found = forward(self, *arguments, **named)
    if limits["calls"] == limits["stop"]:
        shared.state.interrupt()
    if limits["calls"] == limits["skip"]:
        shared.state.skip()
    return found


_forward.original = forward
CFGDenoiser.forward = _forward


def _heard(params):
    seen.append(
        {
            "sigma": float(params.sigma.flatten()[0]),
            "rows": len(params.sigma),
            "shape": list(params.x.shape),
        }
    )


def _taken():
    found = {"calls": list(seen), "decoded": len(decoded), "comments": "\n".join(comments)}
    for each in (seen, decoded, comments):
        each.clear()
    return found


def _limit(what):
    def limit(calls: int):
        limits.update({"calls": 0, **NEVER, what: calls})
        return {}

    return limit


def _forget():
    """Nothing is kept of earlier tests."""
    limits.update(NEVER)
    sys.modules[f"{OURS}.stores"].store().clear_recordings()
    if f"{OURS}.notes" in sys.modules:
        sys.modules[f"{OURS}.notes"].forget()
    return {}


def _fingerprints():
    weights, model = sys.modules[f"{OURS}.weights"], sd_models.model_data.sd_model
    return {
        "live": weights._live(model).id,
        "file": weights._stored(model).id,
        "patches": list(weights.patches_of(model)),
    }


def _rivals():
    return {
        name: bool(getattr(sys.modules.get(name), "RIVAL", False))
        for name in ("scheduler", "a1111")
    }


def _pasted(text: str):
    found = infotext_utils.parse_generation_parameters(text)
    return {
        "parameters": {key: str(value) for key, value in found.items()},
        "record": sys.modules[f"{OURS}.infotext"].record_of(found),
        "recipes": sys.modules[f"{OURS}.infotext"].recipes_of(found),
    }


def _label(name: str):
    return sys.modules[f"{OURS}.record_list"].label_of(name)


def _reload():
    shared.state.request_restart()
    return {}


def _routes(demo, app):
    functions = {
        "": _taken,
        "/fingerprints": _fingerprints,
        "/rivals": _rivals,
        "/pasted": _pasted,
        "/label": _label,
        "/reload": _reload,
        "/forget": _forget,
        "/stop_after": _limit("stop"),
        "/skip_after": _limit("skip"),
        "/break_after": _limit("break"),
        "/memory_after": _limit("memory"),
        "/break_decoding": _limit("decode"),
        "/break_the_end": _limit("done"),
        "/slow": _limit("slow"),
    }
    for name, function in functions.items():
        app.add_api_route(f"/witness{name}", function, methods=["GET"])


script_callbacks.on_cfg_denoiser(_heard)
script_callbacks.on_app_started(_routes)
