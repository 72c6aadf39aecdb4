"""What a suite has seen so far, and what a lost guest costs it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.errors import InfraError, KernelError
from orchestrator.guest.protocol import Row, Windows, rows
from orchestrator.host.process import Deadline
from orchestrator.model import Status, TestResult
from orchestrator.suite.request import Boot, CommandResult, Guest, Request
from orchestrator.text import plain

MAX_CRASHES = 12
"""Guests that one suite may lose before the rest of its tests is given up as missing."""
MAX_FAULTS = 3
"""Guests of these that may be lost without the kernel's doing: more, and it is the host that needs a look."""

_UNFINISHED = (Status.CRASHED, Status.MISSING)
_KILLED = range(128 + 1, 128 + 65)
"""What the shell makes of death by one of the 64 signals; 255 is what ``exit(-1)`` comes to."""


@dataclass(frozen=True)
class Loss:
    """Why a command did not end. ``status`` is for the test that ran; ``usable``: the guest can run the next one.

    ``fault`` is there where the guest, or the way to it, was lost and the kernel had no part in it.
    """

    status: Status
    why: str
    usable: bool = False
    fault: InfraError | None = None


@dataclass
class State:
    """What has been seen so far, over all guests of a suite."""

    results: list[TestResult] = field(default_factory=list)
    outputs: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    earlier: dict[str, tuple[Status, ...]] = field(default_factory=dict)
    seconds: float = 0.0
    lost: int = 0
    faults: list[InfraError] = field(default_factory=list)
    cut_off: list[str] = field(default_factory=list)
    stopped_at: str = ""
    number: int = 0
    """Which of several that are put together this one is: their outputs have different names."""
    beside: Sequence[State] = ()
    """Those of the other parts, which run at the same time: too many lost guests are too many of all."""

    def count(self, part: State) -> None:
        """Count the guests that a part of it lost: too many of them, and the other parts are given up."""
        self.lost += part.lost
        self.faults += part.faults

    def add(self, part: State) -> None:
        """Take what a part of it has seen; its lost guests are counted by themselves."""
        self.results += part.results
        self.outputs += part.outputs
        self.problems += part.problems
        self.earlier.update(part.earlier)
        self.seconds += part.seconds
        self.cut_off += part.cut_off

    @property
    def given_up(self) -> bool:
        """Whether so many guests were lost that another one would be no use."""
        return self.lost_by_all >= MAX_CRASHES or sum(len(s.faults) for s in (self, *self.beside)) >= MAX_FAULTS

    @property
    def lost_by_all(self) -> int:
        """How many guests were lost, by this part and the others."""
        return sum(state.lost for state in (self, *self.beside))

    @contextlib.contextmanager
    def guest(self, boot: Boot) -> Iterator[Guest]:
        """Yield the next guest; when it has ended, record what was wrong with that."""
        with boot() as guest:
            yield guest
        if isinstance(guest.ending, InfraError):
            self.faults.append(guest.ending)
        elif guest.ending:
            self.problems.append(str(guest.ending))

    def perform(
        self, request: Request, guest: Guest, command: str, deadline: Deadline, output: Path, what: str, row: Row
    ) -> CommandResult | Loss:
        """Run a program, and note its output and time; return how it ended, or why it did not."""
        self.outputs.append(output)
        cap, endless = request.suite.output_cap, request.is_endless(what)
        try:
            result = guest.run(
                command, deadline=deadline, output=output, cap=cap, row=row, quiet=request.quiet, endless=endless
            )
        except InfraError as error:
            return Loss(Status.ERROR, str(error), fault=error)
        except KernelError as error:
            return Loss(Status.CRASHED, str(error))
        self.seconds += result.seconds
        if result.truncated:
            self.problems.append(f"{what}: output was cut at {cap} bytes")
        if result.exit_code is not None:
            return result
        usable = not (guest.death or result.hung)
        unended = Status.ERROR if result.truncated else Status.TIMEOUT
        return Loss(Status.CRASHED if guest.death else unended, result.why, usable)

    def check_exit(self, program: str, code: int | None, tests: Sequence[TestResult]) -> None:
        """Record a program that says by its exit code that something failed, and by its result lines that nothing did.

        4 is KSFT_SKIP: for a program of which no test passed. A test that failed explains no death by a signal (the
        shell's 128 + n), but one that did not come to its end does. One without a result explains neither: the program
        may have gone on to its end, and printed what cannot be read. Nor does a failure that was expected.
        """
        skipped = code == 4 and not any(test.status is Status.PASS for test in tests)
        statuses = {test.status for test in tests}
        seen = statuses - {Status.MISSING}
        if code and code in _KILLED and not seen.intersection(_UNFINISHED):
            behind = " behind its results" if seen == statuses else ""
            self.problems.append(f"{program}: exit code {code}: killed by signal {code - 128}{behind}")
        elif code and not skipped and not any(status.broken for status in seen):
            self.problems.append(f"{program}: exit code {code}, and no test failed")

    def charge(self, loss: Loss, test: str | None, diagnostics: tuple[str, ...] = ()) -> None:
        """Record a loss, and the test that it is charged to."""
        self.lose(loss, [TestResult(test, loss.status, loss.why, diagnostics)] if test is not None else [], test)

    def lose(self, loss: Loss, results: Sequence[TestResult], test: str | None) -> None:
        """Record a loss and what is known nevertheless; the host cut the test off where that is nothing worse."""
        self.lost += not loss.usable
        self.results += results
        if loss.fault:
            during = f" (during {test})" if test else ""
            self.faults.append(InfraError(f"{loss.fault}{during}", log=loss.fault.log))
            self.cut_off += [r.name for r in results if r.name == test and r.status is loss.status]

    def give_up(self, tests: Iterable[str], deadline: Deadline) -> None:
        """Record tests for which no guest or no time was left."""
        reason = "the suite was out of time" if deadline.expired else f"{self.lost_by_all} guests were lost before"
        self._miss(list(tests), reason, by_host=any(state.faults for state in (self, *self.beside)))

    @contextlib.contextmanager
    def missing(self, left: Callable[[], Sequence[str]]) -> Iterator[None]:
        """Record the tests that are left where a fault ends the block, as a guest that does not come up."""
        try:
            yield
        except (InfraError, KernelError) as error:
            if not self.stopped_at:
                self._miss(left(), str(error), by_host=isinstance(error, InfraError))
            raise

    def _miss(self, tests: Sequence[str], reason: str, by_host: bool) -> None:
        self.results += [TestResult(name, Status.MISSING, f"did not run: {reason}") for name in tests]
        self.cut_off += tests if by_host else []

    def settle(
        self, program: str, tests: Sequence[TestResult], planned: Sequence[str], windows: Windows, loss: Loss
    ) -> list[str]:
        """Record a program that did not end: what it had finished, and the test that ran; return the rest, in order.

        Where no test ran and none was finished, the first is charged: each guest must bring the suite on. Where no test
        ran and some were finished, that it did not end is a problem, unless the host is at fault.
        """
        finished = [test for test in tests if test.status not in _UNFINISHED]
        unfinished = {test.name: test.diagnostics for test in tests if test.status in _UNFINISHED}
        left = [name for name in planned if name in unfinished]
        running = interrupted(tests, windows) or (left[0] if left and not finished else None)
        self.results += finished
        self.charge(loss, running, unfinished.get(running or "", ()))
        if running is None and not loss.fault:
            self.problems.append(f"{program}: {loss.why}, while no test ran")
        return [name for name in left if name != running]


def seen(console: Path, size: int | None = None) -> Windows:
    """Return the windows that stand open where a console ends, or ended at this size. A cut last line is no marker."""
    windows = Windows(rows(console))
    for line, ended in plain.lines(plain.pieces(console) if size is None else [_beginning(console, size)]):
        if ended:
            windows.take(line)
    return windows


def _beginning(file: Path, size: int) -> str:
    with file.open("rb") as opened:
        return opened.read(size).decode(errors="replace")


def interrupted(tests: Sequence[TestResult], windows: Windows) -> str | None:
    """Return the test that ran when its program was cut off. Pure.

    The console says so, for it is whole: what the program printed last may be lost on its way. A program that writes no
    markers there is believed for what it printed itself.
    """
    unfinished = {test.name for test in tests if test.status in _UNFINISHED}
    marked = windows.last
    if marked in {test.name for test in tests}:
        return marked if marked in unfinished else None
    begun = [test.name for test in tests if test.status is Status.CRASHED]
    return next((name for name in begun if name not in windows.ended), None)
