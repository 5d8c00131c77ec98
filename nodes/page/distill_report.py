"""What Distill Schedule says: its plan before, its report after, and what a user should know of the
model and the video."""

from __future__ import annotations

from itertools import groupby

from ...scheduler.counted import model_calls
from ...scheduler.record.words import duration
from .price import price

KEPT = (
    "Kept in your store: Few-Step KSampler, and samplers whose scheduler is 'distilled', use it from "
    "now on."
)


def plan_text(plan, total: int, wish, notes: list[str], scene) -> str:
    """The plan in a few lines, said before anything runs. total: model calls, measuring included."""
    counts = f"{wish.steps[0]}-{wish.steps[-1]}" if len(wish.steps) > 1 else str(wish.steps[0])
    lines = [f"Distilling {', '.join(wish.samplers)} at {counts} steps."]
    lines.append(price(plan.calls, total - plan.calls))
    evaluations = plan.evaluations(wish.conditions.cfg)
    if evaluations:
        lines.append(f"{evaluations[0].upper()}{evaluations[1:]}.")
    return "\n".join(lines + notes)


def measuring_text(calls: int) -> str:
    """The second stage, before it is begun."""
    return f"Measuring the recipes, which are in use already. {price(0, calls)}"


def kept(store, record) -> str:
    """A record that was measured, put into the store: what became of it in words."""
    from ...scheduler.errors import StepDistillError

    try:
        store().put(record)
    except StepDistillError as problem:
        return f"Not kept in your store ({str(problem).rstrip('.')}); use Save Record."
    return KEPT


def scene_notes(whole, scene, advice, shortened: bool) -> list[str]:
    """What is to be said of the model and the latent, a sentence each."""
    notes = [advice.text] if advice is not None else []
    if whole.left_out:
        caches = ", ".join(whole.left_out)
        notes.append(
            f"Distilled without {caches}: a step cache answers from earlier calls, and these are "
            "other samples' here."
        )
    if shortened:
        share = f"{100 * scene.frames / whole.frames:.0f} % of the cost or less"
        notes.append(
            f"Distilled with {scene.frames} of {whole.frames} latent frames, at {share}, and "
            "checked at full length."
        )
    elif whole.frames > 1:
        few = max(2, round(whole.frames / 4))
        share = f"{100 * few / whole.frames:.0f} %"
        offer = f"; `frames` at {few} would distil in {share} of the time or less, "
        offer += "with a check at full length"
        notes.append(
            f"Every model call draws {whole.frames} latent frames{offer if few < whole.frames else ''}."
        )
    return notes


def from_store(record, notes: list[str]) -> str:
    """The report where the store had it."""
    made = record.provenance["created"].replace("T", " ").removesuffix("Z")
    under = "" if record.conditions.cfg is None else f" at cfg {record.conditions.cfg:g}"
    head = f"From your store, without a model call: the record made{under} on {made} UTC. Turn 'again' "
    head += "on to distil anew."
    return "\n\n".join([_paragraph([head, *notes]), *_found(record)])


def distilled(record, kept: str, notes: list[str], plan, seconds: float) -> str:
    """The report of a distillation."""
    from ...scheduler.record.left_out import left_out

    spent, measured = record.provenance["model_calls"], record.provenance.get("evidence_calls", 0)
    also = f", and {measured:,} to measure" if measured else ""
    head = f"Done in {duration(seconds)}, with {model_calls(spent)}{also}. {kept}"
    left = [f"Left out: {each}." for each in map(left_out, plan.left_out)]
    return "\n\n".join(
        [_paragraph([head, *notes]), *_found(record), *(["\n".join(left)] if left else [])]
    )


def short(text: str, record) -> str:
    """What is recommended, and the first paragraph of the report: what was done."""
    from ...scheduler.record.verdict_words import recommendation

    return "\n".join(part for part in (recommendation(record), text.split("\n\n")[0]) if part)


def _found(record) -> list[str]:
    """The recommendation, then a table for each sampler."""
    from ...scheduler.record import curve_key
    from ...scheduler.record.evidence_table import column_notes, evidence_table
    from ...scheduler.record.verdict_words import recommendation

    advice = recommendation(record)
    recipes = sorted(
        record.recipes,
        key=lambda recipe: (
            recipe.sampler,
            recipe.offsets is not None,
            -recipe.start_sigma,
            recipe.steps,
        ),
    )
    parts = [advice] if advice else []
    keys = {curve_key(each) for each in recipes}
    for key, group in groupby(recipes, key=curve_key):
        parts.append(f"{_curve(key, keys)}\n{_table(list(group), evidence_table)}")
    notes = column_notes([each for each in recipes if "rms" in each.evidence])
    return [*parts, notes] if notes else parts


def _curve(key: str, keys: set[str]) -> str:
    """A table's name: a sampler's schedule alone, where there is one with offsets too."""
    from ...scheduler.record import OFFSETS

    alone = ", its schedule alone" if key + OFFSETS in keys else ""
    return f"{key.replace(OFFSETS, ' with offsets')}{alone}"


def _table(recipes: list, evidence_table) -> str:
    """What was measured, a line each; then the step counts that were not."""
    measured = [recipe for recipe in recipes if "rms" in recipe.evidence]
    others = ", ".join(str(recipe.steps) for recipe in recipes if "rms" not in recipe.evidence)
    lines = [evidence_table(measured)] if measured else []
    return "\n".join(
        lines + ([f"Recipes for {others} steps are there too, not measured."] if others else [])
    )


def _paragraph(sentences: list[str]) -> str:
    return "\n".join(sentences)
