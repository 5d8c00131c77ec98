"""Which model answers each step: the base at its guidance (2 evaluations) or a cheap twin (1)?

    python -m benchmarks.phases [--evaluations 8,12,16] [--samplers euler,dpmpp_2m]

For a twin that is the base at guidance 1, and one that was distilled to answer as the guided base does (what
a Lightning LoRA is). A dynamic programme over the base's own trajectory chooses, at an equal number
of evaluations, the nodes and who answers at each; it is compared with the base alone and the twin
alone on schedules of the same programme, and with what people tune by hand: all stock schedules,
split at every step between base and twin (base first, and twin first), the best in hindsight on the
test rows. Held-out classes and seeds; RMS from the base's own run of 120 steps.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.pair_subjects import (
    CFG,
    FINE_NODES,
    FIT_CLASSES,
    TEST_CLASSES,
    TEST_ROWS,
    TEST_SEED,
    at,
    student,
)
from benchmarks.pairs import rms
from scheduler.checkpoints import Checkpoint, load_checkpoint
from scheduler.denoiser import Denoiser, start_state
from scheduler.fit.teacher import record_teacher
from scheduler.rows import noise_for, row_errors
from scheduler.samplers.multistep import LINEAR, combine
from scheduler.search.dynamic_programming import node_weights
from scheduler.sigmas import baselines, log_snr_grid
from scheduler.sigmas.noise_table import table_for

PRICES = (2, 1)  # evaluations of the base, of the twin
NODES, FIT_ROWS = 20, 5


@dataclass(frozen=True)
class Path:
    """sigmas (N + 1,) and who answers each of the N steps: 0 the base, 1 the twin."""

    sigmas: np.ndarray
    who: tuple[int, ...]

    @property
    def name(self) -> str:
        return "".join("BT"[k] for k in self.who)


def run(models: tuple[Denoiser, ...], x: torch.Tensor, path: Path, sampler: str) -> torch.Tensor:
    """One run with a history that goes on across the models."""
    rule, states, answers, seen = LINEAR[sampler], [], [], []
    for k, who in enumerate(path.who):
        sigma, after = float(path.sigmas[k]), float(path.sigmas[k + 1])
        denoised = models[who](x, torch.full((len(x),), sigma))
        states = [x, *states][: rule.states]
        answers, seen = [denoised, *answers][: rule.order], [sigma, *seen][: rule.order]
        a, b = rule.weights((after, *seen))
        x = combine([*a[: len(states)], *b], [*states, *answers])
    return x


def programme(
    vectors: dict, grid: np.ndarray, weights: np.ndarray, sampler: str, most: int
) -> dict:
    """{evaluations: the cheapest path}, for two-step histories at most.

    vectors: "x" (T + 1, n), and (0, 1) the answers of base and twin (T, n) on the base's states.
    """
    rule, count = LINEAR[sampler], len(grid)
    products = _products(vectors, count)
    memory = rule.order > 1
    value = {}  # (evaluations left, h, who_h, i, who_i): (cost, the next node, who answers there)

    def cost(h, who_h, i, who_i, j):
        seen = (grid[i],) if h is None else (grid[i], grid[h])
        a, b = rule.weights((grid[j], *seen))
        terms = [(j, -1.0), (i, a[0]), (count + who_i * (count - 1) + i, b[0])]
        if h is not None:
            terms.append((count + who_h * (count - 1) + h, b[1]))
            if len(a) > 1:
                terms.append((h, a[1]))
        places, factors = [t[0] for t in terms], np.array([t[1] for t in terms])
        return max(float(factors @ products[np.ix_(places, places)] @ factors), 0.0) * weights[j]

    known: dict = {}

    def step_cost(*key):
        if key not in known:
            known[key] = cost(*key)
        return known[key]

    def best(left, h, who_h, i, who_i):
        """From node i, answered by who_i, with `left` evaluations for what comes after it."""
        key = (left, h, who_h, i, who_i) if memory else (left, None, 0, i, who_i)
        if key in value:
            return value[key]
        before = (h, who_h) if memory else (None, 0)
        found = (
            (step_cost(*before, i, who_i, count - 1), count - 1, 0)
            if left == 0
            else (math.inf, 0, 0)
        )
        for who, price in enumerate(PRICES):
            if price > left:
                continue
            for j in range(i + 1, count - 1):
                here = step_cost(*before, i, who_i, j)
                if here >= found[0]:
                    continue
                total = here + best(left - price, i, who_i, j, who)[0]
                if total < found[0]:
                    found = (total, j, who)
        value[key] = found
        return found

    paths = {}
    for evaluations in range(1, most + 1):
        starts = [
            (best(evaluations - p, None, 0, 0, w)[0], w)
            for w, p in enumerate(PRICES)
            if p <= evaluations
        ]
        total, who = min(starts)
        paths[evaluations] = (total, _followed(best, evaluations - PRICES[who], who, count, grid))
    return paths


def _followed(best, left: int, who: int, count: int, grid: np.ndarray) -> Path:
    h, who_h, i, nodes, asked = None, 0, 0, [0], [who]
    while True:
        _, j, after = best(left, h, who_h, i, who)
        nodes.append(j)
        if j == count - 1:
            return Path(grid[nodes], tuple(asked))
        h, who_h, i, who, left = i, who, j, after, left - PRICES[after]
        asked.append(after)


def _products(vectors: dict, count: int) -> np.ndarray:
    stacked = torch.cat([vectors["x"], vectors[0], vectors[1]]).double()
    return (stacked @ stacked.T / stacked.shape[1]).numpy()


def taught(base: Checkpoint, twin, labels: torch.Tensor):
    """The base's own trajectory, with the twin's answers on its states."""
    noise = noise_for(base.latent_shape, len(labels), 0, torch.device("cpu"))
    grid = log_snr_grid(base.sigma_min, base.sigma_max, NODES, base.parametrisation)
    teacher = record_teacher(
        base.denoiser(labels, CFG), noise, grid, base.parametrisation, "adams3", True
    )
    answers = [
        twin(labels)(x, torch.full((len(x),), float(sigma)))
        for x, sigma in zip(teacher.states[:-1], grid[:-1], strict=True)
    ]
    flat = lambda listed: torch.stack([each.flatten() for each in listed])  # noqa: E731
    found = {"x": flat(teacher.states), 0: flat(teacher.predictions), 1: flat(answers)}
    return found, grid, node_weights(teacher.gram, "contraction")


def only(vectors: dict, who: int) -> dict:
    """The programme with one model alone, at that model's price: the other's answers are no use."""
    return vectors | {1 - who: torch.full_like(vectors[1 - who], 1e3)}


def by_hand(sigmas_of, evaluations: int):
    """Every stock schedule with every split of base first, or twin first, of so many evaluations."""
    for first, second in ((0, 1), (1, 0)):
        for m in range(evaluations + 1):
            used = m * PRICES[first]
            rest = evaluations - used
            if rest < 0 or rest % PRICES[second]:
                continue
            who = (first,) * m + (second,) * (rest // PRICES[second])
            for name, sigmas in sigmas_of(len(who)).items():
                yield name, Path(np.asarray(sigmas), who)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--evaluations", default="8,12,16")
    parser.add_argument("--samplers", default="euler,dpmpp_2m")
    asked = parser.parse_args()
    counts = [int(each) for each in asked.evaluations.split(",")]
    torch.set_num_threads(1)
    print(
        "| model | twin | sampler | evaluations | DP mix | who | DP base | DP twin | by hand | which "
        "| mix / best other |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    gains = []
    for kind in ("flow", "eps"):
        base = load_checkpoint(kind)
        for label, twin in (("guidance 1", at(base, 1.0)), ("student", student(kind))):
            gains += _cells(base, label, twin, asked.samplers.split(","), counts)
    mean = math.exp(np.log(gains).mean())
    print(
        f"\ngeometric mean {mean:.3f} of {len(gains)}; better than every other in {sum(g < 1 for g in gains)}"
    )


def _cells(base: Checkpoint, label: str, twin, samplers, counts) -> list[float]:
    fit = torch.tensor([FIT_CLASSES[k % 5] for k in range(FIT_ROWS)])
    vectors, grid, weights = taught(base, twin, fit)
    labels = torch.tensor([TEST_CLASSES[k % 5] for k in range(TEST_ROWS)])
    noise = noise_for(base.latent_shape, TEST_ROWS, TEST_SEED, torch.device("cpu"))
    models = base.denoiser(labels, CFG), twin(labels)
    fine = log_snr_grid(base.sigma_min, base.sigma_max, FINE_NODES, base.parametrisation)
    end = record_teacher(models[0], noise, fine, base.parametrisation, "adams3").end
    table = table_for(base.sigma_min, base.sigma_max, base.parametrisation, base.shift)

    def error(path: Path, sampler: str) -> float:
        x = start_state(noise, float(path.sigmas[0]), base.parametrisation)
        return rms(row_errors(run(models, x, path, sampler), end))

    def stock(steps: int) -> dict:
        return baselines(table, steps, base.sigma_min, base.sigma_max)

    gains = []
    for sampler in samplers:
        paths = {
            "mix": programme(vectors, grid, weights, sampler, max(counts)),
            "base": programme(only(vectors, 0), grid, weights, sampler, max(counts)),
            "twin": programme(only(vectors, 1), grid, weights, sampler, max(counts)),
        }
        for count in counts:
            chosen = {name: each[count][1] for name, each in paths.items()}
            found = {name: error(path, sampler) for name, path in chosen.items()}
            hand = min((error(p, sampler), f"{name} {p.name}") for name, p in by_hand(stock, count))
            gains.append(found["mix"] / min(found["base"], found["twin"], hand[0]))
            print(
                f"| {base.name} | {label} | {sampler} | {count} | {found['mix']:.4f} | "
                f"{chosen['mix'].name} | {found['base']:.4f} | {found['twin']:.4f} | {hand[0]:.4f} | "
                f"{hand[1]} | {gains[-1]:.2f} |",
                flush=True,
            )
    return gains


if __name__ == "__main__":
    main()
