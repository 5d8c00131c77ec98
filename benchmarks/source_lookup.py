"""How long a source of 2,000 records takes to publish, to add and to answer.

    python -m benchmarks.source_lookup [--records 2000] [--folder FOLDER]

Records and questions are those of benchmarks/store_lookup.py: three samplers at nine step counts with inner
products, 20 conditions a model, all models of one architecture. Medians of 20; a first lookup reads the
record that it finds and checks its hash, a later one has it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from benchmarks.store_lookup import fill, questions, said  # noqa: E402
from scheduler.sources import Sources  # noqa: E402
from scheduler.sources.index_form import INDEX_FILE  # noqa: E402
from scheduler.sources.publishing import publish  # noqa: E402


def nearest(sources: Sources, key):
    """The match that a lookup takes first."""
    return next(sources.matches(key), None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=2000)
    parser.add_argument(
        "--folder", help="where it is made (default: the system's temporary folder)"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as name:
        folder, store = Path(name) / "published", Path(name) / "store"
        folder.mkdir()
        fill(folder, asked.records)
        size = sum(path.stat().st_size for path in folder.iterdir())
        keys = questions(folder, asked.records)
        print(f"{asked.records:,} records, {size / 1e6:,.0f} MB")
        print(f"{'':<52}{'wall ms':>12}{'CPU ms':>12}")
        said("publish (every record is parsed)", lambda: publish(folder), 1)
        said("publish again", lambda: publish(folder), 1)
        print(f"  index: {(folder / INDEX_FILE).stat().st_size / 1e6:.1f} MB")
        said(
            "add (every record is read, checked and kept)",
            lambda: Sources(store).add(str(folder)),
            1,
        )
        said("update, nothing new", lambda: Sources(store).update("published"), 1)
        said(
            "a new process (the index is read)",
            lambda: [each.briefs for each in Sources(store).all()],
            3,
        )
        sources = Sources(store)
        sources.all()[0].briefs  # noqa: B018
        for what, asked_keys in keys.items():
            fresh = iter(asked_keys)
            said(
                f"lookup, {what}, first",
                lambda it=fresh: nearest(sources, next(it)),
                len(asked_keys),
            )
            said(f"lookup, {what}, again", lambda key=asked_keys[-1]: nearest(sources, key))


if __name__ == "__main__":
    main()
