"""How the store's records fit the nodes that the page asks about: by the same selection as their runs."""

from __future__ import annotations

from .asked_nodes import learn_kinds, only_of, with_makers
from .records_of_files import matches_for
from .request_guard import text_of

FITS, DIFFERS, UNKNOWN = "fits", "differs", "unknown"
PLAIN, CANNOT = "plain", "cannot"  # of baking: with a loss, or not at all
MOST_SITES = 20


def fits(data: dict) -> dict[str, dict]:
    """{record's name: {"fit": FITS, DIFFERS, or UNKNOWN where the workflow does not tell cfg or size;
    "differs": in words; of FITS what is near alone, of UNKNOWN what is not told}}, the best for the first
    of the nodes first; none of other models. To bake: PLAIN or CANNOT where the recipe itself cannot be
    written, "differs" says so too, in sentences."""
    from ...scheduler.lookup.rules import rule_for
    from ...scheduler.workflow import parse
    from ...scheduler.workflow.facts import facts_of
    from ...scheduler.workflow.sites import asked, label, survey

    learn_kinds(data.get("widgets"))
    document = parse(text_of(data, "workflow"))
    only = with_makers(document, only_of(data))
    sites = [site for site in survey(document).sites if asked(site.node, only)][:MOST_SITES]
    found: dict[str, dict] = {}
    for site in sites:
        facts = facts_of(document, site)
        few = data.get("to") == "few" or facts.sampler is None
        samplers = ("distilled",) if few else rule_for(facts.sampler).recipes_of
        whose = label(site.node) if len(sites) > 1 else ""
        for match in matches_for(facts, samplers):
            _judge(found.setdefault(match.name.removesuffix(".json"), {}), match, facts, whose)
    for name, said in found.items():
        if data.get("to") == "baked":
            _foretell(said, name, document, sites)
        rest = said.pop("rest", {})
        if said["fit"] in rest:
            said["differs"] = " and ".join(dict.fromkeys(rest[said["fit"]]))
    return found


def _foretell(said: dict, name: str, document, sites) -> None:
    """What is lost by baking a record, said before it is done."""
    from ...scheduler.workflow.baked import foretold
    from ...scheduler.workflow.sites import label
    from ..host.store import store

    record = store().load(f"{name}.json")
    told = [(*foretold(document, site, record), label(site.node)) for site in sites]
    words = [f"{whose}: {text}" if len(sites) > 1 else text for done, text, whose in told if text]
    if not words:
        return
    said["fit"] = PLAIN if any(done for done, _, _ in told) else CANNOT
    apart = said["differs"] and said["fit"] == PLAIN  # no matter where nothing can be written
    differs = f"Differs: {said['differs']}. " if apart else ""
    said["differs"] = differs + " ".join(words)


def _judge(said: dict, match, facts, whose: str) -> None:
    """What one more site adds to what is said of a record."""
    from ...scheduler.lookup.made_words import differs, made_under, near

    told, here = differs(match), near(match)
    known = {"cfg": facts.cfg, "size": facts.size}
    missing = " and ".join(name for name, value in known.items() if value is None)
    fit = UNKNOWN if missing else FITS
    fit = DIFFERS if told else fit
    rank = (FITS, UNKNOWN, DIFFERS)
    said["fit"] = max(said.get("fit", FITS), fit, key=rank.index)
    told = f"{whose}: {told}" if told and whose else told
    said["differs"] = "; ".join(each for each in (said.get("differs", ""), told) if each)
    rest = said.setdefault("rest", {})
    if missing:
        rest.setdefault(UNKNOWN, []).append(
            f"the {missing} of {whose}" if whose else f"its {missing}"
        )
    if here:
        made = made_under(match.as_made)
        rest.setdefault(FITS, []).append(f" near yours (made at {made}; you use {here})")
