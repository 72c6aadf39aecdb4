"""What is asked of a suite, and what a suite asks of a guest."""

from __future__ import annotations

import fnmatch
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from orchestrator.config.suites import Suite
from orchestrator.errors import KernelError, PipelineError, UserError
from orchestrator.guest.protocol import Row
from orchestrator.host.process import Deadline
from orchestrator.model import TestResult
from orchestrator.model.trial import Trial


class CommandResult(Protocol):
    """How a command in the guest ended; ``exit_code`` is None where it did not end."""

    @property
    def exit_code(self) -> int | None:
        """None where the command did not end."""

    @property
    def stdout(self) -> str:
        """What it printed."""

    @property
    def truncated(self) -> bool:
        """Whether there was more than is kept."""

    @property
    def seconds(self) -> float:
        """How long it took."""

    @property
    def why(self) -> str:
        """Why there is no exit code."""

    @property
    def hung(self) -> bool:
        """Whether it was ended for lack of an answer."""


class Guest(Protocol):
    """What a suite asks of a running guest."""

    @property
    def death(self) -> object | None:
        """Why the guest is gone, or None while it lives."""

    @property
    def console(self) -> Path:
        """The file of the console."""

    @property
    def ending(self) -> PipelineError | None:
        """What is wrong with how the guest ended, once it has."""

    def run(
        self,
        command: str,
        *,
        deadline: Deadline,
        output: Path | None = None,
        cap: int,
        row: Row | None = None,
        quiet: float = 0.0,
        endless: bool = False,
    ) -> CommandResult:
        """Run a shell command; its output streams into ``output``, no more than ``cap`` bytes of it.

        It is given ``row``, with which it opens and closes the windows of tests. It may be silent for ``quiet`` seconds
        where that is longer than the limit of the guest. An ``endless`` one is to be ended by us: that is no reason to
        look at the guest.
        Raises InfraError where the guest, or the way to it, is lost and the kernel has no part in it.
        """


Boot = Callable[[], AbstractContextManager[Guest]]


@dataclass(frozen=True)
class Split:
    """A suite over several guests: how many parts it has (int), or how many seconds one is to take (float).

    ``at_once`` run beside one another, and ``exclusive_at_once`` of those whose tests want their cores to themselves.
    """

    shards: float
    at_once: int
    exclusive_at_once: int = 1


@dataclass(frozen=True)
class Request:
    """One suite to run. ``scale`` stretches its limits (TCG); ``directory`` takes the raw outputs.

    ``alone`` says that the job has no other suite in which a test could be that matches nothing here.
    ``programs`` are the names of those that were packed into the guest; empty where nobody knows.
    ``at_once`` is how many guests there may be, each for one test; 0 runs all in one, as long as it lives,
    or in parts, where there is a ``split``. ``exclusive_at_once`` is how many with tests that want their cores to
    themselves.
    ``last`` are the seconds that tests took the last time.
    In a ``trial`` a test for which ``enough`` says so twice ends the suite, as do so many for which ``differs`` does
    as the trial allows: what has not run by then is not reported. Without a trial the first test for which ``red``
    says so ends the suite.
    """

    name: str
    suite: Suite
    tests: tuple[str, ...]
    directory: Path
    scale: float = 1.0
    repeat: int = 1
    programs: tuple[str, ...] = ()
    alone: bool = True
    at_once: int = 0
    exclusive_at_once: int = 1
    split: Split | None = None
    last: Mapping[str, float] = field(default_factory=dict)
    trial: Trial | None = None
    enough: Callable[[TestResult], bool] = lambda test: False
    differs: Callable[[TestResult], bool] = lambda test: False
    red: Callable[[TestResult], bool] | None = None

    @property
    def test_seconds(self) -> float:
        """The longest that a test may take."""
        return (self.trial.limit if self.trial else self.suite.test_timeout) * self.scale

    def limit(self, tests: Sequence[str]) -> float:
        """Return the seconds that each of these tests may take: what the one may that is given most."""
        own = self.trial.limits if self.trial else {}
        return max((own[t] * self.scale if t in own else self.test_seconds for t in tests), default=self.test_seconds)

    @property
    def budget(self) -> float | None:
        """The seconds of a test that works for a time; None: as many as its program gives it."""
        return self.trial.budget if self.trial else self.suite.budget

    @property
    def quiet(self) -> float:
        """Seconds that a command may be silent: as long as a test may run, for ``ktap.h`` prints after the last run."""
        return (self.test_seconds + (self.budget or 0)) * (self.repeat if self.suite.kind == "own" else 1)

    def left(self, tests: Iterable[str]) -> float | None:
        """Return the seconds that tests take if they take as long as the last time; None where of most none is known.

        A test that has never run takes what the others took on average; a foreign program, what its cases took.
        """
        every = [self.took.get(test) for test in tests]
        known = [seconds for seconds in every if seconds is not None]
        return self.repeat * len(every) * sum(known) / len(known) if len(known) * 2 > len(every) else None

    @functools.cached_property
    def took(self) -> dict[str, float]:
        """What each test took the last time, and each program, which its cases begin with. Asked for at each result."""
        took: dict[str, float] = {}
        for name, seconds in self.last.items():
            for end in (*(k for k, character in enumerate(name) if character == "."), len(name)):
                took[name[:end]] = took.get(name[:end], 0.0) + seconds
        return took

    def is_endless(self, program: str) -> bool:
        """Whether a program never ends by itself, and is well where its time is up."""
        return any(config.endless for config in self.suite.programs if config.name == program)

    @property
    def stops_early(self) -> bool:
        """Whether a program is to stop at its first failure."""
        return self.red is not None or (self.trial is not None and not self.trial.every_test)

    def first_red(self, tests: Iterable[TestResult]) -> str:
        """Return the first of these tests that ends the suite, or nothing."""
        return next((test.name for test in tests if self.red and self.red(test)), "")

    @property
    def rounds(self) -> tuple[tuple[str, ...], ...]:
        """The globs of each round."""
        return self.trial.rounds if self.trial else (self.tests,)

    def check_globs(self, available: Sequence[str]) -> None:
        """Refuse a glob that names nothing: a test that was asked for and does not exist must not look green.

        Raises KernelError where the guest lists no test at all: the programs have some, so that is its doing.
        """
        if not available:
            raise KernelError(f"suite {self.name}: the programs list no test in this guest")
        for glob in self.tests if self.alone and not self.trial else ():
            if not any(matches(test, glob) for test in available):
                raise UserError(f"suite {self.name}: no test matches {glob!r} ({len(available)} tests there)")


def pick(available: Iterable[str], globs: Sequence[str]) -> list[str]:
    """Return the test ids that a glob names, in their order; ``B01`` stands for ``B01_*``."""
    return [t for t in available if any(matches(t, g) for g in globs)]


def matches(test: str, glob: str) -> bool:
    """Whether a glob names this test: as a pattern, or as the start of its name up to ``_`` or ``.``."""
    return fnmatch.fnmatchcase(test, glob) or test.startswith((f"{glob}_", f"{glob}."))
