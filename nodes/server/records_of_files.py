"""Which record of the store a workflow's node will be served by, as far as its file tells: by the
weights in the model files that it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ...scheduler.lookup.key import Key
from ..host.running_prompt import stem

if TYPE_CHECKING:
    from ...scheduler.lookup.match import Match
    from ...scheduler.record import Record

FOLDERS = ("diffusion_models", "checkpoints", "unet", "unet_gguf")
MOST_FILES = 64
MOST_RECORDS = 50  # of one model that are read


def record_for(facts):
    """The store's record for a site (scheduler.workflow.facts.SiteFacts): the one that the selection
    would put first for its few-step sampler, by all that the file tells. None: no record."""
    found = matches_for(facts, ("distilled",))
    return found[0].record if found else None


def run_kept(facts) -> bool:
    """Whether the store has kept a run of a site's model at its cfg, guidance and size that a recipe may
    be learnt from, as far as the file tells: not of which prompt, nor of which LoRAs."""
    from ...scheduler.lookup.differences import differences, filled
    from ..host.store import store

    found = [each for each in store().list_recordings() if _of_model(facts, each)]
    for each in found:
        shape = each.key.latent_shape
        if facts.size is not None and shape is not None:
            shape = facts.size.shape(shape[0], video=len(shape) == 4)
        under = {"cfg": facts.cfg, "guidance": facts.guidance, "latent_shape": shape}
        if not differences(filled(replace(each.key, **under), each.key), each.key):
            return True
    return False


def _of_model(facts, kept) -> bool:
    if bool(kept.key.patches) != bool(facts.loras):
        return False
    prints = _prints(facts)
    stated = kept.key.fingerprint
    if prints and stated is not None:
        return stated.id in prints
    return kept.title in facts.files


def matches_for(facts, samplers: Sequence[str]) -> list[Match]:
    """The store's records of a site's model, those that fit it best first, each with its differences.

    Of its model's weights or, where either states none, of the name. The file tells neither the
    noise nor the LoRAs' weights: these are taken as the records'.
    """
    from ...scheduler.lookup.differences import differences, filled
    from ...scheduler.lookup.match import NEAREST, Match
    from ...scheduler.lookup.shelves import matches_on
    from ..host.store import store

    records = {brief.file: store().load(brief.file) for brief in _briefs(facts)[:MOST_RECORDS]}
    if not records:
        return []
    key = _key(facts, list(records.values()))
    found = [
        match
        for match in matches_on((store(),), key, samplers, "near")
        if match.name in records and match.allowed
    ]
    known = {match.name for match in found}
    rest = [name for name in records if name not in known]  # which state no weights
    for name in rest:
        other = Key.of(records[name])
        asked = filled(key, other)
        apart = differences(asked, other)
        found.append(Match(records[name], NEAREST, None, apart, name=name, asked=asked))
    found[len(known) :] = sorted(found[len(known) :], key=lambda match: len(match.differences))
    return found


def _briefs(facts) -> list:
    """The store's records of a site's model, the newest first."""
    from ..host.store import store

    prints = _prints(facts)
    return [
        brief
        for brief in store().records()
        if brief.fingerprint in prints
        or (brief.title in facts.files and not (prints and brief.fingerprint))
    ]


def _prints(facts) -> set[str | None]:
    """The fingerprints of a site's model files."""
    return {_fingerprint(path, path.stat().st_mtime_ns) for path in _files(facts.files)} - {None}


def _key(facts, records: Sequence[Record]) -> Key:
    """What a site's record is looked up by."""
    key = Key.of(records[0])
    stated = [each.conditions.latent_shape for each in records if each.conditions.latent_shape]
    shape = None
    if facts.size is not None and stated:
        shape = facts.size.shape(stated[0][0], video=len(stated[0]) == 4)
    under = {"cfg": facts.cfg, "guidance": facts.guidance, "latent_shape": shape}
    return replace(key, sampler=None, patches=_patches(facts.loras, records), **under)


def _patches(loras: Sequence[str], records: Sequence[Record]) -> tuple[Mapping, ...]:
    """Those that LoRAs of these files stand for: of a record that was made with just these."""
    if not loras:
        return ()
    for each in records:
        said = each.provenance.get("loras") or ()
        if {_name(one) for one in said} == set(loras):
            return tuple(each.model.patches)
    return tuple({"name": name, "strength": 1.0} for name in loras)


def _name(said: object) -> str:
    return str(said.get("name", "")) if isinstance(said, Mapping) else str(said)


def _files(names: tuple[str, ...]) -> list[Path]:
    """The model files of these names, without folder and ending."""
    import folder_paths

    found = []
    for folder in FOLDERS:
        try:
            listed = folder_paths.get_filename_list(folder)
        except KeyError:  # not every host has every folder
            continue
        paths = [folder_paths.get_full_path(folder, name) for name in listed if stem(name) in names]
        found += [Path(path) for path in paths if path]
    return list(dict.fromkeys(found))[:MOST_FILES]


@lru_cache(MOST_FILES)
def _fingerprint(path: Path, stamp: int) -> str | None:
    """Of a file in the state that its time says; None where it has none."""
    from ...scheduler.errors import StepDistillError
    from ...scheduler.fingerprint import fingerprint_file

    try:
        return fingerprint_file(path).id
    except (StepDistillError, OSError):
        return None
