"""Peak memory of recording a teacher against samples, nodes and latent size.

    python -m benchmarks.memory

One fresh process a cell. "inner products" keeps no states, "states" asks for them. The process that
only imports and holds the noise is taken off, so that a cell is what recording itself needed at its
peak. Where neither getrusage nor Windows' own counter answers, a cell says n/a.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

CELLS = (
    (4, 60, 16384),
    (16, 60, 16384),
    (64, 60, 16384),
    (4, 120, 16384),
    (4, 240, 16384),
    (4, 60, 65536),
    (4, 60, 262144),
    (16, 120, 262144),
)


def peak_mib() -> float:
    """The process's highest resident memory so far, in MiB; NaN where the system does not tell."""
    try:
        import resource
    except ImportError:
        return _windows_peak_mib()
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def _windows_peak_mib() -> float:
    import ctypes

    class Counters(ctypes.Structure):
        _fields_ = [
            ("cb", ctypes.c_uint32),
            ("faults", ctypes.c_uint32),
            *((f"size{i}", ctypes.c_size_t) for i in range(8)),
        ]

    try:
        counters = Counters(cb=ctypes.sizeof(Counters))
        process = ctypes.c_void_p(ctypes.windll.kernel32.GetCurrentProcess())
        done = ctypes.windll.psapi.GetProcessMemoryInfo(
            process, ctypes.byref(counters), counters.cb
        )
        return counters.size0 / 2**20 if done else float("nan")
    except (AttributeError, OSError):
        return float("nan")


def measure(samples: int, nodes: int, elements: int, keep: bool) -> float:
    """In this process: MiB that recording added to the peak."""
    import torch

    from scheduler.fit.teacher import record_teacher
    from scheduler.sigmas import log_snr_grid

    def denoise(x, sigma):
        alpha = 1 - float(sigma[0])
        return x * (alpha * 0.3 / (alpha**2 * 0.3 + float(sigma[0]) ** 2))

    warm_up = torch.randn(2, 64)
    record_teacher(denoise, warm_up, log_snr_grid(0.002, 1.0, 8, "flow"), "flow")
    noise = torch.randn(samples, elements)
    grid = log_snr_grid(0.002, 1.0, nodes, "flow")
    before = peak_mib()
    record_teacher(denoise, noise, grid, "flow", keep_states=keep)
    return peak_mib() - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--cell",
        nargs=4,
        type=int,
        metavar=("SAMPLES", "NODES", "ELEMENTS", "KEEP"),
        help="measure one cell here",
    )
    parser.add_argument(
        "--states-up-to",
        type=int,
        default=2048,
        help="MiB of states above which that column is left out",
    )
    args = parser.parse_args()
    if args.cell:
        print(measure(*args.cell[:3], bool(args.cell[3])))
        return
    sizes = f"{'samples':>8}{'nodes':>7}{'elements':>10}"
    print(f"{sizes}{'all vectors MiB':>17}{'inner products MiB':>20}{'states MiB':>12}")
    for samples, nodes, elements in CELLS:
        vectors = samples * (2 * nodes + 1) * elements * 4 / 2**20
        products = _in_a_process(samples, nodes, elements, 0)
        states = "-"
        if vectors <= args.states_up_to:
            states = _in_a_process(samples, nodes, elements, 1)
        sizes = f"{samples:8}{nodes:7}{elements:10}"
        print(f"{sizes}{vectors:17.0f}{products:>20}{states:>12}", flush=True)


def _in_a_process(*cell: int) -> str:
    command = [sys.executable, "-m", "benchmarks.memory", "--cell", *map(str, cell)]
    value = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return "n/a" if value != value else f"{value:.0f}"


if __name__ == "__main__":
    main()
