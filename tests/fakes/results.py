"""A run with one of each: for the tests of the renderers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchestrator.config.schema import Machine
from orchestrator.model import (
    CompilerWarning,
    Identity,
    JobResult,
    RunResult,
    SeriesResult,
    Side,
    Splat,
    Stage,
    StageResult,
    Status,
    SuiteRun,
    TestResult,
    Verdict,
    expectations_file,
)
from orchestrator.verdict import series_verdict, verdict

HOSTILE = "bell \x07 escape \x1b[31mred\x1b[0m nul \x00 tags <a> & ]]> \ud800 \ufffe end"

EXPECTED = {
    "uffd": expectations_file.parse(
        "columns: [stock, patched]\n"
        "tests:\n"
        "  promised: {stock: skip, patched: pass}\n"
        "  known: {stock: fail, patched: fail, why: patch 5 is not in}\n"
        "  loose: {stock: any, patched: any}\n",
        "expected.yaml",
    )
}

IDENTITY = Identity("c0ffee", "s", "conf", "gcc 12", "sha", "tcg", "max", "7.2", "2 vCPU", "rootfs")


def job(side: Side, tests: tuple[TestResult, ...], **changes: Any) -> JobResult:
    """Return a job that ran these tests in the suite ``uffd``."""
    fields: dict[str, Any] = {
        "name": f"linux-5.10/smoke.{side.value}",
        "tree": "linux-5.10",
        "series": "uffd-wp" if side is Side.PATCHED else None,
        "variant": "smoke",
        "side": side,
        "verdict": Verdict.PASS,
        "reason": "",
        "stages": (
            StageResult(Stage.BUILD, Verdict.PASS, 12.5, "reused", reused=True),
            StageResult(Stage.BOOT, Verdict.PASS, 4.25),
            StageResult(Stage.SUITE, Verdict.PASS, 30.0, log=Path("/r/suite.log")),
        ),
        "suites": (SuiteRun("uffd", tests, (Path("/r/a.ktap"),), 30.0),),
        "splats": (),
        "directory": Path(f"/r/jobs/{side.value}"),
        "identity": IDENTITY,
        "machine": Machine(),
    }
    return JobResult(**{**fields, **changes})


def pair(hostile: str = HOSTILE) -> tuple[JobResult, JobResult]:
    """Return a base and a patched job that differ in every way that a reader must see."""
    base = job(
        Side.BASE,
        (
            TestResult("promised", Status.SKIP, "EINVAL"),
            TestResult("known", Status.FAIL, hostile),
            TestResult("loose", Status.TIMEOUT),
            TestResult("same", Status.PASS, seconds=0.5),
            TestResult("worse", Status.PASS),
            TestResult("fixed", Status.FAIL),
            TestResult("both", Status.FAIL),
        ),
        splats=(Splat("warning", "WARNING in old", 3, 9, "old", False, "same"),),
    )
    patched = job(
        Side.PATCHED,
        (
            TestResult("promised", Status.PASS, "", (), 1.5),
            TestResult("known", Status.FAIL, hostile, (hostile,)),
            TestResult("loose", Status.PASS),
            TestResult("same", Status.PASS, seconds=0.5),
            TestResult("worse", Status.TIMEOUT, "", ("line | one", "line two")),
            TestResult("fixed", Status.PASS),
            TestResult("both", Status.FAIL),
        ),
        splats=(
            Splat("warning", "WARNING in old", 3, 9, "old", False, "same"),
            Splat("mm", "BUG: Bad page map in <zap>", 20, 40, hostile, False, "worse"),
            Splat("mm", "BUG: Bad page map in <zap>", 50, 60, hostile, False, "worse"),
            Splat("oom", "Out of memory", 70, 71, "oom", False, "same", "expected (https://example.org)"),
        ),
        warnings=(CompilerWarning("mm/memory.c:10", "unused variable 'x'"),),
    )
    return base, patched


def series(base: JobResult, patched: JobResult) -> SeriesResult:
    """Judge a pair by ``EXPECTED``."""
    return series_verdict.judge(base, patched, EXPECTED, "stock", "patched")


def run(*pairs: SeriesResult, alone: tuple[JobResult, ...] = (), **changes: Any) -> RunResult:
    """Return a run of these."""
    total = verdict.fold([*(s.verdict for s in pairs), *(j.verdict for j in alone)])
    fields: dict[str, Any] = {
        "run": "20261123-1",
        "mode": "smoke",
        "directory": Path("/r"),
        "started": "2026-11-23T04:00:00+00:00",
        "seconds": 77.7,
        "jobs": (*(j for s in pairs for j in (s.base, s.patched)), *alone),
        "series": pairs,
        "verdict": total,
        "exit_code": total.exit_code,
        "notes": ("TCG: KVM did not bring up a guest",),
    }
    return RunResult(**{**fields, **changes})
