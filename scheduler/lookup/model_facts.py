"""What a model is to a lookup, as every host says it of the model that it has loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..fingerprint import Fingerprint
from ..record import Conditions, Record
from .key import Key
from .makers_run import MakersRun

if TYPE_CHECKING:
    from ..sigmas.noise_table import NoiseTable


@dataclass(frozen=True)
class ModelFacts:
    """Who a model is, and its noise.

    fingerprint: of the weights without patches (None: unknown). name: for people. process:
    "flow" or "ve"; prediction: "eps", "v", "flow", ...; shift: a flow's linear time shift.
    sigma_min, sigma_max, table: the model's own noise levels and clock, whatever options did to
    them. patches: as `key.patch`
    makes them. published: presets made for its family, the best first. advice: what to tell of a
    step-distilled model, or "". loras: (file, strength or None) of those that were loaded, for people.
    noise_scale: as of `Key`. streams: of a latent of several kinds, as `Conditions` has them.
    makers_run: of a step-distilled model, where it is known by its name or was given.
    """

    fingerprint: Fingerprint | None
    name: str
    process: str
    prediction: str | None
    shift: float | None
    sigma_min: float
    sigma_max: float
    table: NoiseTable
    patches: tuple[Mapping, ...] = ()
    published: tuple[str, ...] = ()
    advice: str = ""
    loras: tuple[tuple[str, float | None], ...] = ()
    noise_scale: float = 1.0
    streams: tuple[Mapping, ...] | None = None
    makers_run: MakersRun | None = None

    @property
    def provenance(self) -> dict:
        """What a record keeps of it in words alone: weights tell no file's name."""
        loras = [{"name": name, "strength": strength} for name, strength in self.loras[:20]]
        return {"loras": loras} if loras else {}

    def key(
        self,
        cfg: float | None = None,
        latent_shape: Sequence[int] | None = None,
        guidance: float | None = None,
        sampler: str | None = None,
    ) -> Key:
        """What a record for this model is looked up by; what is not known (None) is left open.

        latent_shape: one sample's, without batch.
        """
        shape = None if latent_shape is None else tuple(int(size) for size in latent_shape)
        return Key(
            self.fingerprint,
            self.process,
            self.sigma_min,
            self.sigma_max,
            self.prediction,
            self.shift,
            cfg,
            guidance,
            shape,
            self.patches,
            sampler,
            self.noise_scale,
        )

    def conditions(
        self, key: Key, prompts: int | None = None, seed: int | None = None
    ) -> Conditions:
        """What a record will say of a run under a key of this model."""
        known = self.fingerprint
        return Conditions(
            cfg=key.cfg,
            guidance=key.guidance,
            latent_shape=key.latent_shape,
            prompts=prompts,
            seed=seed,
            name=self.name[:300],
            shift=self.shift,
            prediction=self.prediction,
            patches=self.patches,
            fingerprint=known.id if known else None,
            samples=known.samples if known else None,
            noise_scale=self.noise_scale,
            streams=self.streams,
        )


def facts_of_record(record: Record) -> ModelFacts:
    """The model that a record was made for, where no other is at hand."""
    from ..sigmas.noise_table import table_for

    model = record.model
    table = table_for(model.sigma_min, model.sigma_max, model.parametrisation, model.shift)
    return ModelFacts(
        Fingerprint.of_record(model),
        model.name or "",
        model.parametrisation,
        model.prediction,
        model.shift,
        model.sigma_min,
        model.sigma_max,
        table,
        model.patches,
        noise_scale=model.noise_deviation,
    )
