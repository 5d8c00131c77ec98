"""A shared first call: N + 1 steps of `distilled` for N calls, and what it does to the seeds' pictures.

Of a prompt (a class) the first answer is the mean over a few other seeds. Error: RMS from a fine
reference, over classes never fitted and seeds that are not in the mean. Diversity: the RMS distance
between the ends of two seeds of one class, beside the reference's own. Both for N calls: N steps as
they are, N + 1 steps with the shared answer; and, --fitted, with a recipe fitted for shared answers.

    python -m benchmarks.first_call
    python -m benchmarks.first_call --beds flow:3 --steps 3 4 5 6 8 --seed 1
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from itertools import combinations

import torch

from benchmarks.runs import run
from benchmarks.subjects import TEST_SEED, Subject, subject
from benchmarks.trial import rms
from scheduler.denoiser import start_state
from scheduler.record import Record
from scheduler.rows import noise_for, row_errors
from scheduler.samplers import sample
from scheduler.samplers.distilled import run_recipe
from scheduler.samplers.first_answer import SharedFirstAnswer, takes_first_answer
from scheduler.sigmas import log_snr_grid

BEDS = ("flow:1", "flow:3", "eps:1", "eps:3")
COUNTS = (3, 4, 5, 6, 8)
REFERENCE_NODES = 200
Rows = torch.Tensor


class Prompts:
    """The classes of the test, with `seeds` seeds of each: the first `shared` make the mean."""

    def __init__(self, of: Subject, seeds: int, shared: int):
        half = of.classes // 2
        self.of, self.classes = of, range(half, of.classes)
        self.noise = noise_for(of.latent_shape, seeds + shared, TEST_SEED, torch.device("cpu"))
        self.shared = shared

    def denoiser(self, label: int, rows: int):
        return self.of.model.denoiser(torch.full((rows,), label), self.of.cfg)

    def answer(self, label: int) -> SharedFirstAnswer:
        """The mean first answer of one class."""
        noise = self.noise[: self.shared]
        top = self.of.sigma_range[1]
        start = start_state(noise, top, self.of.parametrisation)
        found = SharedFirstAnswer()
        found.add(self.denoiser(label, len(noise))(start, torch.full((len(noise),), top)))
        return found

    def ends(self, draw) -> list[Rows]:
        """Of each class, the ends of the seeds that are not in the mean: draw(denoise, noise, label)."""
        noise = self.noise[self.shared :]
        return [draw(self.denoiser(label, len(noise)), noise, label) for label in self.classes]


def error(ends: list[Rows], reference: list[Rows]) -> float:
    pairs = zip(ends, reference, strict=True)
    return rms(torch.cat([torch.tensor(row_errors(*pair)) for pair in pairs]).numpy())


def diversity(ends: list[Rows]) -> float:
    """RMS distance between two seeds of one class."""
    apart = [
        float((a - b).square().mean()) for rows in ends for a, b in combinations(rows.unbind(), 2)
    ]
    return (sum(apart) / len(apart)) ** 0.5


def fitted(of: Subject, steps, budget: int, seed: int) -> Record:
    """A record of `distilled`, fitted on the other classes."""
    return run(of, ("distilled",), budget, seed, steps, samples=8)[0]


def measure(label: str, asked: argparse.Namespace) -> None:
    of = subject(label)
    prompts = Prompts(of, asked.seeds, asked.shared)
    low, high = of.sigma_range
    grid = log_snr_grid(low, high, REFERENCE_NODES, of.parametrisation)

    def fine(denoise, noise, _label):
        return sample(denoise, start_state(noise, high, of.parametrisation), grid, "heun")

    reference = prompts.ends(fine)
    answers = {label: prompts.answer(label) for label in prompts.classes}
    spread = sum(each.spread or 0 for each in answers.values()) / len(answers)
    print(f"== {of.label}: first answers' spread over seeds {spread:.3f} of their size")
    print(f"   two seeds of a class lie {diversity(reference):.3f} apart in the reference")
    steps = sorted({n + k for n in asked.steps for k in (0, 1)})
    record = fitted(of, steps, asked.budget, asked.seed)
    for n in asked.steps:
        print(_line(prompts, record, answers, reference, n), flush=True)


def _line(prompts: Prompts, record: Record, answers, reference, calls: int) -> str:
    longer = record.recipe("distilled", calls + 1)
    if longer.coefficients is None:
        return f"   {calls} calls: stock won at {calls + 1} steps"
    process = record.model.parametrisation
    note = ""
    if not takes_first_answer(longer, process):
        note = f" (its first offset {longer.offsets[0]:.2f} set to 0: the library refuses it)"
        longer = replace(longer, offsets=(0.0, *longer.offsets[1:]))

    def plain(denoise, noise, _label):
        return record.sample(denoise, noise, "distilled", calls)

    def shared(denoise, noise, label):
        answer = answers[label].answer_for(noise)
        return run_recipe(denoise, noise, longer, process, first_answer=answer)

    as_is, with_mean = prompts.ends(plain), prompts.ends(shared)
    one, other = error(as_is, reference), error(with_mean, reference)
    pays = all(each.pays_at(calls) for each in answers.values())
    return (
        f"   {calls} calls: {calls} steps {one:.3f}, {calls + 1} with the shared answer {other:.3f} "
        f"({100 * (other / one - 1):+.0f} %); seeds apart {diversity(as_is):.3f}, "
        f"{diversity(with_mean):.3f}; said to pay: {'yes' if pays else 'no'}{note}"
    )


def main() -> None:
    shown = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=shown)
    parser.add_argument("--beds", nargs="+", default=BEDS)
    parser.add_argument("--steps", nargs="+", type=int, default=COUNTS, help="calls a picture")
    parser.add_argument("--seeds", type=int, default=8, help="a class, beside the mean's")
    parser.add_argument("--shared", type=int, default=4, help="seeds in the mean")
    parser.add_argument("--budget", type=int, default=4000, help="of the fit, in model calls")
    parser.add_argument("--seed", type=int, default=0, help="of the fit")
    asked = parser.parse_args()
    for label in asked.beds:
        measure(label, asked)


if __name__ == "__main__":
    main()
