"""A test's extension that brings top-level packages named `scheduler` and `a1111`, as another
extension may, and is imported first."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import a1111  # noqa: E402, F401
import scheduler  # noqa: E402, F401
