"""What Apply says before anything runs: which record the samplers after it will be served by, by the
one selection with all that is known of them; and where that is not known yet, that it is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..scheduler.lookup import SIMPLE, made_words, words
from ..scheduler.lookup.given import given_match
from ..scheduler.lookup.key import Key, frame_bucket, guidance_bucket, resolution_bucket
from ..scheduler.lookup.match import STORE, Match
from ..scheduler.lookup.model_facts import ModelFacts
from ..scheduler.lookup.shelves import Matches, matches_on
from ..scheduler.record import Record
from ..scheduler.record.words import contents
from .host.downstream import Run, Under, shared
from .host.model_facts import facts_of
from .host.picture_records import attach
from .lookup import find, shelves
from .names import DISTILLED
from .page.card_data import of_match, shown

MOST_NAMED = 4  # records
CHOOSES = (
    "Few-Step KSampler after it chooses its recipe by itself, whatever stands here: for that node this "
    "one can be taken out."
)
UNDECIDED = "undecided"  # a source beside those of a selection


def expected(
    model: Any,
    record: Record | None,
    offsets: bool,
    runs: Sequence[Run] = (),
    few_steps: bool = False,
) -> tuple[dict, str]:
    """(the card, what to say) of what runs of a MODEL will use. runs: those that the prompt has.
    few_steps: whether a Few-Step KSampler is among what follows, too.

    Raises RecipeError and SigmaRangeError as `nodes.lookup.find` does.
    """
    if not few_steps:
        return _expected(model, record, offsets, runs)
    if not runs:
        return of_match(None, CHOOSES) | {"source": UNDECIDED}, CHOOSES
    card, info = _expected(model, record, offsets, runs)
    info = f"{info} {CHOOSES}"
    return card | {"info": info}, info


def _expected(
    model: Any, record: Record | None, offsets: bool, runs: Sequence[Run]
) -> tuple[dict, str]:
    ours = [run for run in runs if run.scheduler in (None, DISTILLED)]
    if runs and not ours:
        return _nothing(_not_ours(runs))
    facts, under = facts_of(model), shared(ours)
    key = facts.key(**under.of(model))
    if record is not None:
        matches, refused = [given_match(record, key)], None
    else:
        found = Matches(matches_on(shelves(), key, (), "near"))
        matches, refused = list(found.allowed), found.refused
    if not matches:
        return _nothing(_no_record(facts, refused))
    changed = any(run.changed for run in ours)
    if _told_apart(key, matches) or (changed and len(matches) > 1):
        return _undecided(matches, changed)
    only = ours[0] if len(ours) == 1 and not changed else None
    if only is not None and only.sampler and only.steps and only.denoise:
        return _of_run(model, record, offsets, only)
    return _of_record(matches[0], offsets, under)


def _of_run(model: Any, record: Record | None, offsets: bool, run: Run) -> tuple[dict, str]:
    """The very answer that the one run after it will get."""
    found = find(
        model,
        run.sampler,
        run.steps or 1,
        run.denoise or 1.0,
        record=record,
        offsets=offsets or run.sampler == DISTILLED,
        **run.under.of(model),
    )
    info = f"{words.info(found)} {cfg_not_known(found.match, run.under)}".strip()
    return shown(found, info=info), info


def _of_record(match: Match, offsets: bool, under: Under) -> tuple[dict, str]:
    """The one record that serves, whatever is not known yet."""
    if match.place == STORE:
        attach(match.record, match.name)
    parts = [
        f"Samplers whose scheduler is 'distilled' use the record of {match.title} "
        f"({contents(match.record)}){_offsets_promised(match.record, offsets)}.",
        made_words.differs_or_made_at(match),
        cfg_not_known(match, under),
    ]
    info = " ".join(part for part in parts if part)
    return of_match(match, info), info


def cfg_not_known(match: Match | None, under: Under) -> str:
    """That a record is named without knowing the cfg that it will run at, or ""."""
    if match is None or under.cfg is not None or match.record.conditions.cfg is None:
        return ""
    return "The cfg that it will run at is not known here yet."


def _told_apart(key: Key, matches: Sequence[Match]) -> bool:
    """Whether records differ in what is not known of the run."""
    return len({_open(key, Key.of(match.record)) for match in matches}) > 1


def _open(key: Key, found: Key) -> tuple:
    """What a record was made at, of what a key leaves open."""
    size = (resolution_bucket(found.latent_shape), frame_bucket(found.latent_shape))
    return (
        guidance_bucket(found.cfg) if key.cfg is None else None,
        size if key.latent_shape is None else None,
    )


def _undecided(matches: Sequence[Match], changed: bool) -> tuple[dict, str]:
    made = [made_words.made_under(match.record) or "not stated" for match in matches]
    named = list(dict.fromkeys(made))
    listed = "; ".join([*named[:MOST_NAMED], *(["…"] if len(named) > MOST_NAMED else [])])
    on = "what the nodes between make of the model" if changed else "the cfg and size it runs at"
    info = (
        f"This model has several records ({listed}). Which one serves depends on {on}, not known "
        "here yet; it is said here once it has run."
    )
    return of_match(None, info) | {"source": UNDECIDED}, info


def _nothing(info: str) -> tuple[dict, str]:
    return of_match(None, info), info


def _no_record(facts: ModelFacts, refused: Match | None) -> str:
    why = words.no_record(refused).rstrip(".")
    info = f"{why}: samplers whose scheduler is 'distilled' run a stock schedule"
    info += f" ('{SIMPLE}', where nothing better is known) until you distil one."
    return f"{info} {facts.advice}".strip()


def _not_ours(runs: Sequence[Run]) -> str:
    named = ", ".join(dict.fromkeys(f"{run.kind}: '{run.scheduler}'" for run in runs))
    return (
        f"No sampler after this one has the scheduler 'distilled' ({named}), so they draw as they "
        "would without it. Choose 'distilled' there."
    )


def _offsets_promised(record: Record, offsets: bool) -> str:
    """Which stock samplers ask at other noise levels: those whose own recipes have won with such."""
    shifted = {
        each.sampler: None
        for each in record.recipes
        if each.sampler != DISTILLED and each.offsets is not None and each.choice.ours
    }
    if not shifted:
        return ""
    if not offsets:
        return ", without query offsets"
    return f", with query offsets for {', '.join(shifted)}"
