"""One picture from beginning to end: decided, drawn, kept, learnt from. What a host must be able to
do for that is `host.Host`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..denoiser import Denoiser
from ..distilling.meter import Progress
from ..lookup.match import Match
from ..lookup.selection import Selection
from ..lookup.shelves import Shelf
from ..recordings import Recording
from ..store import Store
from . import deciding
from .deciding import Obstacle
from .fitting import Learnt
from .host import Handed, Host
from .one_picture import Picture, Source
from .outcome import Announcement, Outcome
from .situation import Situation


def draw_and_learn(
    host: Host,
    store: Store,
    situation: Situation,
    mode: str,
    carried: Sequence[Shelf] = (),
    given: Match | None = None,
    newest: bool = False,
    obstacle: Obstacle | None = None,
    improve_calls: int = 0,
    handed: Handed | None = None,
    before: str = "",
) -> tuple[Any, Outcome]:
    """(what the host drew, what happened). mode: of deciding.MODES. carried, given, newest: as for
    `chosen`. obstacle: why the host would not have this picture learnt from. improve_calls: spent on
    a better recipe before the picture is drawn. handed: of a host that can hand over a picture that
    was drawn in full before the host went down in its learning. before: how this very picture was
    drawn (again.how_drawn): it is drawn so again.

    A picture never fails because nothing could be learnt: the outcome says why. Raises what the host
    raises (an interruption only before the picture is drawn), and StepDistillError where there is nothing
    to draw with.
    """
    source = Source(store, tuple(carried), given, newest, before)
    if given is not None:
        obstacle = Obstacle(deciding.RECORD_GIVEN)
    return Picture(host, source, situation, mode, obstacle).made(improve_calls, handed)


def foretell(
    store: Store,
    situation: Situation,
    mode: str,
    prompt: str | None = None,
    obstacle: Obstacle | None = None,
) -> Announcement | None:
    """What would happen to a picture, decided as `draw_and_learn` decides, with nothing drawn and nothing
    kept. prompt: as of Host.prompt; None where it is not known: then None where it matters. Raises
    what `chosen` does."""
    host = _Nobody(prompt)
    picture = Picture(host, Source(store, (), None, False), situation, mode, obstacle)
    found = picture.source.chosen(picture.situation)
    told = picture.foretold(picture.decided(found), found)
    learns = told.calls > 0
    unknown = prompt is None and learns and bool(store.recordings(picture.situation.key))
    return None if unknown else told


class _Nobody:
    """Of a host, as much as is needed to decide."""

    interruption: type[BaseException] = KeyboardInterrupt

    def __init__(self, known: str | None):
        self.known = known

    def prompt(self) -> str | None:
        return self.known

    def draw(self, found: Selection, recording: Recording | None) -> Any:
        raise NotImplementedError

    def with_model(self, planned: int, work: Callable[[Denoiser, Progress], Learnt]) -> Learnt:
        raise NotImplementedError

    def tell(self, told: Announcement) -> None:
        raise NotImplementedError
