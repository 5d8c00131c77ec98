"""How many examples a hypothesis test tries: a fifth of what is written where it stands, and all of them
with `--hypothesis-profile thorough`, as .ci/run does."""

from __future__ import annotations

from hypothesis import settings

THOROUGH = 100  # hypothesis' own number
QUICK = THOROUGH // 5


def register_profiles(repeatable: bool) -> None:
    """The two profiles. A shared, busy machine makes single examples slow at random, so there is no
    deadline; where every run is to try the same examples, `repeatable`."""
    settings.register_profile("quick", deadline=None, max_examples=QUICK, derandomize=repeatable)
    settings.register_profile(
        "thorough", deadline=None, max_examples=THOROUGH, derandomize=repeatable
    )
    settings.load_profile("quick")


def examples(thorough: int, **options) -> settings:
    """Settings for `thorough` examples, or the profile's share of them."""
    share = settings.default.max_examples / THOROUGH
    return settings(max_examples=max(2, round(thorough * share)), **options)
