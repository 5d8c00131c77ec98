"""Learning from the pictures that are drawn anyway: what happens to one picture, and the recipe that
comes of it. Knows no host.

Data flows one way: situation -> full_run, bend, choosing -> deciding -> fitting -> drawing -> words.
`drawing.draw_and_learn` runs one picture with what a host can do (`drawing.Host`).
"""

from .choosing import chosen, settled
from .deciding import FROM_PICTURES, MODES, NOW, OFF, Decision, Obstacle, decide
from .drawing import Host, Outcome, draw_and_learn
from .situation import Situation

__all__ = [
    "FROM_PICTURES",
    "MODES",
    "NOW",
    "OFF",
    "Decision",
    "Host",
    "Obstacle",
    "Outcome",
    "Situation",
    "chosen",
    "decide",
    "draw_and_learn",
    "settled",
]
