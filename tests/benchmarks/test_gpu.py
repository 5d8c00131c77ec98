"""The command for an accelerator says what it would measure without one; its tiny run goes through."""

from __future__ import annotations

import importlib.util

import pytest

from benchmarks import gpu


def test_without_an_accelerator_it_says_what_it_would_measure(monkeypatch, capsys):
    monkeypatch.setattr(gpu, "accelerator", lambda: "cpu")
    gpu.main(["--kind", "sdxl"])
    said = capsys.readouterr().out
    assert "no accelerator" in said and "SDXL-sized" in said and "1.03" in said and "--tiny" in said


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(
    importlib.util.find_spec("diffusers") is None, reason="diffusers is not installed"
)
def test_the_tiny_run_prints_every_line(monkeypatch, capsys):
    for name, value in {"FULL": 4, "SHORT": 2, "REPEATS": 1}.items():
        monkeypatch.setattr(gpu, name, value)
    gpu.main(["--tiny", "--kind", "sdxl"])
    said = capsys.readouterr().out
    for line in ("one call", "recording", "calls x one call", "first recipe", "picture of 6 steps"):
        assert line in said
