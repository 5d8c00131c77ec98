"""Where a run starts, as people say it."""

from __future__ import annotations

import pytest

from scheduler.lookup.starts import at_start, denoise_of, start_for, start_words
from tests.learning.studio import facts
from tests.workflow_graphs import record


@pytest.mark.parametrize("denoise", [0.05, 0.3, 0.5, 0.8])
def test_a_start_is_named_by_its_denoise(denoise):
    made = record()
    known = facts(
        sigma_min=made.model.sigma_min, sigma_max=made.model.sigma_max, shift=made.model.shift
    )
    if (made.model.parametrisation, made.model.shift) != (known.process, 3.0):
        pytest.skip("the test's record is of another model")
    start = start_for(known, denoise)
    assert denoise_of(made, start) == denoise
    assert start_words(made, start) == f"denoise {denoise:g}"
    assert at_start(made, start) == f"at denoise {denoise:g}"
    for words in (start_words, at_start):
        assert words(made, start * 1.003) == f"from sigma {start * 1.003:.4g}"


def test_the_top_is_denoise_1():
    made = record()
    assert denoise_of(made, made.model.sigma_max) == 1
