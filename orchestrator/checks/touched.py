"""The objects that a series touches, compiled on base and patched with more warnings and under sparse."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.build import objects
from orchestrator.build.objects import Heard
from orchestrator.errors import KernelError, PipelineError
from orchestrator.model import CheckResult, Side, Verdict
from orchestrator.results import complaints

FLAGS: Mapping[str, str] = {"warnings": objects.GCC, "sparse": objects.SPARSE}
"""Check → what make is asked for."""

_WHAT = {"warnings": "new warning at W=1", "sparse": "new complaint of sparse"}

Listen = Callable[[Side, str], Heard]
"""Compiles the touched objects of one side with a flag, and returns what was said."""


@dataclass(frozen=True)
class Touched:
    """What is looked at: the objects, and in which variant."""

    objects: tuple[str, ...]
    variant: str


def check(name: str, touched: Touched, listen: Listen, log: Path) -> CheckResult:
    """Compare what is said of base and patched. Only what is new is charged to the series."""
    started = time.monotonic()
    if not touched.objects:
        return CheckResult(name, touched.variant, Verdict.SKIP, "the series touches no C file of the kernel", 0.0)
    if name == "sparse" and shutil.which("sparse") is None:
        return CheckResult(name, touched.variant, Verdict.INFRA, "sparse is not installed (Debian package sparse)", 0.0)
    try:
        before, after = (listen(side, FLAGS[name]) for side in (Side.BASE, Side.PATCHED))
    except PipelineError as error:
        blame = Verdict.FAIL if isinstance(error, KernelError) else Verdict.INFRA
        return CheckResult(name, touched.variant, blame, str(error), time.monotonic() - started, log=error.log)
    return judge(name, touched.variant, before, after, time.monotonic() - started, log)


def judge(name: str, variant: str, before: Heard, after: Heard, seconds: float, log: Path) -> CheckResult:
    """Judge what was heard. Objects that the configuration does not have are named: nothing is known of them. Pure."""
    absent = f"; not in this configuration: {', '.join(after.absent)}" if after.absent else ""
    if not after.looked_at:
        return CheckResult(name, variant, Verdict.SKIP, f"no touched object to look at{absent}", seconds, log=log)
    fresh = complaints.new(before.complaints, after.complaints)
    told = complaints.counted(fresh, _WHAT[name]) if fresh else f"nothing new in {len(after.looked_at)} objects"
    verdict = Verdict.FAIL if fresh else Verdict.PASS
    return CheckResult(name, variant, verdict, told + absent, seconds, complaints.lines(fresh), log)
