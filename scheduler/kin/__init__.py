"""Kin: models whose weights are known to be related (finetune, merge, quantised twin, LoRA on or off) or
that run under other conditions (guidance, size); their recipes are starts that are checked, never assumed.

`find_kin` finds them in a store, or on any shelf of records; `check_kin` tries a recipe on one recording or
a few calls: it holds, is to be refined, or is refused; `learn_from_kin` does what follows. Data flows one
way: carrying -> finding -> strangers -> words; judging, words -> verdict -> searching -> planning, running ->
checking, learning.
"""

from .checking import check_kin
from .finding import Kin, find_kin
from .judging import HOLDS, REFINE, REFUSE
from .verdict import KinVerdict

__all__ = ["HOLDS", "REFINE", "REFUSE", "Kin", "KinVerdict", "check_kin", "find_kin"]
