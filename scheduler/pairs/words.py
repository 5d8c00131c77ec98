"""What a pair's recipes are, in words."""

from __future__ import annotations

from ..record import Record
from ..record.counts import ranges
from ..record.pair_half import hand_over_step, pair_half


def told(first: Record, second: Record) -> str:
    """What was found, and where each step count hands over."""
    half, names = pair_half(first), (first.model.name, second.model.name)
    meet = f"meet at sigma {half.hand_over:.4g}" if half is not None else "meet"
    steps = ranges({recipe.steps for recipe in first.recipes})
    lines = [
        f"{names[0] or 'The first model'} and {names[1] or 'the second'}, {steps} steps, {meet}:"
    ]
    lines += [_line(recipe) for recipe in first.recipes]
    lines.append(
        "In the first KSampler (Advanced) set end_at_step, and in the second start_at_step, to the "
        "number that is named, and choose 'distilled' as the scheduler of both."
    )
    return "\n".join(lines)


def _line(recipe) -> str:
    step, evidence = hand_over_step(recipe), recipe.evidence
    sigma = recipe.sigmas[step] if step is not None else 0.0
    text = f"- {recipe.sampler}, {recipe.steps} steps: hands over after {step} (sigma {sigma:.4g})"
    if not recipe.choice.ours:
        return f"{text}; the stock schedule {recipe.choice} won"
    ratio = evidence.get("ratio")
    if ratio is None:
        return text
    return (
        f"{text}; {ratio:.2f} of the error of the best stock pair ({evidence.get('best_stock')}) on "
        f"{evidence.get('samples')} unseen pictures"
    )
