"""Signatures of an index: Ed25519 (RFC 8032), by the package `cryptography`, which is optional.

Whoever adds a signed source keeps its public key, and every later index must be signed by it. What
an index holds the hashes of is thereby signed too.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import SourceError
from ..files import PathLike, read_bytes
from ..record.checkers import Misfit, fields, integer, text
from ..record.parser import Bounds, read_json

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

# Before the signed bytes, so that no signature of anything else can be passed off as one of these.
PURPOSE = b"StepDistill source index 1\n"
BOUNDS = Bounds(bytes=2000, values=20, strings=20, depth=2)
MOST_KEY_BYTES = 10_000
KEY = text(44, "[A-Za-z0-9+/]{43}=", "a public key of 32 bytes in base64")
FORM = fields(
    {
        "stepdistill_signature": integer(1, 1),
        "key": KEY,
        "signature": text(88, "[A-Za-z0-9+/]{86}==", "64 bytes in base64"),
    }
)
NEEDED = (
    "this Python has no package 'cryptography', which signatures need: install it "
    "(`pip install cryptography`)"
)


@dataclass(frozen=True)
class Signature:
    """key: the public key of 32 bytes, base64. signature: 64 bytes."""

    key: str
    signature: bytes


def read_signature(data: bytes) -> Signature:
    """The content of a signature's file, strictly; raises SourceError."""
    try:
        found = read_json(data, BOUNDS)
        FORM.check(found)
    except Misfit as misfit:
        raise SourceError(f"This source's signature is not usable: {misfit}.") from None
    return Signature(found["key"], base64.b64decode(found["signature"]))


def verify(index: bytes, signature: Signature, key: str) -> None:
    """Raise SourceError unless an index was signed with the private half of a public key."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        raise SourceError(
            f"The source is signed, and {NEEDED}, or add it with --unsigned."
        ) from None
    if signature.key != key:
        raise SourceError(
            f"The source is signed with another key ({key_name(signature.key)}) than it was added "
            f"with ({key_name(key)}); if its publisher says that this is right, remove it and add it "
            "again."
        )
    try:
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key))
        public.verify(signature.signature, PURPOSE + index)
    except (InvalidSignature, ValueError):
        raise SourceError(
            "The source's signature does not fit its index, which was changed after it was signed; "
            "try again later, or ask its publisher."
        ) from None


def check_key(key: str) -> None:
    """Raise SourceError unless a text is a public key as `store publish` prints it."""
    try:
        KEY.check(key)
    except Misfit as misfit:
        raise SourceError(f"The key {misfit}; its publisher's `store publish` prints it.") from None


def key_name(key: str) -> str:
    """A public key in short, for people to compare: 16 hex digits of its hash."""
    found = hashlib.sha256(base64.b64decode(key)).hexdigest()[:16]
    return " ".join(found[place : place + 4] for place in range(0, 16, 4))


def sign(index: bytes, key: Ed25519PrivateKey) -> bytes:
    """The content of a signature's file for an index."""
    signature = key.sign(PURPOSE + index)
    return (
        json.dumps(
            {
                "stepdistill_signature": 1,
                "key": public_of(key),
                "signature": base64.b64encode(signature).decode(),
            }
        )
        + "\n"
    ).encode()


def public_of(key: Ed25519PrivateKey) -> str:
    """The public half of a private key, base64."""
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def private_key(path: PathLike, make: bool) -> Ed25519PrivateKey:
    """The private key in a PEM file (PKCS 8, without a password); where there is none, with `make`, a
    new one, kept there for its owner's eyes alone. Raises SourceError."""
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError:
        raise SourceError(f"Nothing was signed: {NEEDED}.") from None
    if make and not os.path.lexists(path):
        return _made(Path(path))
    data = read_bytes(path, MOST_KEY_BYTES, SourceError)
    try:
        found = load_pem_private_key(data, None)
    except (ValueError, TypeError):
        found = None
    if not isinstance(found, Ed25519PrivateKey):
        raise SourceError(
            f"{Path(path).name!a} holds no Ed25519 private key without a password (PEM); "
            "name the file of one, or one that is not there yet."
        )
    return found


def _made(path: Path) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        # Its owner's alone from the first byte on, and never over another file.
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(pem)
    except OSError as problem:
        reason = (problem.strerror or str(problem)).lower()
        raise SourceError(
            f"The key {path.name!a} could not be written ({reason}); choose another place."
        ) from problem
    return key
