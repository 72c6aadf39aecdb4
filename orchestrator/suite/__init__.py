"""Run the programs of a suite in guests, and read their output once each guest is gone.

A crash, or a lost connection, loses only the test that ran: what had not run yet goes on in a new guest.
"""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.host.process import FOREVER, Deadline
from orchestrator.model import SuiteRun
from orchestrator.parse import ktap
from orchestrator.progress import Progress
from orchestrator.suite import external_suite, ktap_suite
from orchestrator.suite.external_suite import called
from orchestrator.suite.ktap_suite import by_rounds, listed
from orchestrator.suite.request import Boot, CommandResult, Guest, Request, Split, matches, pick
from orchestrator.suite.state import MAX_CRASHES, MAX_FAULTS, State

__all__ = [
    "MAX_CRASHES",
    "MAX_FAULTS",
    "Boot",
    "CommandResult",
    "Guest",
    "Request",
    "Split",
    "by_rounds",
    "called",
    "listed",
    "matches",
    "pick",
    "run",
]


def run(
    request: Request, boot: Boot, progress: Progress, done: Callable[[SuiteRun], None], within: Deadline = FOREVER
) -> None:
    """Run a suite to its end, in as many guests as its crashes need, and hand its results to ``done``.

    That happens also where a fault ends it: what ran before is not lost. It takes the time of the suite at most, and
    what there is ``within``. Raises UserError where a test glob matches nothing, the first InfraError of a guest that
    was lost without the kernel's doing once the other tests have run, and whatever ``boot`` raises.
    """
    request.directory.mkdir(parents=True, exist_ok=True)
    state = State()
    deadline = within.capped(request.suite.timeout * request.scale)
    perform = ktap_suite.run if request.suite.kind == "own" else external_suite.run
    try:
        perform(request, boot, state, deadline, progress)
    finally:
        tests, _ = ktap.apart(state.results)  # a case may be called as another program is
        done(
            SuiteRun(
                suite=request.name,
                tests=tuple(tests),
                outputs=tuple(state.outputs),
                seconds=state.seconds,
                problems=tuple(dict.fromkeys(state.problems)),
                cut_off=tuple(state.cut_off),
                stopped_at=state.stopped_at,
                retried=tuple(sorted(state.earlier.items())),
                programs=tuple(program.name for program in request.suite.programs),
            )
        )
    if state.faults:
        raise state.faults[0]
