"""The steps of a validation: what each check does, and what it leaves to the next in the ledger."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

from orchestrator.host import cores
from orchestrator.kbuild.objects import Diagnostics, of_files
from orchestrator.model import CheckResult, JobResult, SeriesResult, Side, Stage, Verdict
from orchestrator.model.plan import Job, Pair
from orchestrator.pipeline import alongside, job, worktree
from orchestrator.pipeline.alongside import Alongside
from orchestrator.pipeline.job_record import JobRecord
from orchestrator.series import apply
from orchestrator.validate import built, checkpatch, touched
from orchestrator.validate import retries as retried
from orchestrator.validate.state import Ledger
from orchestrator.validate.touched import Touched

SUITES = "suites"


def applies(ledger: Ledger) -> None:
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


def checkpatch_each(ledger: Ledger) -> None:
    """Run checkpatch.pl on every patch, also where they do not apply."""
    base, pair = ledger.trees.get(Side.BASE), ledger.wanted.first
    if base is None:
        ledger.skip(checkpatch.NAME, f"{len(ledger.wanted.series.patches)} patches", ledger.stopped)
        return
    with worktree.checked_out(base, pair.base.tree, pair.base.worktree, ledger.workspace) as tree:
        for number, (patch, subject) in enumerate(
            zip(ledger.wanted.series.patches, ledger.wanted.subjects, strict=True)
        ):
            if ledger.is_over:
                return
            log = ledger.log(f"checkpatch-{number + 1:04}")
            settings, repository = ledger.wanted.settings, base.repository
            ledger.add(checkpatch.check(patch, subject, tree, log, settings, repository))


def compile_each(ledger: Ledger) -> None:
    """Build every prefix of the series in one work tree: make rebuilds what each patch touches."""
    pair = ledger.wanted.first
    base = _built(ledger, pair.base, "compile")
    if not _came_to(base, Stage.BUILD):
        ledger.stopped = f"the base does not build in variant {pair.base.variant}"
        found = built.judge("compile", f"base, {pair.base.variant}", base, None)
        ledger.add(replace(found, verdict=Verdict.INFRA, message=f"no verdict on the series: {found.message}"))
        return
    ledger.warnings[pair.base.variant] = base.warnings
    with _base_tested(ledger, pair) as guest:
        _compile_prefixes(ledger, pair, base)
        if guest and (ledger.is_over or pair.base.variant in ledger.broken):
            guest.leave()


def _compile_prefixes(ledger: Ledger, pair: Pair, base: JobResult) -> None:
    before = base.warnings
    for number, subject in enumerate(ledger.wanted.subjects, 1):
        if ledger.is_over:
            return
        done = _built(ledger, replace(pair.patched, upto=number, name=f"{pair.patched.name}.{number:04}"), "compile")
        ledger.add(built.judge("compile", subject, done, before))
        before = done.warnings if _came_to(done, Stage.BUILD) else before
    if not _came_to(done, Stage.BUILD):
        ledger.broken.add(pair.base.variant)


@contextlib.contextmanager
def _base_tested(ledger: Ledger, pair: Pair) -> Iterator[Alongside | None]:
    """Test the base of a pair while the block builds, where cores are left for that and it is to be tested."""
    wanted = ledger.wanted
    spare = cores.spare(pair.base.variant_config.machine.cpus, wanted.ahead)
    if SUITES in wanted.settings.skip or pair.base.variant in ledger.tested:
        yield None
        return
    with alongside.testing(ledger.record(pair.base), spare) as guest:
        yield guest


def _built(ledger: Ledger, planned: Job, folder: str) -> JobResult:
    return job.run(planned, ledger.inside(folder), until=Stage.BUILD)


def _came_to(done: JobResult, stage: Stage) -> bool:
    return any(found.stage is stage and found.verdict is Verdict.PASS for found in done.stages)


def touch(ledger: Ledger, name: str) -> None:
    """Compile what the series touches with more warnings, or look at it with sparse."""
    pair, trees = ledger.wanted.first, ledger.trees
    if pair.base.variant in ledger.broken:
        ledger.skip(name, pair.base.variant, f"the series does not build in variant {pair.base.variant}")
        return
    jobs = {Side.BASE: pair.base, Side.PATCHED: pair.patched}
    logs = {side: ledger.log(f"{name}-{side.value}") for side in Side}

    def compile_objects(side: Side, flag: str, wanted: Sequence[str]) -> Diagnostics:
        return job.compile_objects(jobs[side], trees[side], wanted, flag, logs[side], ledger.workspace)

    subject = Touched(of_files(apply.changed(trees[Side.PATCHED])), pair.base.variant, logs)
    ledger.add(touched.check(name, subject, compile_objects))


def build(ledger: Ledger, pair: Pair) -> None:
    """Build the series in a variant; the base only where the series fails there, or warns."""
    variant = pair.base.variant
    done = _built(ledger, pair.patched, "builds")
    if (done.warnings or not _came_to(done, Stage.BUILD)) and variant not in ledger.warnings:
        base = _built(ledger, pair.base, "builds")
        if not _came_to(base, Stage.BUILD):
            found = built.judge("builds", variant, base, None)
            ledger.add(replace(found, verdict=Verdict.INFRA, message=f"the base does not build: {found.message}"))
            ledger.broken.add(variant)
            return
        ledger.warnings[variant] = base.warnings
    ledger.add(built.judge("builds", variant, done, ledger.warnings.get(variant, ())))
    if not _came_to(done, Stage.BUILD):
        ledger.broken.add(variant)


def test_what_is_built(ledger: Ledger) -> None:
    """Test the pairs of which both kernels are there already: nothing finds as much in so little time."""
    trees = ledger.trees
    for pair in ledger.wanted.plan.pairs:
        sides = (pair.base, pair.patched)
        if not ledger.is_over and all(
            job.is_built(planned, trees[planned.side], ledger.workspace) for planned in sides
        ):
            test_pair(ledger, pair)


def test_pair(ledger: Ledger, pair: Pair) -> None:
    """Boot and test both kernels of a pair, once in a validation, and again what differs."""
    variant = pair.base.variant
    if variant in ledger.tested:
        return
    if variant in ledger.broken:
        ledger.skip(SUITES, variant, f"there is no pair of kernels in variant {variant}", [pair])
        return
    ledger.tested.add(variant)
    records = [ledger.record(planned) for planned in (pair.base, pair.patched)]
    for opened in records:
        ledger.run_record.add(job.go_on(opened))
    _again(ledger, pair, records)
    judged = _series(ledger, pair)
    ledger.say(SUITES, variant, judged.verdict, judged.reason)


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
