"""What went wrong in the host or its model, in words for people."""

from __future__ import annotations

NO_MEMORY = "not enough memory for this size and batch"
SIGNS = ("out of memory", "can't allocate memory", "not enough memory")  # of torch's messages


def in_words(problem: BaseException) -> str:
    """A clause: no memory as such, anything else by its kind and message."""
    if is_no_memory(problem):
        return NO_MEMORY
    text = str(problem).strip().splitlines()
    return f"{type(problem).__name__}: {text[0][:300]}" if text else type(problem).__name__


def is_no_memory(problem: BaseException) -> bool:
    """Whether memory ran out, on a graphics card or in the computer."""
    named = isinstance(problem, MemoryError) or type(problem).__name__ == "OutOfMemoryError"
    return named or any(sign in str(problem).lower() for sign in SIGNS)


def free_memory() -> None:
    """Give back what torch keeps for later, as the host does between pictures."""
    from modules import devices

    devices.torch_gc()
