"""Refines the schedule of a stock sampler against the teacher's true end point, without back-propagation.

One iteration moves every sigma (and query offset) a little, one at a time; the predictions made before it are unchanged and used again, so that a
whole sweep costs half of what as many roll-outs would. From the ends' inner products, row by row, a damped Gauss-Newton step follows that lowers
the mean of the rows' errors (their norms, so that a row gone astray does not decide alone).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from .denoiser import Checked
from .errors import DenoiserError
from .offsets import bounded_offset, with_offsets
from .samplers import model_calls, sample
from .validity import check_schedule
from .walk import TrajectorySet

OPT = dict(cap=3.0, nudge=0.1, damping=0.1, basis=0, broyden=False, iters=99, irls=8, most=0.7, smooth=0.0)


@dataclass(frozen=True)
class Refined:
    sigmas: np.ndarray
    offsets: np.ndarray | None
    errors: np.ndarray
    model_calls: int


@dataclass(frozen=True)
class _Run:
    sigmas: np.ndarray
    offsets: np.ndarray | None
    ends: list | None
    answers: list | None
    errors: np.ndarray
    score: float


class _Replay(Checked):
    def __init__(self, model, known):
        super().__init__(model.denoise)
        self.model, self.known, self.answers = model, known, []

    def __call__(self, x, sigma):
        k = len(self.answers)
        self.answers.append(self.known[k] if k < len(self.known) else self.model(x, sigma))
        return self.answers[-1]


class _Search:
    def __init__(self, sets, sampler, parametrisation, calls):
        self.sets, self.sampler, self.par = sets, sampler, parametrisation
        self.rows = sum(len(s.noise) for s in sets)
        self.calls = calls
        self.fit = np.concatenate([s.fit_rows for s in sets])
        self.spent = 0
        self.low = max(s.sigmas[-2] for s in sets)

    def cost(self, n, first):
        return self.rows * (model_calls(self.sampler, n) - (model_calls(self.sampler, first) if first else 0))

    def affords(self, *costs):
        return self.spent + sum(costs) <= self.calls

    def run(self, sigmas, offsets, base=None, first=0):
        skip = model_calls(self.sampler, first) if first else 0
        ends, answers = [], []
        before = [s.model.calls for s in self.sets]
        bad = False
        for i, s in enumerate(self.sets):
            m = _Replay(s.model, base.answers[i][:skip] if base else [])
            f = m if offsets is None else with_offsets(m, sigmas, offsets, self.par)
            try:
                ends.append(sample(f, s.state(float(sigmas[0])), sigmas, self.sampler))
            except DenoiserError:
                bad = True
                break
            answers.append(m.answers)
        self.spent += sum(s.model.calls - b for s, b in zip(self.sets, before))
        if bad:
            return _Run(sigmas, offsets, None, None, np.full(self.rows, np.inf), np.inf)
        errors = np.concatenate([s.errors(e) for s, e in zip(self.sets, ends)])
        errors = np.where(np.isfinite(errors), errors, np.inf)
        return _Run(sigmas, offsets, ends, answers, errors, float(errors[self.fit].mean()))


def even(gaps, cap):
    k = np.arange(len(gaps))
    return (gaps * cap ** np.abs(k[:, None] - k)).min(1) if len(gaps) else gaps


def refine(sets, sigmas, sampler, parametrisation, calls, offsets=None, **opt):
    o = {**OPT, **opt}
    sigmas = check_schedule(sigmas)
    N = len(sigmas) - 1
    S = _Search(sets, sampler, parametrisation, calls)
    best = S.run(sigmas, offsets)
    if o.get('project') and N > 2:
        g = -np.diff(np.log(sigmas[:-1])); e = even(g, o['cap']); e *= g.sum() / e.sum()
        if np.abs(e - g).max() > 1e-9:
            t = S.run(make(sigmas, e), offsets, best if best.ends else None, 1 if best.ends else 0)
            if t.score < best.score: best = t
    mu = o['damping']
    J = None
    for it in range(o['iters']):
        if N < 2 or best.ends is None: break
        sweep = [S.cost(N, k) for k in range(1, N)]
        if not S.affords(*sweep, S.cost(N, 1)): break
        gaps = -np.diff(np.log(best.sigmas[:-1]))
        if J is None:
            ends, hs = [], []
            for k in range(1, N):
                room = min(gaps[k - 1], gaps[k] if k < N - 1 else gaps[k - 1])
                h = o['nudge'] * room
                s2 = best.sigmas.copy(); s2[k] *= np.exp(h)   # up: never below low
                r = S.run(s2, best.offsets, best, k)
                ends.append(r.ends); hs.append(h)
            # columns per log sigma
            ok = [e is not None for e in ends]
            J = [[(e[i] - best.ends[i]) / h if e is not None else torch.zeros_like(best.ends[i]) for e, h in zip(ends, hs)] for i in range(len(sets))]
        # chain: logsigma_k = logs0 - sum_{j<k} gaps_j exp(p_j)
        C = -np.tril(np.ones((N - 1, N - 1))) * gaps
        if o['basis']:
            u = np.linspace(-1, 1, N - 1) if N > 2 else np.zeros(1)
            B = np.polynomial.legendre.legvander(u, min(o['basis'], N - 1) - 1)
        else:
            B = np.eye(N - 1)
        A = C @ B
        G = []
        for i, s in enumerate(sets):
            f = torch.as_tensor(s.fit_rows)
            V = torch.stack([best.ends[i] - s.end, *J[i]], 1)[f].flatten(2).double()
            G.append((V @ V.mT).cpu().numpy() / V.shape[-1])
        G = np.concatenate(G)
        M = np.zeros((1 + A.shape[1], N)); M[0, 0] = 1; M[1:, 1:] = A.T
        G = M @ G @ M.T
        R = np.eye(A.shape[1])
        if o['smooth'] and N > 2:
            D = np.diff(B, axis=0); R = R * 1 + o['smooth'] * D.T @ D
        done = False
        for tr in range(o.get('trials', 4)):
            if not S.affords(S.cost(N, 1)): break
            p = solve(G, mu, R, o['irls'])
            q = B @ p
            big = np.abs(q).max()
            if big > o['most']: q *= o['most'] / big
            g2 = even(gaps * np.exp(q), o['cap'])
            t = (gaps * np.exp(q)).sum()
            g2 *= min(t, np.log(best.sigmas[0] / S.low)) / g2.sum()
            new = make(best.sigmas, g2)
            r = S.run(new, best.offsets, best, 1)
            if r.ends is not None and o['broyden']:
                d = np.log(new[1:-1] / best.sigmas[1:-1]); dd = d @ d
                for i in range(len(sets)):
                    miss = r.ends[i] - best.ends[i] - sum(float(a) * j for a, j in zip(d, J[i]))
                    J[i] = [j + float(a / dd) * miss for a, j in zip(d, J[i])]
            if r.score < best.score:
                best = r; mu *= 0.5; done = True
                break
            mu *= 4
        if not done: break
        if not o['broyden']: J = None
    return Refined(best.sigmas, best.offsets, best.errors, S.spent)


def make(sigmas, gaps):
    out = sigmas.copy(); out[1:-1] = sigmas[0] * np.exp(-np.cumsum(gaps)); return out


def solve(G, mu, R, irls):
    n = len(R); p = np.zeros(n)
    base = np.sqrt(np.maximum(G[:, 0, 0], 1e-30))
    for _ in range(irls):
        v = np.append(1, p)
        w = 1 / np.maximum(np.sqrt(np.maximum(np.einsum('i,rij,j->r', v, G, v), 0)), 1e-2 * base.mean())
        H = np.tensordot(w, G, 1)
        p = -np.linalg.solve(H[1:, 1:] + mu * base.sum() * R, H[1:, 0])
    return p
