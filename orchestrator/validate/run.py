"""Pre-merge validation: each patch of a series by itself, then what the series changes, kernel against kernel.

What is cheap comes first, and kernels that are there are tested before others are built. It stops early only where
going on has no meaning, or where the first red was all that was asked for, and says what did not run.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from orchestrator.engine.task import Engine
from orchestrator.errors import PipelineError
from orchestrator.host import crash
from orchestrator.model import RunResult
from orchestrator.notify.http import Known
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.run_record import RunRecord
from orchestrator.pipeline.values import Pair
from orchestrator.validate import announce, checkpatch, elsewhere, steps
from orchestrator.validate.request import Request
from orchestrator.validate.state import State
from orchestrator.validate.steps import SUITES


@dataclass(frozen=True)
class Step:
    """One check of one subject; without a subject there is a later step that says so where it does not run.

    ``tests`` are the pairs that it is to boot.
    """

    check: str
    subject: str
    perform: Callable[[State], None]
    tests: tuple[Pair, ...] = ()


def run(wanted: Request, workspace: Workspace, engine: Engine | None = None) -> RunResult:
    """Make every check, judge, and send the outcome to where it was asked for, also where it comes to no end.

    With an engine other machines test pairs, and build what is not booted.

    Raises UserError, where what was asked for is wrong.
    """
    pending = list(dict.fromkeys(["applies", *(step.check for step in _ordered(wanted))]))
    run_record = RunRecord(wanted.plan, workspace, notes=_notes(wanted), pending=pending)
    run_record.write()
    known: Known = {}
    try:
        run_record.notes += announce.begun(wanted, workspace, known)
        with crash.contained(workspace.directory):
            shared = engine.sharing(workspace) if engine else workspace
            result = _checked(State(wanted, shared, run_record, engine=engine))
    except PipelineError as error:
        _came_to_no_end(announce.failed(wanted, workspace, str(error), known), workspace)
        raise
    except BaseException:  # a signal: nobody is to wait for this validation any more
        _came_to_no_end(announce.failed(wanted, workspace, "interrupted", known, announce.HASTY), workspace)
        raise
    run_record.notes += announce.ended(wanted, result, known)  # behind the block: the verdict stands
    return run_record.write()


def _came_to_no_end(notes: Sequence[str], workspace: Workspace) -> None:
    for note in notes:
        workspace.progress.note(note)


def _checked(state: State) -> RunResult:
    wanted, run_record = state.wanted, state.run_record
    steps.applies(state)
    run_record.pending.remove("applies")
    if not state.stopped:
        state.elsewhere.start(list(elsewhere.tasks(wanted)))
    try:
        return _all_others(state)
    finally:
        state.elsewhere.stop()


def _all_others(state: State) -> RunResult:
    wanted, run_record = state.wanted, state.run_record
    remaining = _ordered(wanted)
    while remaining:
        step = remaining.pop(0)
        why = _obstacle(step, state)
        if not why:
            step.perform(state)
        elif step.subject and not (step.tests and step.subject in state.tested):
            state.skip(step.check, step.subject, why, step.tests)
        if step.check not in {other.check for other in remaining}:
            run_record.pending.remove(step.check)
    return run_record.write()


def _obstacle(step: Step, state: State) -> str:
    """Say why a step does not run, or nothing."""
    if step.check in state.wanted.settings.skip:
        return "not asked for"
    if state.is_over:
        return state.why_over
    return "" if step.check == checkpatch.NAME else state.stopped


def _ordered(wanted: Request) -> list[Step]:
    """Return the steps, what is cheap and likely to find something first. Pure."""
    count, (first, *others) = f"{len(wanted.series.patches)} patches", wanted.plan.pairs
    variant = first.base.variant
    return [
        Step(checkpatch.NAME, count, steps.checkpatch_each),
        Step(SUITES, "", steps.test_what_is_built),
        Step("compile", count, steps.compile_each),
        *_in_variant(first),
        *(Step(name, variant, partial(steps.touch, name=name)) for name in ("warnings", "sparse")),
        *itertools.chain.from_iterable(_in_variant(pair) for pair in others),
        *(_build(pair) for pair in wanted.builds),
    ]


def _in_variant(pair: Pair) -> Iterator[Step]:
    yield _build(pair)
    yield Step(SUITES, pair.base.variant, partial(steps.test_pair, pair=pair), (pair,))


def _build(pair: Pair) -> Step:
    return Step("builds", pair.base.variant, partial(steps.build, pair=pair))


def _notes(wanted: Request) -> list[str]:
    base = wanted.base
    unsigned = sum(not patch.is_signed for patch in wanted.series.patches)
    signing = f"{unsigned} of {len(wanted.series.patches)} patches have no Signed-off-by: whoever sends them signs them"
    return [
        f"base: {base.name} at {base.commit[:12]}, found by {base.how}",
        *base.notes,
        *wanted.series.notes,
        *([signing] if unsigned else []),
    ]
