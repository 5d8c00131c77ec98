"""fingerprint: the identity of a checkpoint file."""

from __future__ import annotations

import argparse

from ..errors import CheckpointError
from ..fingerprint import file_hash, fingerprint_file
from ..fingerprint.kinship import kinship
from ..fingerprint.step_distilled import detect_file
from .console import add_json, command, print_json, say

DESCRIPTION = """\
Prints the identity of a checkpoint's diffusion model: the same for the same weights in every host,
however its tensors are named around, ordered or cast. Only a few values are read, so that it takes
milliseconds. .gguf files and pickles (.ckpt, .pt) are known by a hash of pieces of the file; a pickle is
never opened as one."""
EXAMPLES = """\
  python -m scheduler fingerprint model.safetensors
  python -m scheduler fingerprint model-fp8.safetensors --like model.safetensors
                                                       whether they are the same weights
  python -m scheduler fingerprint model.ckpt --full    SHA-256 of the whole file too"""


def add(commands) -> None:
    """Add the command to the parser."""
    parser = command(
        commands,
        "fingerprint",
        "print the identity of a checkpoint file",
        DESCRIPTION,
        EXAMPLES,
        run,
    )
    parser.add_argument(
        "file", metavar="FILE", help="a checkpoint: .safetensors, .gguf, .ckpt, ..."
    )
    parser.add_argument("--like", metavar="FILE", help="another checkpoint to compare with")
    parser.add_argument(
        "--full",
        action="store_true",
        help="the SHA-256 of the whole file too, as the WebUIs state it",
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the fingerprint, and what else was asked."""
    found = fingerprint_file(arguments.file)
    kin = kinship(found, fingerprint_file(arguments.like)) if arguments.like else None
    sha256 = file_hash(arguments.file) if arguments.full else None
    advice = _advice(arguments.file)
    if arguments.json:
        like = None if kin is None else {"kind": kin.kind, "alike": kin.alike, "words": kin.words}
        print_json(
            {
                "fingerprint": found.id,
                "samples": found.samples,
                "sha256": sha256,
                "like": like,
                "advice": advice,
            }
        )
        return 0
    print(found.id)
    if sha256:
        print(f"sha256 {sha256}")
    if kin:
        print(f"{kin.kind}: {kin.words}")
    if advice:
        say(advice)
    return 0


def _advice(path: str) -> str | None:
    try:
        found = detect_file(path)
    except CheckpointError:  # no safetensors: nothing is known but its hash
        return None
    return found.text if found else None
