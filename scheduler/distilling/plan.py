"""What a distillation will do with its budget, stated before anything runs.

A budget buys rows (samples of the teacher's trajectory) and, for every recipe wanted, a few starts
and then one run after another, each proposed by what all the runs before have shown. Every cost is
in model calls: one evaluation for one row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import BudgetError
from ..evidence.stochastic import PathPlan
from ..record.left_out import RUNS, left_out
from .consistency import ASKED, PAIR
from .effort import Effort
from .wishes import FURTHER_WALKS, LEAST_NUMBERS, Wish, first_query, unseen_of, wishes_of

MOST_ROWS = 16
# (rows, nodes of the teacher, runs of each recipe that must be left), the best affordable first.
SHARES = (
    (16, 32, 16),
    (8, 24, 8),
    (4, 24, 8),
    (2, 24, 6),
    (1, 24, 5),
    (1, 16, 3),
    (1, 12, 0),
)
# Where half the rows hold ample numbers already: a descent goes on for some thirty runs, and more rows
# before that made recipes worse. Where numbers are scarce, more runs did.
LONG_RUNS = {16: 40, 8: 24, 4: 16, 2: 16}
ENOUGH_RUNS = 6
BUDGET = "budget"  # the name of a plan that follows from a number of calls
OWN_RUN = "own_run"  # and of one whose teacher is a step-distilled model's own run
# Where latents hold few numbers: each step is fitted on its own, and nothing refined.
CAUTIOUS = tuple((rows, 32, 0) for rows in (16, 12, 8, 6, 4, 3)) + tuple(
    (rows, nodes, 0) for rows, nodes in ((2, 24), (1, 24), (1, 16), (1, 12))
)


@dataclass(frozen=True)
class Plan:
    """nodes: of the teacher's grid. sets, rows: trajectory sets, and samples of each. runs: of each
    recipe after its starts, about. costs: model calls at most, by phase ("teacher", then each
    sampler). evidence: model calls at most of the evidence. left_out: what was cut, as codes.
    paths: what is measured of stochastic samplers."""

    name: str
    nodes: int
    sets: int
    rows: int
    runs: int
    steps: tuple[int, ...]
    costs: dict[str, int]
    evidence: int = 0
    left_out: tuple[dict, ...] = ()
    paths: PathPlan | None = None

    @property
    def data(self) -> dict:
        """The plan as a record keeps it."""
        return {
            "effort": self.name,
            "calls": self.calls,
            "evidence_calls": self.evidence,
            "rows": self.sets * self.rows,
            "sets": self.sets,
            "anchors": list(self.steps),
            "costs": self.costs,
            "left_out": list(self.left_out),
        } | self._paths_data

    @property
    def _paths_data(self) -> dict:
        if self.paths is None:
            return {}
        measured = {"rows": self.paths.rows, "nodes": self.paths.nodes}
        return {"paths": measured | {"steps": list(self.paths.steps)}}

    @property
    def calls(self) -> int:
        """The most model calls that teacher, starts and runs make together."""
        return sum(self.costs.values())

    @property
    def summary(self) -> str:
        """The plan as one line."""
        return "; ".join(line.strip() for line in str(self).splitlines())

    def pays_after(self, steps: int, stock_steps: int) -> int | None:
        """After how many pictures the calls are earned back, where stock would take `stock_steps`
        for the error of `steps` of ours; None where nothing is saved."""
        saved = stock_steps - steps
        return -(-(self.calls + self.evidence) // saved) if saved > 0 else None

    def evaluations(self, cfg: float | None) -> str:
        """How often the network itself runs, where that is more than once a call; else ""."""
        if cfg is None or cfg == 1:
            return ""
        total = 2 * (self.calls + self.evidence)
        return f"{total} network evaluations at most: under guidance two a call"

    @property
    def pay_back(self) -> str:
        """After how many pictures it is earned back, in words."""
        if not self.steps:
            return ""
        fewest = self.steps[0]
        other = self.nodes if self.name == OWN_RUN else 2 * fewest
        pictures = self.pays_after(fewest, other)
        whose = "its own" if self.name == OWN_RUN else "stock"
        return f"pays after {pictures} pictures, if {fewest} steps of ours are as good as {other} of {whose}"

    def __str__(self) -> str:
        samples = f"{self.sets * self.rows} sample" + "s" * (self.sets * self.rows > 1)
        measured = f", then {self.evidence} for the evidence" if self.evidence else ""
        lines = [f"Plan: at most {self.calls} model calls on {samples}{measured}."]
        lines += [f"  {phase}: {calls}" for phase, calls in self.costs.items()]
        lines += [f"  {self.pay_back}"] * bool(self.pay_back)
        return "\n".join(lines + [f"  left out: {each}" for each in map(left_out, self.left_out)])


def plan_for(
    samplers: Sequence[str],
    steps: Sequence[int],
    budget: int,
    sets: int = 1,
    samples: int | None = None,
    elements: int = 1 << 16,
    recorded: int = 0,
    effort: Effort | None = None,
    below: bool = False,
) -> Plan:
    """The best plan that the budget allows; steps ascend. elements: of one latent. samples: rows of
    each set, where that is given. recorded: rows of each set that were recorded before, and cost
    nothing. effort: whose shares are taken, where a name was asked for. below: recipes start below
    the teacher. Raises BudgetError, naming the least that works."""
    wishes = wishes_of(samplers, steps)
    name = effort.name if effort else BUDGET
    needed = []
    for rows, nodes, runs in _shares(wishes, elements, effort):
        each = recorded or samples or -(-rows // sets)
        share = _Share(wishes, sets, each, nodes, elements, bool(recorded), below)
        needed.append(share.calls(0))
        if share.calls(runs) <= budget:
            return share.planned(name, tuple(steps), budget)
    raise BudgetError(
        f"A budget of {budget} model calls is too small for {', '.join(samplers)} at {len(steps)} "
        f"step counts; the least that works is {min(needed)}: raise it, or ask for fewer samplers, "
        "steps or samples."
    )


def _shares(
    wishes: Sequence[Wish], elements: int, effort: Effort | None
) -> list[tuple[int, int, int]]:
    """SHARES, those first that hold numbers enough for what is fitted, then the others; runs go
    before rows where fewer rows would do."""
    if effort is not None:
        return [(effort.rows, effort.nodes, effort.runs), *SHARES[-3:]]
    numbers = max((wish.numbers for wish in wishes), default=0)
    rows = -(-LEAST_NUMBERS * numbers // elements)
    enough = [
        (
            count,
            nodes,
            runs if _scarce(wishes, elements * count // 2) else LONG_RUNS.get(count, runs),
        )
        for count, nodes, runs in SHARES
        if count >= rows
    ]
    return enough if rows <= 1 else [*enough, *CAUTIOUS]


def _scarce(wishes: Sequence[Wish], numbers: int) -> bool:
    return any(wish.refined and wish.scarcity(numbers) > 1 for wish in wishes)


@dataclass(frozen=True)
class _Share:
    """One way to spend a budget: so many rows of each set, and nodes of their teacher."""

    wishes: Sequence[Wish]
    sets: int
    rows: int
    nodes: int
    elements: int
    recorded: bool
    below: bool

    @property
    def every(self) -> int:
        """Rows of all sets."""
        return self.sets * self.rows

    @property
    def numbers(self) -> int:
        """Latent elements of the rows that fits may use."""
        return self.elements * (self.every - unseen_of(self.every))

    @property
    def teacher(self) -> int:
        """Calls a row before any recipe is run; one query is asked again."""
        recording = len(ASKED) if self.recorded else self.nodes + PAIR
        return recording + first_query(self.wishes, self.below)

    @property
    def starts(self) -> int:
        """Calls a row of all starts."""
        return sum(self._cost(wish, 0) for wish in self.wishes)

    def _cost(self, wish: Wish, runs: int) -> int:
        return wish.calls(runs, self.below, wish.cautious(self.numbers))

    def calls(self, runs: int) -> int:
        """Of all rows, with so many runs of each recipe that is refined."""
        a_run = sum(wish.run for wish in self.wishes if wish.refined)
        return self.every * (self.teacher + self.starts + runs * a_run)

    def planned(self, name: str, steps: tuple[int, ...], budget: int) -> Plan:
        """All that is left of a budget goes into runs."""
        spare = budget // self.every - self.teacher - self.starts
        counts = _runs(self.wishes, spare, self.numbers)
        costs = {"teacher": self.teacher * self.every} if self.teacher else {}
        for wish, count in zip(self.wishes, counts, strict=True):
            before = costs.get(wish.sampler, 0)
            costs[wish.sampler] = before + self._cost(wish, count) * self.every
        most = max(counts, default=0)
        unbound = any(wish.most_runs(self.numbers) is None for wish in self.wishes)
        left = ({"code": RUNS, "runs": most},) if unbound and most < ENOUGH_RUNS else ()
        return Plan(name, self.nodes, self.sets, self.rows, most, steps, costs, 0, left)


def _runs(wishes: Sequence[Wish], spare: int, numbers: int) -> list[int]:
    """Runs of each recipe after its starts, for so many calls a row: as many of each, but where
    rows of so few numbers allow less."""
    bounds = [wish.most_runs(numbers) for wish in wishes]

    def runs_of(each: int) -> list[int]:
        return [each if bound is None else min(each, bound) for bound in bounds]

    def cost(each: int) -> int:
        return sum(wish.run * n for wish, n in zip(wishes, runs_of(each), strict=True))

    few = next((n for n in range(FURTHER_WALKS) if cost(n + 1) > spare), FURTHER_WALKS)
    a_run = cost(FURTHER_WALKS + 1) - cost(FURTHER_WALKS)  # of those that have no bound
    if few < FURTHER_WALKS or a_run == 0:
        return runs_of(few)
    return runs_of(FURTHER_WALKS + (spare - cost(FURTHER_WALKS)) // a_run)
