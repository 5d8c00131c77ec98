"""The panel's list of sources."""

from __future__ import annotations

import html

from tests.a1111 import made
from tests.sources.made import folder_of


def test_sources_are_listed_as_text(webui, tmp_path):
    from scheduler.sources import Sources

    shown = made.ours("a1111.source_list").sources_html
    store = made.ours("a1111.stores").store().folder
    none = html.unescape(shown())
    assert "No source" in none and f"source add ADDRESS --folder {store}</code>" in none
    source = Sources(store).add(str(folder_of(tmp_path / "ann", by="<b>Ann</b>")))
    assert "ann: 3 records · by &lt;b&gt;Ann&lt;/b&gt; · 20" in shown()
    (source.folder / "source.json").write_text("{")
    assert "ann is not used: What was kept of the source ann is damaged" in shown()
