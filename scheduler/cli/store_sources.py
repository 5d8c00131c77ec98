"""store source, store publish: other people's records, and one's own for others."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from ..errors import StepDistillError
from ..record.evidence_table import table
from ..sources import Sources
from ..sources.kept import Source
from ..sources.publishing import publish
from ..sources.signing import key_name
from ..sources.words import (
    entry_row,
    measured,
    provenance,
    records_words,
    source_row,
    trust,
)
from ..store.folder import store_folder
from .console import add_json, print_json, say

SOURCE = """\
A source is a folder or a static web page of other people's records with an index. `add` and `update` read it
whole, and are the only ones that ask it for anything; everything else works from what they kept. Records of a
source come after your own, and none runs before it was checked on your model, unless you ask for it. git is
never started: clone a repository yourself and add the folder, or add the address of its raw files."""
PUBLISH = """\
Makes the folder of your records a source for others, or brings its index up to date: one line a record, with
its hash, its model's fingerprint, the conditions and what was measured. Put the folder on any disk, in a git
repository or on a static web page. `store export NAME FOLDER` puts a record into it. docs/sources.md has the
format."""


def add(actions, action: Callable[..., argparse.ArgumentParser]) -> None:
    """Add both to `store`'s actions. action: adds one with --folder and --json."""
    whole = actions.add_parser(
        "source",
        help="list, add, show, update and remove sources of other people's records",
        description=SOURCE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    inner = whole.add_subparsers(title="actions", metavar="ACTION", required=True)
    new = action(inner, "add", "read a source and keep what it has", _add)
    new.add_argument("address", metavar="PATH_OR_URL")
    new.add_argument("--name", metavar="NAME", help="what to call it (default: by where it lies)")
    signed = new.add_mutually_exclusive_group()
    signed.add_argument(
        "--key", metavar="KEY", help="the public key that it must be signed with, as published"
    )
    signed.add_argument("--unsigned", action="store_true", help="do not look at its signature")
    action(inner, "list", "the sources at hand; nothing is asked of them", _list)
    show = action(inner, "show", "what a source has, or one record as it lies there", _show)
    show.add_argument("name", metavar="NAME")
    show.add_argument("record", metavar="RECORD", nargs="?")
    show.add_argument(
        "--about", action="store_true", help="who says so, what was measured, by which version"
    )
    update = action(inner, "update", "read sources anew (default: all)", _update)
    update.add_argument("names", metavar="NAME", nargs="*")
    remove = action(inner, "remove", "remove sources, and what was fetched of them", _remove)
    remove.add_argument("names", metavar="NAME", nargs="+")
    verify = "read everything that is kept of the sources; exit code 1 if anything was changed"
    action(inner, "verify", verify, _verify)

    out = actions.add_parser(
        "publish",
        help="make a folder of records a source for others, or update its index",
        description=PUBLISH,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    out.add_argument("target", metavar="FOLDER")
    out.add_argument("--name", metavar="TEXT", help="what the source is called")
    out.add_argument("--by", metavar="TEXT", help="who says so: you, in a few words")
    out.add_argument(
        "--sign",
        metavar="KEY",
        help="sign with the private key in this file (Ed25519, PEM); it is made where there is none",
    )
    out.add_argument(
        "--other-key", action="store_true", help="sign with another key than before, or no more"
    )
    add_json(out)
    out.set_defaults(run=_publish)


def _sources(arguments: argparse.Namespace) -> Sources:
    return Sources(store_folder(arguments.folder))


def _add(arguments: argparse.Namespace) -> int:
    sources = _sources(arguments)
    heard = _Heard(not arguments.json)
    found = sources.add(arguments.address, arguments.name, arguments.key, arguments.unsigned, heard)
    return _read(arguments, [found])


def _update(arguments: argparse.Namespace) -> int:
    sources = _sources(arguments)
    names = arguments.names or sources.names()
    heard = _Heard(not arguments.json)
    found, failed = [], []
    for name in names:  # one that does not answer keeps nobody from the others
        try:
            found.append(sources.update(name, heard))
        except StepDistillError as problem:
            failed.append((name, str(problem)))
    _read(arguments, found, failed)
    return 1 if failed else 0


def _read(
    arguments: argparse.Namespace, found: list[Source], failed: Sequence[tuple[str, str]] = ()
) -> int:
    if arguments.json:
        rows = [{"name": name, "reason": reason} for name, reason in failed]
        print_json({"sources": [source_row(each) for each in found], "problems": rows})
        return 0
    for name, reason in failed:
        say(f"{name}: {reason}")
    for source in found:
        row = source_row(source)
        print(f"{source.name}: {records_words(row['records'])}, {row['trust']}")
        for name, reason in source.note.left_out:
            print(f"  left out: {name}: {reason}")
    if not found and not failed:
        say("There is no source.")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    sources = _sources(arguments)
    found, damaged = sources.all(), sources.damaged()
    if arguments.json:
        return _read(arguments, found, damaged)
    say(f"{len(found)} source{'' if len(found) == 1 else 's'}")
    for name, reason in damaged:
        say(f"{name}: {reason}")
    if found:
        columns = ("name", "records", "by", "published", "trust", "where")
        print(table(columns, [_cells(each) for each in found], left=(0, 2, 3, 4, 5)))
    return 0


def _cells(source: Source) -> tuple[str, ...]:
    row = source_row(source)
    return (
        source.name,
        str(row["records"]),
        row["by"] or "-",
        row["published"],
        row["trust"],
        row["address"],
    )


def _show(arguments: argparse.Namespace) -> int:
    sources = _sources(arguments)
    source = sources.source(arguments.name)
    if arguments.record is not None:
        record = sources.record(arguments.name, arguments.record)
        print(provenance(source, record) + "\n" if arguments.about else record.to_json(), end="")
        return 0
    rows = [entry_row(source, each) for each in source.entries.values()]
    if arguments.json:
        print_json({"source": source_row(source), "records": rows})
        return 0
    say(f"{source.index.name} ({trust(source)}): {records_words(len(rows))}")
    cells = [_entry_cells(source, each) for each in source.entries.values()]
    if cells:
        columns = ("record", "model", "cfg", "size", "measured", "made", "by")
        print(table(columns, cells, left=range(7)))
    return 0


def _entry_cells(source: Source, entry) -> tuple[str, ...]:
    row = entry_row(source, entry)
    cfg = "-" if row["cfg"] is None else f"{row['cfg']:g}"
    name = row["file"].removesuffix(".json")
    size = row["size"] or "-"
    return name, row["model"] or "-", cfg, size, measured(entry), row["created"], row["by"]


def _remove(arguments: argparse.Namespace) -> int:
    sources = _sources(arguments)
    for name in arguments.names:  # all of them are known before the first goes
        sources.source_folder(name)
    for name in arguments.names:
        sources.remove(name)
    if arguments.json:
        print_json({"removed": arguments.names})
    else:
        say(f"removed {', '.join(arguments.names)}")
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    sources = _sources(arguments)
    problems = sources.problems()
    count = sum(len(each.entries) for each in sources.all())
    if arguments.json:
        rows = [{"name": name, "reason": reason} for name, reason in problems]
        print_json({"records": count, "problems": rows})
        return 1 if problems else 0
    say(f"{records_words(count)}, {len(problems)} changed")
    for name, reason in problems:
        print(f"{name}: {reason}")
    return 1 if problems else 0


def _publish(arguments: argparse.Namespace) -> int:
    found = publish(
        arguments.target, arguments.name, arguments.by, arguments.sign, arguments.other_key
    )
    if arguments.json:
        print_json(
            {
                "folder": str(found.folder),
                "name": found.name,
                "records": found.records,
                "changed": found.changed,
                "key": found.key,
                "left_out": [list(each) for each in found.left_out],
            }
        )
        return 0
    news = "" if found.changed else ", unchanged"
    print(f"{found.name}: {records_words(found.records)}{news}")
    for name, reason in found.left_out:
        print(f"  left out: {ascii(name)[1:-1]}: {reason}")
    if found.key is not None:
        print(f"  signed; public key {found.key} ({key_name(found.key)})")
    return 0


class _Heard:
    """Says now and then how far a source has been read."""

    def __init__(self, shown: bool, every: int = 100):
        self.shown, self.every = shown, every

    def __call__(self, done: int, planned: int) -> None:
        if self.shown and done and done % self.every == 0:
            say(f"{done:,} of {records_words(planned)}")
