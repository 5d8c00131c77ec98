"""Arrows point one way.

Hosts' folders use the library, the library knows no host, and inside it nothing points up or in a circle.
"""

from __future__ import annotations

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# From the ground up; what stands on one line may not use each other.
LAYERS = (
    ("errors", "version", "counted"),
    ("files", "denoiser"),
    ("rows", "streams"),
    ("sigmas",),
    ("samplers",),
    ("record",),
    ("search", "presets"),
    ("fit", "recordings", "evidence", "fingerprint"),
    ("distilling", "lookup", "plots", "checkpoints"),
    ("workflow", "pairs", "kin"),
    ("store",),
    ("sources",),
    ("learning", "diffusers"),
    ("library",),
    ("cli",),
    ("__main__", "__init__"),
)
HOSTS = {"comfy", "comfy_extras", "nodes", "folder_paths", "server", "modules", "gradio", "backend"}


@cache
def imports(path: Path) -> list[tuple[int, str]]:
    """(level, module) of every import of a file, those inside functions too; not those for types alone."""
    found: list[tuple[int, str]] = []
    for node in _run(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            found += _from(node)
        elif isinstance(node, ast.Import):
            found += [(0, alias.name) for alias in node.names]
    return found


def _run(node: ast.AST):
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield child
            yield from _run(child)


def _from(node: ast.ImportFrom):
    if node.module:
        yield node.level, node.module
    if node.level:  # `from . import name`, or a module named beside its package
        yield from (
            (node.level, ".".join(filter(None, (node.module, alias.name)))) for alias in node.names
        )


def target(path: Path, level: int, module: str) -> Path | None:
    """The file of ours that a relative import means."""
    folder = path.parents[level - 1]
    place = folder.joinpath(*module.split("."))
    for found in (place.with_suffix(".py"), place / "__init__.py"):
        if found.exists():
            return found
    return None


def files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def part(path: Path) -> str:
    """The package, or module, of the library that a file belongs to."""
    return path.relative_to(ROOT / "scheduler").parts[0].removesuffix(".py")


def rank(path: Path) -> int:
    named = [k for k, names in enumerate(LAYERS) if part(path) in names]
    assert named, f"scheduler/{part(path)} stands in no layer of tests/test_layers.py"
    return named[0]


def test_the_library_imports_no_host_and_itself_only_relatively():
    for path in files("scheduler"):
        tops = {module.split(".")[0] for level, module in imports(path) if not level}
        assert not tops & {*HOSTS, "scheduler", "stepdistill", "tests", "benchmarks"}, path
        for level, module in imports(path):
            assert level <= len(path.relative_to(ROOT / "scheduler").parts), (path, module)


def test_nothing_points_up():
    up = []
    for path in files("scheduler"):
        for level, module in imports(path):
            found = target(path, level, module) if level else None
            if found is None or part(found) == part(path):
                continue
            if found == ROOT / "scheduler" / "__init__.py" or rank(found) >= rank(path):
                up.append(f"{path.relative_to(ROOT)} -> {found.relative_to(ROOT)}")
    assert not up, "\n".join(up)


@pytest.mark.parametrize("folder", ["scheduler", "nodes", "a1111"])
def test_no_circle_of_imports(folder):
    graph = {
        path: {
            found
            for level, module in imports(path)
            if level and (found := target(path, level, module)) not in (None, path)
        }
        for path in files(folder)
    }
    for path, found in graph.items():  # a package's face hands on what stands in it
        graph[path] = {each for each in found if each.name != "__init__.py"}
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as circle:
        pytest.fail(" -> ".join(str(path.relative_to(ROOT)) for path in circle.args[1]))


@pytest.mark.parametrize("folder", ["nodes", "a1111"])
def test_the_hosts_folders_use_the_library_and_neither_each_other_nor_the_command_line(folder):
    other = {"nodes": "a1111", "a1111": "nodes"}[folder]
    for path in files(folder):
        for level, module in imports(path):
            found = target(path, level, module) if level else None
            if found is not None:
                parts = found.relative_to(ROOT).parts
                assert parts[0] != other and parts[:2] != ("scheduler", "cli"), (path, module)
