"""Pre-merge validation: each patch of a series by itself, then what the series changes, kernel against kernel.

What is cheap comes first. It stops early only where going on has no meaning, and says what did not run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from orchestrator.errors import PipelineError
from orchestrator.host import crash
from orchestrator.kbuild.objects import Diagnostics, of_files
from orchestrator.model import CheckResult, JobResult, RunResult, SeriesResult, Side, Stage, Verdict
from orchestrator.model.plan import Job, Pair
from orchestrator.pipeline import job
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.job_record import JobRecord
from orchestrator.pipeline.run_record import RunRecord
from orchestrator.series import apply
from orchestrator.validate import announce, built, checkpatch, touched
from orchestrator.validate import retries as retried
from orchestrator.validate.request import Wanted
from orchestrator.validate.state import Ledger
from orchestrator.validate.touched import Touched

SUITES = "suites"


def run(wanted: Wanted, workspace: Workspace) -> RunResult:
    """Make every check, judge, and tell whoever is to be told, also where it comes to no end.

    Raises UserError, where what was asked for is wrong.
    """
    run_record = RunRecord(wanted.plan, workspace, notes=_notes(wanted), pending=["applies", *_STEPS])
    run_record.write()
    try:
        run_record.notes += announce.begun(wanted, workspace)
        with crash.contained(workspace.directory):
            result = _checked(Ledger(wanted, workspace, run_record))
        run_record.notes += announce.ended(wanted, result)
    except PipelineError as error:
        _came_to_no_end(announce.failed(wanted, workspace, str(error)), workspace)
        raise
    except BaseException:  # a signal: nobody is to wait for this validation any more
        _came_to_no_end(announce.failed(wanted, workspace, "interrupted", announce.HASTY), workspace)
        raise
    return run_record.write()


def _came_to_no_end(notes: Sequence[str], workspace: Workspace) -> None:
    for note in notes:
        workspace.progress.note(note)


def _checked(ledger: Ledger) -> RunResult:
    wanted, run_record = ledger.wanted, ledger.run_record
    _applies(ledger)
    run_record.pending.remove("applies")
    for name, (perform, subject) in _STEPS.items():
        why = "not asked for" if name in wanted.settings.skip else "" if name == checkpatch.NAME else ledger.stopped
        if why:
            ledger.skip(name, subject(wanted), why, wanted.plan.pairs if name == SUITES else ())
        else:
            perform(ledger)
        run_record.pending.remove(name)
    return run_record.write()


def _notes(wanted: Wanted) -> list[str]:
    base = wanted.base
    unsigned = sum(not patch.is_signed for patch in wanted.series.patches)
    signing = f"{unsigned} of {len(wanted.series.patches)} patches have no Signed-off-by: whoever sends them signs them"
    return [
        f"base: {base.name} at {base.commit[:12]}, found by {base.how}",
        *base.notes,
        *wanted.series.notes,
        *([signing] if unsigned else []),
    ]


def _applies(ledger: Ledger) -> None:
    """Get the base, and put the series on it. Without that there is nothing to build."""
    pair, inside = ledger.wanted.first, ledger.inside("applies")
    for planned, until in ((pair.base, Stage.SOURCE), (pair.patched, Stage.SERIES)):
        done = job.run(planned, inside, until=until)
        if done.products.tree and done.verdict is not Verdict.INFRA:
            ledger.trees[planned.side] = done.products.tree
        failed = done.failed_stage
        if failed:
            what = "the series does not apply" if failed.stage is Stage.SERIES else "the tree cannot be had"
            ledger.stopped = what
            ledger.trees.pop(Side.PATCHED, None)
            name = ledger.wanted.series.name
            ledger.add(CheckResult("applies", name, failed.verdict, failed.message, done.seconds, log=failed.log))
            return
    told = f"{len(ledger.wanted.series.patches)} patches on {ledger.wanted.base.name}"
    ledger.add(CheckResult("applies", ledger.wanted.series.name, Verdict.PASS, told, done.seconds))


def _checkpatch(ledger: Ledger) -> None:
    base, pair = ledger.trees.get(Side.BASE), ledger.wanted.first
    if base is None:
        ledger.skip(checkpatch.NAME, _patches(ledger.wanted), ledger.stopped)
        return
    with job.checked_out(base, pair.base.tree, pair.base.worktree, ledger.workspace) as tree:
        for number, (patch, subject) in enumerate(
            zip(ledger.wanted.series.patches, ledger.wanted.subjects, strict=True)
        ):
            log = ledger.log(f"checkpatch-{number + 1:04}")
            settings, repository = ledger.wanted.settings, base.repository
            ledger.add(checkpatch.check(patch, subject, tree, log, settings, repository))


def _compile(ledger: Ledger) -> None:
    """Build every prefix of the series in one work tree: make rebuilds what each patch touches."""
    pair = ledger.wanted.first
    base = _built(ledger, pair.base, "compile")
    if not _came_to(base, Stage.BUILD):
        ledger.stopped = f"the base does not build in variant {pair.base.variant}"
        found = built.judge("compile", f"base, {pair.base.variant}", base, None)
        ledger.add(replace(found, verdict=Verdict.INFRA, message=f"no verdict on the series: {found.message}"))
        return
    ledger.warnings[pair.base.variant] = before = base.warnings
    for number, subject in enumerate(ledger.wanted.subjects, 1):
        done = _built(ledger, replace(pair.patched, upto=number, name=f"{pair.patched.name}.{number:04}"), "compile")
        ledger.add(built.judge("compile", subject, done, before))
        before = done.warnings if _came_to(done, Stage.BUILD) else before
    if not _came_to(done, Stage.BUILD):
        ledger.broken.add(pair.base.variant)


def _built(ledger: Ledger, planned: Job, folder: str) -> JobResult:
    return job.run(planned, ledger.inside(folder), until=Stage.BUILD)


def _came_to(done: JobResult, stage: Stage) -> bool:
    return any(found.stage is stage and found.verdict is Verdict.PASS for found in done.stages)


def _touched(name: str) -> Callable[[Ledger], None]:
    def perform(ledger: Ledger) -> None:
        pair, trees = ledger.wanted.first, ledger.trees
        if pair.base.variant in ledger.broken:
            ledger.skip(name, pair.base.variant, f"the series does not build in variant {pair.base.variant}")
            return
        jobs = {Side.BASE: pair.base, Side.PATCHED: pair.patched}
        logs = {side: ledger.log(f"{name}-{side.value}") for side in Side}

        def compile_objects(side: Side, flag: str, wanted: Sequence[str]) -> Diagnostics:
            return job.compile_objects(jobs[side], trees[side], wanted, flag, logs[side], ledger.workspace)

        ledger.add(
            touched.check(
                name, Touched(of_files(apply.changed(trees[Side.PATCHED])), pair.base.variant, logs), compile_objects
            )
        )

    return perform


def _builds(ledger: Ledger) -> None:
    """Build the series in every variant; the base only where the series fails there, or warns."""
    for pair in (*ledger.wanted.plan.pairs, *ledger.wanted.builds):
        variant = pair.base.variant
        done = _built(ledger, pair.patched, "builds")
        if (done.warnings or not _came_to(done, Stage.BUILD)) and variant not in ledger.warnings:
            base = _built(ledger, pair.base, "builds")
            if not _came_to(base, Stage.BUILD):
                found = built.judge("builds", variant, base, None)
                ledger.add(replace(found, verdict=Verdict.INFRA, message=f"the base does not build: {found.message}"))
                ledger.broken.add(variant)
                continue
            ledger.warnings[variant] = base.warnings
        ledger.add(built.judge("builds", variant, done, ledger.warnings.get(variant, ())))
        if not _came_to(done, Stage.BUILD):
            ledger.broken.add(variant)


def _suites(ledger: Ledger) -> None:
    for pair in ledger.wanted.plan.pairs:
        if pair.base.variant in ledger.broken:
            why = f"there is no pair of kernels in variant {pair.base.variant}"
            ledger.skip(SUITES, pair.base.variant, why, [pair])
            continue
        records = [JobRecord(planned, ledger.workspace) for planned in (pair.base, pair.patched)]
        for opened in records:
            ledger.run_record.add(job.go_on(opened))
        _again(ledger, pair, records)


def _again(ledger: Ledger, pair: Pair, records: Sequence[JobRecord]) -> None:
    """Run all tests as often as was asked for, then those that differ, as long as any does."""
    runs, retries = ledger.wanted.runs, ledger.wanted.settings.retries
    for number in range(1, runs + retries):
        every = {run.suite: [test.name for test in run.tests] for run in records[-1].suites}
        tests = every if number < runs else retried.differing(_series(ledger, pair))
        if not tests or not all(opened.suites for opened in records):
            return
        ledger.workspace.progress.note(f"try {number + 1} of {sum(map(len, tests.values()))} tests, on both kernels")
        for opened in records:
            ledger.run_record.add(job.again(opened, tests))


def _series(ledger: Ledger, pair: Pair) -> SeriesResult:
    return next(found for found in ledger.run_record.result().series if found.patched.name == pair.patched.name)


def _patches(wanted: Wanted) -> str:
    return f"{len(wanted.series.patches)} patches"


def _variant(wanted: Wanted) -> str:
    return wanted.first.base.variant


def _variants(wanted: Wanted) -> str:
    return ", ".join(pair.base.variant for pair in (*wanted.plan.pairs, *wanted.builds))


_STEPS: Mapping[str, tuple[Callable[[Ledger], None], Callable[[Wanted], str]]] = {
    checkpatch.NAME: (_checkpatch, _patches),
    "compile": (_compile, _patches),
    "warnings": (_touched("warnings"), _variant),
    "sparse": (_touched("sparse"), _variant),
    "builds": (_builds, _variants),
    SUITES: (_suites, _variants),
}
"""Check → what makes it, and what it is about."""
