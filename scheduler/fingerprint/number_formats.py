"""The number formats that weights are stored in.

How their bytes become float32, and how coarse they are.
"""

from __future__ import annotations

import numpy as np

RAW = "RAW"  # bytes whose meaning is not known here: integers, packed and block-quantised weights
ITEM_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, RAW: 1}
EIGHT_BITS = ("F8_E4M3", "F8_E5M2")
# What a cast into a format may change: a fraction of the value (half a unit in the last place; a
# whole one for 8 bits, because hosts also round those stochastically) and, near 0, an absolute
# amount (the same of its smallest step).
RELATIVE = {
    "F64": 2**-22,
    "F32": 2**-22,
    "F16": 2**-11,
    "BF16": 2**-8,
    "F8_E4M3": 2**-3,
    "F8_E5M2": 2**-2,
    RAW: 0.0,
}
ABSOLUTE = {
    "F64": 1e-37,
    "F32": 1e-37,
    "F16": 2**-24,
    "BF16": 1e-37,
    "F8_E4M3": 2**-9,
    "F8_E5M2": 2**-16,
    RAW: 0.0,
}


def decoded(raw: bytes, dtype: str) -> np.ndarray:
    """Bytes of a format as float32; RAW bytes as 0 to 255, and what is not finite as 0."""
    if dtype in ("F64", "F32", "F16"):
        values = np.frombuffer(raw, {"F64": "<f8", "F32": "<f4", "F16": "<f2"}[dtype])
    elif dtype == "BF16":
        values = (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
    elif dtype == "F8_E5M2":  # the upper byte of a float16
        values = (np.frombuffer(raw, np.uint8).astype(np.uint16) << 8).view(np.float16)
    elif dtype == "F8_E4M3":
        values = _E4M3[np.frombuffer(raw, np.uint8)]
    else:
        values = np.frombuffer(raw, np.uint8)
    with np.errstate(over="ignore"):
        wide = values.astype(np.float32)
    return np.where(np.isfinite(wide), wide, np.float32(0))


def coarsest(values: np.ndarray, declared: str) -> str:
    """The coarsest format that holds these float32 values exactly.

    A file upcast to F32 still has the precision that it came from. Too few different values prove
    nothing and leave what is declared.
    """
    if declared in (RAW, *EIGHT_BITS) or len(set(np.abs(values[values != 0]).tolist())) < 3:
        return declared
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    if not (bits & 0xFFFF).any():
        return "BF16"
    with np.errstate(over="ignore"):
        fits = (values.astype(np.float16).astype(np.float32) == values).all()
    return "F16" if fits else declared


def _e4m3_table() -> np.ndarray:
    """The 256 values of FP8 E4M3 without infinities (arXiv 2209.05433).

    4 bits of exponent, bias 7, 3 of mantissa; 0x7f is NaN.
    """
    codes = np.arange(256)
    exponent = (codes >> 3) & 15
    mantissa = codes & 7
    normal = (1 + mantissa / 8) * 2.0 ** (exponent - 7.0)
    subnormal = mantissa / 8 * 2.0**-6
    size = np.where(exponent == 0, subnormal, normal)
    size[(codes & 127) == 127] = np.nan
    return np.where(codes < 128, size, -size).astype(np.float32)


_E4M3 = _e4m3_table()
