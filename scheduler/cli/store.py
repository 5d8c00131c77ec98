"""store: the cache of records, from the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..errors import OutputError
from ..files import write_text
from ..record import Record, load_record
from ..record.evidence_table import table
from ..record.parser import shown_path
from ..record.words import size
from ..store import Store
from ..store.folder import VARIABLE
from ..store.recording_file import KeptRecording
from ..store.sidecar import read_gram, sidecar_of
from . import store_sources
from .console import add_json, command, print_json, say

DESCRIPTION = f"""\
Looks after the store: the folder in which records are kept, one JSON file each, and in which both hosts find
them. The folder is the one that --folder names, else the environment variable {VARIABLE}, else the
platform's folder for users' data; hosts look into their own user folder before that last one. Every file is
written whole or not at all, and what is foreign or broken is named and left alone."""
EXAMPLES = """\
  python -m scheduler store list
  python -m scheduler store show flux-dev--3f2a9c1b7d4e55aa01c2d3e4
  python -m scheduler store import from-a-friend.json
  python -m scheduler store export flux-dev--3f2a9c1b7d4e55aa01c2d3e4 share/
  python -m scheduler store verify --folder /shared/stepdistill
  python -m scheduler store recordings
  python -m scheduler store recordings --clear
  python -m scheduler store source add https://example.org/recipes/
  python -m scheduler store source update
  python -m scheduler store publish share/ --by "Ann" --sign ~/ann.pem"""


def add(commands) -> None:
    """Add the command to the parser."""
    parser = command(
        commands,
        "store",
        "list, show, verify, import, export, publish and remove cached records; sources; recordings",
        DESCRIPTION,
        EXAMPLES,
        None,
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    _action(actions, "list", "the records, newest first", _list)
    show = _action(actions, "show", "one record as it lies in the store", _show)
    show.add_argument("name", metavar="NAME")
    checks = "read everything and name what is broken or foreign; exit code 1 if anything is"
    _action(actions, "verify", checks, _verify)
    keeps = "keep record files, with the inner products of those that have any"
    take_in = _action(actions, "import", keeps, _import)
    take_in.add_argument("files", metavar="FILE", nargs="+")
    export = _action(actions, "export", "write a record to a file or into a folder", _export)
    export.add_argument("name", metavar="NAME")
    export.add_argument("target", metavar="TARGET")
    remove = _action(actions, "remove", "remove records", _remove)
    remove.add_argument("names", metavar="NAME", nargs="+")
    learnt = "list what was kept of pictures to learn from (latents of yours, which never leave), or clear it"
    recordings = _action(actions, "recordings", learnt, _recordings)
    recordings.add_argument("--clear", action="store_true", help="remove them all")
    store_sources.add(actions, _action)


def _action(
    actions, name: str, summary: str, run: Callable[[argparse.Namespace], int]
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=summary, description=summary)
    parser.add_argument(
        "--folder", metavar="FOLDER", help="the store (default: see `store --help`)"
    )
    add_json(parser)
    parser.set_defaults(run=run)
    return parser


def _list(arguments: argparse.Namespace) -> int:
    store = Store.open(arguments.folder)
    briefs = store.records()
    if arguments.json:
        print_json(
            {
                "folder": str(store.folder),
                "revision": store.revision(),
                "records": [_row(brief) for brief in briefs],
            }
        )
        return 0
    say(f"{store.folder}: {len(briefs)} record{'' if len(briefs) == 1 else 's'}")
    if briefs:
        rows = [
            (
                brief.file.removesuffix(".json"),
                brief.title,
                _steps(brief),
                ", ".join(brief.samplers),
                brief.created,
            )
            for brief in briefs
        ]
        print(table(("name", "model", "steps", "samplers", "made"), rows, left=range(5)))
    return 0


def _row(brief) -> dict:
    return {
        name: getattr(brief, name)
        for name in ("file", "title", "created", "samplers", "steps", "fingerprint", "latent_shape")
    }


def _steps(brief) -> str:
    low, high = brief.steps
    return str(low) if low == high else f"{low}-{high}"


def _show(arguments: argparse.Namespace) -> int:
    print(Store.open(arguments.folder).load(arguments.name).to_json(), end="")
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    store = Store.open(arguments.folder)
    problems = store.problems()
    good = len(store.records())
    if arguments.json:
        print_json(
            {
                "folder": str(store.folder),
                "good": good,
                "problems": [{"name": n, "reason": reason} for n, reason in problems],
            }
        )
    else:
        say(f"{store.folder}: {good} good record{'' if good == 1 else 's'}, {len(problems)} other")
        for name, reason in problems:
            print(f"{ascii(name)[1:-1]}: {reason}")
    return 1 if problems else 0


def _import(arguments: argparse.Namespace) -> int:
    store = Store.open(arguments.folder)
    kept = []
    for path in arguments.files:
        record = _read(Path(path))
        kept.append(store.put(record))
        if not arguments.json:
            print(f"{shown_path(path)} -> {kept[-1]}{_with_products(record)}")
    if arguments.json:
        print_json({"folder": str(store.folder), "records": kept})
    return 0


def _read(path: Path) -> Record:
    """A record file, of version 1 with the inner products that stand beside it."""
    record = load_record(path)
    beside = sidecar_of(path)
    if record.gram is None and beside.is_file() and beside != path:
        return replace(record, gram=read_gram(beside))
    return record


def _with_products(record: Record) -> str:
    return " with its inner products" if record.gram is not None else ""


def _export(arguments: argparse.Namespace) -> int:
    store = Store.open(arguments.folder)
    source = store.path(arguments.name)
    target = Path(arguments.target)
    if target.is_dir():
        target = target / source.name
    if target.suffix.lower() != ".json":
        raise OutputError(
            f"{shown_path(target)} is neither a folder nor a name that ends in .json; "
            "choose one of these."
        )
    record = store.load(arguments.name)
    write_text(target, record.to_json())
    if arguments.json:
        print_json({"file": str(target), "inner_products": record.gram is not None})
    else:
        print(f"{source.name} -> {target}{_with_products(record)}")
    return 0


def _remove(arguments: argparse.Namespace) -> int:
    store = Store.open(arguments.folder)
    # All of them are known before the first goes.
    paths = [store.path(name) for name in arguments.names]
    for path in paths:
        store.remove(path.name)
    if arguments.json:
        print_json({"removed": [path.name for path in paths]})
    else:
        say(f"removed {', '.join(path.name for path in paths)}")
    return 0


def _recordings(arguments: argparse.Namespace) -> int:
    store = Store.open(arguments.folder)
    if arguments.clear:
        removed = store.clear_recordings()
        if arguments.json:
            print_json({"folder": str(store.folder), "removed": removed})
        else:
            say(f"{store.folder}: removed {_recordings_words(removed)}")
        return 0
    kept = store.list_recordings()
    if arguments.json:
        rows = [_recording_row(each) for each in kept]
        print_json({"folder": str(store.folder), "recordings": rows})
        return 0
    whole = sum(each.bytes for each in kept)
    say(f"{store.folder}: {_recordings_words(len(kept))}, {whole:,} bytes")
    if kept:
        columns = ("model", "size", "rows", "steps", "sampler", "made", "bytes")
        print(table(columns, [_recording_cells(each) for each in kept], left=(0, 1, 4, 5)))
    return 0


def _recordings_words(count: int) -> str:
    return f"{count} recording{'' if count == 1 else 's'}"


def _recording_cells(kept: KeptRecording) -> tuple[str, ...]:
    drawn = kept.name or kept.sampler or "-"
    counts = (str(kept.rows), str(kept.steps))
    return (
        kept.title or "-",
        size(kept.latent_shape),
        *counts,
        drawn,
        kept.created,
        f"{kept.bytes:,}",
    )


def _recording_row(kept: KeptRecording) -> dict:
    names = (
        "file",
        "title",
        "created",
        "sampler",
        "name",
        "steps",
        "rows",
        "latent_shape",
        "bytes",
    )
    return {name: getattr(kept, name) for name in names}
