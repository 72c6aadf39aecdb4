"""The steps of a validation: what each check does, and what it leaves to the next in the state."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

from orchestrator.errors import InfraError
from orchestrator.host import cores
from orchestrator.kbuild.objects import Diagnostics, of_files
from orchestrator.model import CheckResult, JobResult, SeriesResult, Side, Stage, StageResult, Verdict
from orchestrator.pipeline import alongside, building, job, worktree
from orchestrator.pipeline.alongside import Alongside
from orchestrator.pipeline.job_record import JobRecord
from orchestrator.pipeline.values import Job, Pair
from orchestrator.series import apply, prerequisites
from orchestrator.series.series import Patch
from orchestrator.trees import repository
from orchestrator.validate import bringup, built, checkpatch, covered, elsewhere, paired, touched
from orchestrator.validate.request import Request
from orchestrator.validate.state import State
from orchestrator.validate.touched import Touched

SUITES = "suites"


def applies(state: State) -> None:
    """Get the base, and put the series on it. Without that there is nothing to build."""
    pair, inside = state.wanted.first, state.inside("applies")
    for planned, until in ((pair.base, Stage.SOURCE), (pair.patched, Stage.SERIES)):
        done = job.run(planned, inside, until=until)
        if done.products.tree and done.verdict is not Verdict.INFRA:
            state.trees[planned.side] = done.products.tree
        failed = done.failed_stage
        if failed:
            what = "the series does not apply" if failed.stage is Stage.SERIES else "the tree cannot be had"
            state.stopped = what
            state.trees.pop(Side.PATCHED, None)
            state.add(_not_applied(state.wanted, failed, done.seconds))
            return
    if lacking := state.trees[Side.PATCHED].lacking:
        state.run_record.notes.append(prerequisites.note(state.wanted.series.name, lacking))
    message = f"{len(state.wanted.series.patches)} patches on {state.wanted.base.name}"
    state.add(CheckResult("applies", state.wanted.series.name, Verdict.PASS, message, done.seconds))


def _not_applied(wanted: Request, failed: StageResult, seconds: float) -> CheckResult:
    """Return the check of a series that is not on its base: not charged to it where it may belong on another."""
    verdict, message = failed.verdict, failed.message
    doubts = wanted.base.doubts
    if verdict is Verdict.FAIL and doubts and not any(patch.fault for patch in wanted.series.patches):
        verdict, message = Verdict.INFRA, f"nothing is known about it, for {'; '.join(doubts)}: {message}"
    return CheckResult("applies", wanted.series.name, verdict, message, seconds, log=failed.log)


def checkpatch_each(state: State) -> None:
    """Run checkpatch.pl on every patch, also where they do not apply."""
    base, pair = state.trees.get(Side.BASE), state.wanted.first
    if base is None:
        state.skip(checkpatch.NAME, f"{len(state.wanted.series.patches)} patches", state.stopped)
        return
    patches, has_history = state.wanted.series.patches, repository.has_history(base.repository, base.commit)
    if not has_history and any(map(checkpatch.names_commits, patches)):
        why = f"{pair.base.tree} has no history, or part of it"
        state.run_record.notes.append(f"checkpatch looks up no commit that a patch names: {why}")
    with worktree.checked_out(base, pair.base.tree, pair.base.worktree, state.workspace) as tree:
        for number, (patch, subject) in enumerate(zip(patches, state.wanted.subjects, strict=True)):
            if state.is_over:
                state.skip_rest(checkpatch.NAME, len(patches) - number)
                return
            log = state.log(f"checkpatch-{number + 1:04}")
            settings = state.wanted.settings
            state.add(checkpatch.check(patch, subject, tree, log, settings, base.repository, has_history))


def compile_each(state: State) -> None:
    """Build every prefix of the series in one work tree: make rebuilds what each patch touches."""
    pair = state.wanted.first
    base = _built(state, pair.base, "compile")
    if not _came_to(base, Stage.BUILD):
        state.stopped = f"the base does not build in variant {pair.base.variant}"
        check = built.judge("compile", f"base, {pair.base.variant}", base, None)
        state.add(replace(check, verdict=Verdict.INFRA, message=f"no verdict on the series: {check.message}"))
        return
    state.warnings[pair.base.variant] = base.warnings
    with _base_tested(state, pair) as guest:
        _compile_prefixes(state, pair, base)
        if guest and (state.is_over or pair.base.variant in state.broken):
            guest.leave()


def _compile_prefixes(state: State, pair: Pair, base: JobResult) -> None:
    warnings, before, up = base.warnings, base, bringup.base(state, pair)
    patches, culprit = state.wanted.series.patches, None
    for number, (patch, subject) in enumerate(zip(patches, state.wanted.subjects, strict=True), 1):
        if state.is_over:
            state.skip_rest("compile", len(patches) - number + 1)
            return
        planned = replace(pair.patched, upto=number, name=f"{pair.patched.name}.{number:04}")
        record = JobRecord(planned, state.inside("compile"))
        done = job.go_on(record, Stage.BUILD)
        check = built.judge("compile", subject, done, warnings, _unseen(patch, before, done))
        if _came_to(done, Stage.BUILD):
            warnings, culprit = done.warnings, None
        else:
            check = built.without_inherited(check, culprit)
            culprit = check if check.verdict is Verdict.FAIL else culprit
        state.add(check)
        before = done
        if up and not state.is_over and not _is_tested_whole(state, number):
            up = bringup.prefix(state, pair, record, subject, up)
    if not _came_to(done, Stage.BUILD):
        state.broken.add(pair.base.variant)


def _unseen(patch: Patch, before: JobResult, after: JobResult) -> tuple[str, ...]:
    """Return the files that a patch changes, where the kernel stays the same: nothing is known of them."""
    old, new = before.products.kernel, after.products.kernel
    return patch.files if old and new and new.is_same(old) else ()


def _is_tested_whole(state: State, number: int) -> bool:
    """Whether so many patches are the whole series, which the suites test."""
    return number == len(state.wanted.series.patches) and SUITES not in state.wanted.settings.skip


@contextlib.contextmanager
def _base_tested(state: State, pair: Pair) -> Iterator[Alongside | None]:
    """Test the base of a pair while the block builds, where cores are left for that and it is to be tested."""
    wanted = state.wanted
    spare = cores.spare(pair.base.variant_config.machine.cpus, wanted.ahead)
    settings = wanted.settings
    if (
        state.elsewhere.engine
        or SUITES in settings.skip
        or settings.each_patch != "build"  # then the base has been tested, or waits for its guest to be the only one
        or pair.base.variant in state.tested
    ):
        yield None
        return
    with alongside.testing(state.record(pair.base), spare) as guest:
        yield guest


def _built(state: State, planned: Job, folder: str) -> JobResult:
    return job.run(planned, state.inside(folder), until=Stage.BUILD)


def _came_to(done: JobResult, stage: Stage) -> bool:
    return any(result.stage is stage and result.verdict is Verdict.PASS for result in done.stages)


def touch(state: State, name: str) -> None:
    """Compile what the series touches with more warnings, or look at it with sparse."""
    pair, trees = state.wanted.first, state.trees
    if pair.base.variant in state.broken:
        state.skip(name, pair.base.variant, f"the series does not build in variant {pair.base.variant}")
        return
    jobs = {Side.BASE: pair.base, Side.PATCHED: pair.patched}
    logs = {side: state.log(f"{name}-{side.value}") for side in Side}

    def compile_objects(side: Side, flag: str, wanted: Sequence[str]) -> Diagnostics:
        return building.compile_objects(jobs[side], trees[side], wanted, flag, logs[side], state.workspace)

    changed = apply.changed(trees[Side.PATCHED])
    removed = of_files(apply.removed(trees[Side.PATCHED]))
    subject = Touched(of_files(changed), pair.base.variant, logs, frozenset(changed), removed)
    state.add(touched.check(name, subject, compile_objects))


def build(state: State, pair: Pair) -> None:
    """Build the series in a variant; the base only where the series fails there, or warns."""
    variant = pair.base.variant
    done = _patched_built(state, pair)
    if (done.warnings or not _came_to(done, Stage.BUILD)) and variant not in state.warnings:
        base = _built(state, pair.base, "builds")
        if not _came_to(base, Stage.BUILD):
            check = built.judge("builds", variant, base, None)
            state.add(replace(check, verdict=Verdict.INFRA, message=f"the base does not build: {check.message}"))
            state.broken.add(variant)
            return
        state.warnings[variant] = base.warnings
    state.add(built.judge("builds", variant, done, state.warnings.get(variant, ())))
    if not _came_to(done, Stage.BUILD):
        state.broken.add(variant)


def _patched_built(state: State, pair: Pair) -> JobResult:
    """Build the series in a variant here, or wait until a worker has."""
    if state.elsewhere.engine and pair in state.wanted.builds:
        with contextlib.suppress(InfraError):  # then it is built here
            done: JobResult = state.elsewhere.outcome(elsewhere.built(pair))
            return done
    return _built(state, pair.patched, "builds")


def test_what_is_built(state: State) -> None:
    """Test the pairs of which both kernels are there already: nothing finds as much in so little time."""
    trees = state.trees
    for pair in () if state.elsewhere.engine else state.wanted.plan.pairs:
        sides = (pair.base, pair.patched)
        if not state.is_over and all(
            building.is_built(planned, trees[planned.side], state.workspace) for planned in sides
        ):
            test_pair(state, pair)


def test_pair(state: State, pair: Pair) -> None:
    """Boot and test both kernels of a pair, once in a validation, and again what differs."""
    variant = pair.base.variant
    if variant in state.tested:
        return
    if variant in state.broken:
        state.skip(SUITES, variant, f"there is no pair of kernels in variant {variant}", [pair])
        return
    state.tested.add(variant)
    if not _tested(state, pair):
        return
    judged = _series(state, pair)
    state.say(SUITES, variant, judged.verdict, judged.reason)
    settings = state.wanted.settings
    if covered.NAME not in settings.skip and (check := covered.judge(judged.patched, settings.coverage.at_least)):
        state.add(check)


def _tested(state: State, pair: Pair) -> bool:
    """Test a pair here, or wait until a worker has; return whether it has results."""
    if not state.elsewhere.engine:
        records = [state.record(planned) for planned in (pair.base, pair.patched)]
        paired.test(pair, records, state.wanted.tries, state.run_record.add)
        return True
    try:
        for done in state.elsewhere.outcome(elsewhere.tested(pair)):
            state.run_record.add(done)
    except InfraError as error:
        for planned in (pair.base, pair.patched):
            state.run_record.lose(planned, error)
        state.say(SUITES, pair.base.variant, Verdict.INFRA, str(error))
        return False
    return True


def _series(state: State, pair: Pair) -> SeriesResult:
    return next(judged for judged in state.run_record.result().series if judged.patched.name == pair.patched.name)
