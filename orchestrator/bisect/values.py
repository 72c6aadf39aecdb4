"""What a bisect is asked for, what it did, and what it found; and the file that holds it between its steps."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from orchestrator.bisect.gitbisect import Commit
from orchestrator.bisect.odds import Count
from orchestrator.bisect.symptom import Observation, Why
from orchestrator.config.suites import Suite
from orchestrator.errors import UserError
from orchestrator.model import Symptom, Term, Verdict
from orchestrator.model.bounds import Bounded
from orchestrator.text import wording

VERSION = 1
ALL = "all"
"""The bad end that has all patches of a series."""
STATE = "state.json"
"""The file in a run's folder that holds the state."""


@dataclass(frozen=True)
class Request(Bounded):
    """What to bisect. Names are those of the pipeline; a tree, a series or a carried series may be a path, too.

    ``good`` and ``bad`` are commits of the tree, versions where its source is a Debian package, or with ``series``
    numbers of patches applied (``all``). ``tests`` and ``suites`` say what runs where the symptom is a splat. ``runs``
    is the number of runs a step; None measures it for ``confidence``. ``ahead`` builds what may be next; None looks
    at the cores. ``program`` is a suite of the user's own programs, which the pipeline file does not have.
    """

    good: str
    bad: str
    symptom: Symptom
    tree: str | None = None
    series: str | None = None
    carry: str | None = None
    mode: str | None = None
    variant: str | None = None
    suites: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    runs: int | None = None
    confidence: float = 0.99
    ahead: bool | None = None
    three_way: bool = False
    program: Suite | None = None


class Role(enum.Enum):
    """What a step is for."""

    BAD_END = "bad end"
    GOOD_END = "good end"
    SEARCH = "search"
    CULPRIT = "culprit again"
    PARENT = "its parent"
    WITHOUT = "tip without it"


@dataclass(frozen=True)
class Step(Bounded):
    """One commit that was tested.

    ``observations`` are its runs; ``count`` and ``sure`` what they come to. ``kernel`` is the sha256 of what ran;
    ``same_as`` the number of the step that ran the same kernel, and whose answer this is. ``jobs`` are
    folders under ``jobs/``.
    """

    number: int
    role: Role
    commit: str
    label: str
    term: Term = Term.SKIP
    reason: str = ""
    why: Why | None = None
    observations: tuple[Observation, ...] = ()
    count: Count = field(default_factory=Count)
    sure: float = 1.0
    same_as: int | None = None
    kernel: str = ""
    seconds: float = 0.0
    jobs: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The reason of its term in words, with why it is skipped where it is."""
        return f"{self.why.value}: {self.reason}" if self.why else self.reason


@dataclass(frozen=True)
class State(Bounded):
    """A bisect so far. ``fingerprint`` stands for the configuration that it began with.

    ``commits`` are the good and the bad end as they were then: what a branch was, whatever it is by now.
    """

    request: Request
    fingerprint: str
    steps: tuple[Step, ...] = ()
    seconds: float = 0.0
    version: int = VERSION
    commits: tuple[str, str] | None = None

    def step(self, role: Role, commit: str | None = None) -> Step | None:
        """Return the step of that role, and of that commit if one is named."""
        return next((s for s in self.steps if s.role is role and commit in (None, s.commit)), None)

    def searched(self) -> tuple[Step, ...]:
        """Return the steps that git bisect chose, in their order."""
        return tuple(step for step in self.steps if step.role is Role.SEARCH)

    def count(self, commit: str) -> Count:
        """Return all runs of a commit, those of its verification included."""
        return sum((s.count for s in self.steps if s.commit == commit and s.same_as is None), Count())

    @property
    def ends(self) -> tuple[Step | None, Step | None]:
        """The steps of the bad and of the good end, as far as they were taken."""
        return self.step(Role.BAD_END), self.step(Role.GOOD_END)

    def followed(self, step: Step) -> State:
        """Return the state after one more step."""
        return replace(self, steps=(*self.steps, step), seconds=self.seconds + step.seconds)


@dataclass(frozen=True)
class Outcome(Bounded):
    """What a bisect found. Only PASS is conclusive; ``reason`` is one line.

    ``culprit`` is the first bad commit; without one ``candidates`` has what it may be, the oldest first.
    ``confidence`` is that of the path: all of its steps are what they were taken for.
    """

    verdict: Verdict
    reason: str
    exit_code: int
    state: State
    directory: Path
    culprit: Commit | None = None
    candidates: tuple[Commit, ...] = ()
    confidence: float = 0.0
    notes: tuple[str, ...] = ()


_ADAPTER = TypeAdapter(State)


def dump(state: State) -> str:
    """Return the state as JSON."""
    return _ADAPTER.dump_json(state, indent=1).decode() + "\n"


def load(text: str, name: str = STATE) -> State:
    """Read a state back; ``name`` is what messages call it. Raises UserError."""
    try:
        state = _ADAPTER.validate_json(text)
    except ValidationError as error:
        why = wording.cut(error.errors()[0]["msg"], 200)
        raise UserError(f"{name}: no state of a bisect that this program can read: {why}") from error
    if state.version != VERSION:
        raise UserError(f"{name} is of version {state.version}, this program reads {VERSION}")
    return state
