"""What sampling runs really do: the sampler, the sigmas it was given, and every sigma that the
network was asked at."""

from __future__ import annotations

import json
import time
from pathlib import Path

KEY = "stepdistill_test_recorder"


class Recorder:
    """Wraps the innermost sampling function and the network's calls; a line of JSON for each run
    goes into `path`."""

    def __init__(self, path: Path, seconds: float):
        self.path, self.seconds = path, seconds
        self.asked, self.rows, self.places = [], [], []
        path.unlink(missing_ok=True)

    def run(self, execute, model_wrap, sigmas, *arguments, **named):
        """Around KSAMPLER.sample."""
        self.asked, self.rows, self.places = [], [], []
        sampler, given = execute.class_obj, sigmas.tolist()  # before: uni_pc writes into its sigmas
        try:
            return execute(model_wrap, sigmas, *arguments, **named)
        finally:
            line = {
                "sampler": sampler.sampler_function.__name__,
                "sigmas": given,
                "asked": self.asked,
                "rows": self.rows,
                "places": self.places,
            }
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    def call(self, execute, x, t, *arguments, **named):
        """Around the model's apply: t is the noise level that it is really asked at, a number a row."""
        time.sleep(self.seconds)
        self.asked.append(float(t.flatten()[0]))
        self.rows.append(int(x.shape[0]))
        self.places.append(_place(arguments[3]))  # transformer_options
        return execute(x, t, *arguments, **named)


def _place(transformer_options: dict) -> int:
    """Where the level that is asked at stands in the run's list, as models look for it; -1: nowhere."""
    asked, listed = transformer_options["sigmas"], transformer_options["sample_sigmas"]
    places = (asked[0] == listed).nonzero().flatten().tolist()
    return places[0] if places else -1


def recorded(model, path: Path, seconds: float = 0.0):
    """A clone of the MODEL that writes down its runs."""
    from comfy.patcher_extension import WrappersMP

    clone, recorder = model.clone(), Recorder(path, seconds)
    clone.add_wrapper_with_key(WrappersMP.SAMPLER_SAMPLE, KEY, recorder.run)
    clone.add_wrapper_with_key(WrappersMP.APPLY_MODEL, KEY, recorder.call)
    return clone
