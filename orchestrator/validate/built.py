"""What came of building a prefix of a series, or a variant that is not booted, as checks. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from orchestrator.kbuild.objects import NOT_THE_KERNEL
from orchestrator.model import CheckResult, CompilerWarning, JobResult, Stage, Verdict
from orchestrator.text import wording
from orchestrator.verdict import complaints


def judge(
    name: str, subject: str, done: JobResult, before: Sequence[CompilerWarning] | None, unseen: Sequence[str] = ()
) -> CheckResult:
    """Judge a job that ran until its build, against the warnings that there were ``before``; None: unknown, not judged.

    The base that a patch is compared with is the prefix before it, so that each warning is charged to one patch.
    ``unseen`` are the files that it changes, where the kernel stays the same: what is not compiled is no pass.
    """
    failed = done.failed_stage
    if failed:
        return CheckResult(name, subject, failed.verdict, failed.message, done.seconds, log=failed.log)
    stage = done.stage(Stage.BUILD)
    if stage is None:
        return CheckResult(name, subject, Verdict.INFRA, "the build stage left no result", done.seconds)
    fresh = complaints.new(before, done.warnings) if before is not None else ()
    message = complaints.counted(fresh, "new warning") if fresh else "builds, no new warning"
    verdict = Verdict.FAIL if fresh else Verdict.PASS
    if unseen and not fresh:
        verdict, message = Verdict.SKIP, f"the kernel is the same without it: {_why_unseen(unseen)}"
    reused = " (built before)" if stage.reused else ""
    return CheckResult(name, subject, verdict, message + reused, done.seconds, complaints.lines(fresh), _log(done))


def _why_unseen(files: Sequence[str]) -> str:
    inside = [name for name in files if not name.startswith(NOT_THE_KERNEL)]
    outside = [name for name in files if name.startswith(NOT_THE_KERNEL)]
    parts = ((inside, "not in this configuration, or compiles to the same"), (outside, "no part of the kernel"))
    return "; ".join(f"{wording.some(names)} is {what}" for names, what in parts if names)


def without_inherited(check: CheckResult, culprit: CheckResult | None) -> CheckResult:
    """Return the check of a prefix that does not build: SKIP where its error is that of an earlier patch, the culprit.

    Line numbers do not count: a patch moves lines.
    """
    if culprit is None or check.verdict is not Verdict.FAIL or _numberless(check) != _numberless(culprit):
        return check
    return replace(check, verdict=Verdict.SKIP, message=f"{culprit.subject} broke the build: {check.message}")


def _numberless(check: CheckResult) -> str:
    return re.sub(r":\d+", "", check.message)


def _log(done: JobResult) -> Path | None:
    return done.products.kernel.log if done.products.kernel else None
