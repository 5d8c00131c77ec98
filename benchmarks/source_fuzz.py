"""Hostile and stale sources against `Sources.add`: none crashes, none serves anything, each is one sentence.

    python -m benchmarks.source_fuzz [--files 1000] [--seed 0]

A folder of three records is published, and then its index, or what it names, is made hostile or stale in one
of the ways of KINDS, in turn: hashes that fit nothing, counts and numbers beyond all bounds, wrong types,
names that lead elsewhere, bombs (depth, doubled keys, megabytes), cut and foreign files, records that were
changed, removed, cut or exchanged, facts that the records do not bear out, and any bytes at all of a signed
index. Each is added to a store of its own, and what was added all the same is looked up with the keys of all
three records. Unspoilt, all three are found. Time is CPU time of adding and looking up; memory is traced, for
every third file.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import shutil
import sys
import tempfile
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from benchmarks.fuzz_record import HOSTILE, bytes_mutated  # noqa: E402
from scheduler.errors import SourceError  # noqa: E402
from scheduler.lookup.key import Key  # noqa: E402
from scheduler.record import load_record  # noqa: E402
from scheduler.sources import Sources  # noqa: E402
from scheduler.sources.index_form import INDEX_FILE, SIGNATURE_FILE  # noqa: E402
from tests.sources.made import NAMES, folder_of  # noqa: E402

MOST_SECONDS = 1.0
MOST_BYTES = 150_000_000
PATHS = (
    "../one.json", "/etc/passwd", "/one.json", "C:\\one.json", "C:one.json", "..\\one.json", "./one.json",
    "more/../one.json", "more//two.json", "~/one.json", "\\\\host\\share\\one.json", "file:///one.json",
    "one.json\0", "http://127.0.0.1/one.json", "one.json\n", ".hidden/one.json", "%2e%2e/one.json", "",
    "a/b/c/d/one.json", "one.JSON", "one", "one.json/", "o" * 300 + ".json", "\u202eone.json", "one.json?x",
    "one.json#x", "*.json",
)  # fmt: skip
SCALARS = (
    "sigma_min", "sigma_max", "cfg", "guidance", "shift", "bytes", "latent_shape", "patches", "samplers",
    "steps", "created", "version", "parametrisation", "prediction", "fingerprint", "sha256", "file",
)  # fmt: skip
NUMBERS = (
    b"1e999",
    b"-1e999",
    b"9" * 4000,
    b"NaN",
    b"Infinity",
    b"1" + b"0" * 30,
    b"0x10",
    b"01",
    b"-",
)


class Case:
    """A published folder to be spoilt: its index as data, and the folder of its records."""

    def __init__(self, folder: Path, rng: random.Random):
        self.folder, self.rng = folder, rng
        self.text = (folder / INDEX_FILE).read_bytes()
        self.data = json.loads(self.text)

    @property
    def entries(self) -> list[dict]:
        return self.data["records"]

    def write(self) -> None:
        self.put(json.dumps(self.data).encode("utf-8", "surrogatepass"))

    def put(self, content: bytes) -> None:
        (self.folder / INDEX_FILE).write_bytes(content)

    def each_record(self, spoil: Callable[[Path], None]) -> None:
        for name in NAMES:
            spoil(self.folder / name)


def hashes(case: Case) -> None:
    for entry in case.entries:
        digits = list(entry["sha256"])
        place = case.rng.randrange(64)
        digits[place] = "0" if digits[place] != "0" else "1"
        entry["sha256"] = "".join(digits)
    case.write()


def sizes(case: Case) -> None:
    for entry in case.entries:
        entry["bytes"] = max(entry["bytes"] + case.rng.choice((-1, 1, 1000, -1000)), 1)
    case.write()


def counts(case: Case) -> None:
    count = case.rng.choice((2, 5001, 8000))
    case.data["records"] = case.entries * count
    case.write()


def types(case: Case) -> None:
    name = case.rng.choice(SCALARS)
    for entry in case.entries:
        entry[name] = copy.deepcopy(
            case.rng.choice((True, {}, [[]], [None], {"a": 1}, "\x1b[0m", "x" * 9000))
        )
    case.write()


def top(case: Case) -> None:
    name = case.rng.choice(
        ("stepdistill_source", "name", "created", "version", "models", "records")
    )
    if case.rng.random() < 0.3:
        del case.data[name]
    else:
        hostile = [each for each in HOSTILE if not isinstance(each, (str, dict, list))]
        case.data[name] = copy.deepcopy(case.rng.choice(hostile + [[0.0] * 2000, {"a": [{}] * 50}]))
        if case.data["stepdistill_source"] in (1, True):
            case.data["stepdistill_source"] = case.rng.choice((0, 2, "1", True, 10**19))
    case.write()


def names(case: Case) -> None:
    for entry in case.entries:
        entry["file"] = case.rng.choice(PATHS)
    case.write()


def depth(case: Case) -> None:
    levels = case.rng.choice((20, 900, 5000, 2_000_000))
    opening = case.rng.choice((b"[", b'{"a":'))
    nested = opening * levels
    if case.rng.random() < 0.5:
        return case.put(nested)
    close = b"]" if opening == b"[" else b"}"
    case.put(
        case.text.replace(
            b'"version": ', b'"deep": ' + nested + b"1" + close * levels + b', "version": '
        )
    )


def numbers(case: Case) -> None:
    number = case.rng.choice(NUMBERS)
    case.put(
        case.text.replace(b"0.003", number).replace(b'"cfg": ', b'"cfg": ' + number + b', "x": ')
    )


def doubled(case: Case) -> None:
    name = case.rng.choice((b'"file": ', b'"sha256": ', b'"records": ', b'"name": ', b'"models": '))
    case.put(case.text.replace(name, name + b"0, " + name))


def large(case: Case) -> None:
    filler = case.rng.choice((b'"",', b"0,", b"[],", b"{}, ", b" ", b'"\\u0000",', b"\xff"))
    size = case.rng.choice((1_000_000, 9_900_000, 12_000_000))
    case.put(b'{"stepdistill_source": 1, "records": [' + filler * (size // len(filler)) + b"0]}")


def cut(case: Case) -> None:
    case.put(case.text[: case.rng.randrange(len(case.text) - 2)])


def foreign(case: Case) -> None:
    noise = bytes(case.rng.randrange(256) for _ in range(2000))
    choices = (
        b"",
        b" \n",
        b"null",
        b"[]",
        b"<!doctype html><title>Not found</title>",
        b"\xef\xbb\xbf" + case.text,
    )
    more = (
        case.text.decode().encode("utf-16"),
        noise,
        (case.folder / NAMES[0]).read_bytes(),
        b"\x1f\x8b\x08" + noise,
    )
    case.put(case.rng.choice(choices + more))


def untold(case: Case) -> None:
    """Models that no index describes, or otherwise than can be."""
    how = case.rng.randrange(3)
    if how == 0:
        case.data["models"] = {}
    for model in case.data["models"].values():
        if how == 1:
            model["outline"]["values"].pop()
        if how == 2:
            model["outline"]["hashes"] = [2**60] * 3
    case.write()


def lies(case: Case) -> None:
    """What the records themselves do not bear out."""
    how = case.rng.randrange(6)
    prints = list(case.data["models"])
    for entry in case.entries:
        if how == 0:
            entry["fingerprint"] = prints[prints.index(entry["fingerprint"]) - 1]
        elif how == 1:
            entry["cfg"] += 1
        elif how == 2:
            entry["sigma_max"] += 1
        elif how == 3:
            entry["latent_shape"] = [4, 8, 8]
        elif how == 4:
            entry["samplers"] = ["dpmpp_2m"]
        else:
            entry["patches"] = [{"name": "lora", "strength": 1.0}]
    case.write()


def changed(case: Case) -> None:
    """Stale: the records were made anew since."""
    old, new = case.rng.choice(
        ((b"0.1.0", b"0.1.1"), (b'"seed": 0', b'"seed": 7'), (b"heun", b"huen"))
    )
    case.each_record(lambda path: path.write_bytes(path.read_bytes().replace(old, new)))


def removed(case: Case) -> None:
    case.each_record(Path.unlink)


def shortened(case: Case) -> None:
    def spoil(path: Path) -> None:
        content = path.read_bytes()
        path.write_bytes(content[: case.rng.randrange(len(content))])

    case.each_record(spoil)


def exchanged(case: Case) -> None:
    """Each record in the place of another."""
    contents = [(case.folder / name).read_bytes() for name in NAMES]
    for name, content in zip(NAMES, contents[1:] + contents[:1], strict=True):
        (case.folder / name).write_bytes(content)


def no_files(case: Case) -> None:
    """Folders and links where the records should be."""
    elsewhere = case.folder.parent / "elsewhere.json"
    shutil.copy(case.folder / NAMES[0], elsewhere)

    def spoil(path: Path) -> None:
        path.unlink()
        if case.rng.random() < 0.5:
            path.mkdir()
        else:
            path.symlink_to(elsewhere)

    case.each_record(spoil)


def no_records(case: Case) -> None:
    """Files with the right hashes that are no records."""
    import hashlib

    content = case.rng.choice((b"{}", b"[" * 3000, b'{"stepdistill": 99}', b"0" * 5000))
    for entry in case.entries:
        own = content + b" " * (1 + NAMES.index(entry["file"]))
        (case.folder / entry["file"]).write_bytes(own)
        entry |= {"sha256": hashlib.sha256(own).hexdigest(), "bytes": len(own)}
    case.write()


def any_bytes(case: Case) -> None:
    """Of a signed index: whatever was changed."""
    while (content := bytes_mutated(case.text, case.rng)) == case.text:
        pass
    case.put(content)


def signature(case: Case) -> None:
    path = case.folder / SIGNATURE_FILE
    path.write_bytes(bytes_mutated(path.read_bytes().strip(), case.rng)[:-1])


UNSIGNED = (
    hashes, sizes, counts, types, top, names, depth, numbers, doubled, large, cut, foreign, untold, lies,
    changed, removed, shortened, exchanged, no_files, no_records,
)  # fmt: skip
SIGNED = (any_bytes, signature)


class Bases:
    """The honest folders that are spoilt, copied for each case; signed ones where that can be."""

    def __init__(self, place: Path):
        self.plain = folder_of(place / "plain")
        self.kinds = UNSIGNED
        self.keys = [Key.of(load_record(self.plain / name), "euler") for name in NAMES]
        try:
            self.signed = folder_of(place / "signed", sign_with=place / "key.pem")
            self.kinds += SIGNED
        except SourceError:
            print("(cryptography is not installed: no signed ones)")

    def check(self, store: Path) -> None:
        """That what is spoilt is found before."""
        sources = Sources(store)
        sources.add(str(self.plain))
        if any(not list(sources.matches(key)) for key in self.keys):
            raise AssertionError("the honest source is not found")

    def case(self, number: int, place: Path, rng: random.Random) -> str:
        """Make the folder of a number; returns the name of what was done to it."""
        kind = self.kinds[number % len(self.kinds)]
        shutil.copytree(self.signed if kind in SIGNED else self.plain, place)
        kind(Case(place, rng))
        return kind.__name__


def tried(folder: Path, store: Path, keys: list[Key]) -> tuple[str, list[str]]:
    """Add a source and look it up; returns (what came of it, all that was said)."""
    sources = Sources(store, unchecked=True)
    try:
        source = sources.add(str(folder), name="source")
    except SourceError as problem:
        return "refused", [str(problem)]
    served = [match.name for key in keys for match in sources.matches(key, "any")]
    said = [reason for _, reason in source.note.left_out]
    if served or sources.all()[0].entries:
        raise AssertionError(f"it serves {served}")
    if len(said) != len(source.index.records) or not said:
        raise AssertionError("an entry is neither served nor named")
    return "nothing of it is served", said


def fit(sentence: str) -> bool:
    """Whether a message is one printable sentence."""
    return sentence.isprintable() and sentence.endswith(".") and len(sentence) <= 600


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    rng = random.Random(asked.seed)
    found: Counter[str] = Counter()
    slowest, largest = (0.0, ""), (0, "")
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        bases = Bases(place)
        bases.check(place / "check")
        for number in range(asked.files):
            folder = place / "case" / "folder"
            kind = bases.case(number, folder, rng)
            traced = number % 3 == 0
            if traced:
                tracemalloc.start()
            begun = time.process_time()
            try:
                what, said = tried(folder, place / "case" / "store", bases.keys)
                found[what] += 1
                if not all(fit(each) for each in said):
                    raise AssertionError(f"an unfit message: {said!r:.300}")
            except Exception as problem:  # whatever is no SourceError is what is looked for
                found["FAULTS"] += 1
                print(
                    f"{number} ({kind}): {type(problem).__name__}: {str(problem)[:300]}", flush=True
                )
            if traced:
                largest = max(largest, (tracemalloc.get_traced_memory()[1], kind))
                tracemalloc.stop()
            else:
                slowest = max(slowest, (time.process_time() - begun, kind))
            shutil.rmtree(place / "case")
    results = ", ".join(f"{count:,} {what}" for what, count in found.items())
    print(f"{asked.files:,} hostile or stale sources of {len(bases.kinds)} kinds: {results}")
    print(
        f"slowest {slowest[0]:.2f} s of CPU ({slowest[1]}), "
        f"most memory {largest[0] / 1e6:.0f} MB ({largest[1]})"
    )
    return 1 if found["FAULTS"] or slowest[0] > MOST_SECONDS or largest[0] > MOST_BYTES else 0


if __name__ == "__main__":
    sys.exit(main())
