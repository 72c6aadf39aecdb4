"""The objects that a series touches, compiled on base and patched with more warnings and under sparse."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import KernelError, PipelineError
from orchestrator.host import packages
from orchestrator.kbuild import objects
from orchestrator.kbuild.objects import Diagnostics
from orchestrator.model import CheckResult, CompilerWarning, Side, Verdict
from orchestrator.verdict import complaints

FLAGS: Mapping[str, str] = {"warnings": objects.GCC, "sparse": objects.SPARSE}
"""Check → what make is asked for."""

_WHAT = {"warnings": ("new warning", " at W=1"), "sparse": ("new complaint", " of sparse")}
_TOOL = {"warnings": "the compiler at W=1", "sparse": "sparse"}

Compile = Callable[[Side, str, Sequence[str]], Diagnostics]
"""Compiles objects of one side with a flag, and returns the diagnostics."""


@dataclass(frozen=True)
class Touched:
    """What is looked at: the objects, in which variant, where the logs lie; and the files that the series changes.

    ``removed`` are those of the objects that only the base has the files of.
    """

    objects: tuple[str, ...]
    variant: str
    logs: Mapping[Side, Path]
    changed: frozenset[str] = frozenset()
    removed: tuple[str, ...] = ()


def check(name: str, touched: Touched, compile_objects: Compile) -> CheckResult:
    """Compare the diagnostics of base and patched. Only what is new is charged to the series.

    An object that the tool could not be heard about on the base is not asked for with the series: what would be said of
    it may be as old as the base.
    """
    started = time.monotonic()

    def fault(verdict: Verdict, message: str, log: Path | None) -> CheckResult:
        return CheckResult(name, touched.variant, verdict, message, time.monotonic() - started, log=log)

    if not touched.objects:
        return fault(Verdict.SKIP, "the series touches no C file of the kernel", None)
    if name == "sparse" and shutil.which("sparse") is None:
        return fault(Verdict.INFRA, f"sparse is not installed ({packages.hint('sparse')})", None)
    try:
        before = compile_objects(Side.BASE, FLAGS[name], touched.objects)
    except PipelineError as error:
        return fault(Verdict.INFRA, f"no verdict on the series, for on the base: {error}", error.log)
    known = [wanted for wanted in touched.objects if wanted not in (*before.cut_off, *touched.removed)]
    try:
        after = compile_objects(Side.PATCHED, FLAGS[name], known) if known else Diagnostics((), (), ())
    except PipelineError as error:
        return fault(Verdict.FAIL if isinstance(error, KernelError) else Verdict.INFRA, str(error), error.log)
    return judge(name, touched, before, after, time.monotonic() - started)


def judge(name: str, touched: Touched, before: Diagnostics, after: Diagnostics, seconds: float) -> CheckResult:
    """Judge the diagnostics, and name the objects of which nothing is known: no verdict is green over them. Pure.

    What is new, and is about a header alone that was not looked at before, is a remark: the base has it, too.
    """
    new = complaints.new(before.complaints, after.complaints)
    old = [complaint for complaint in new if _is_of_the_base(complaint, touched, before, after)]
    fresh = [complaint for complaint in new if complaint not in old]
    unknown = [*_unknown(name, before.cut_off, "the base"), *_unknown(name, after.cut_off, "the series")]
    summary = complaints.counted(fresh, *_WHAT[name]) if fresh else _quiet(after)
    absent = [f"make has no rule in this configuration for {', '.join(after.absent)}"] if after.absent else []
    if touched.removed:
        absent.append(f"the series removes {', '.join(touched.removed)}")
    if old and not fresh:
        absent.append(f"{complaints.counted(old, 'remark')} on headers that the series includes and does not change")
    message = "; ".join([*unknown, summary, *absent] if unknown and not fresh else [summary, *unknown, *absent])
    if fresh or unknown:
        verdict = Verdict.FAIL if fresh else Verdict.INFRA
    else:
        verdict = Verdict.PASS if after.looked_at else Verdict.SKIP
    log = touched.logs[Side.PATCHED if fresh or after.cut_off or not before.cut_off else Side.BASE]
    return CheckResult(name, touched.variant, verdict, message, seconds, complaints.lines(fresh or old), log)


def _is_of_the_base(complaint: CompilerWarning, touched: Touched, before: Diagnostics, after: Diagnostics) -> bool:
    places = after.places.get(complaint, {complaint.where.partition(":")[0]})
    return all(place.endswith(".h") and place not in touched.changed | before.included for place in places)


def _unknown(name: str, cut_off: Sequence[str], whose: str) -> list[str]:
    return [f"{_TOOL[name]} did not come to its end with {whose} on {', '.join(cut_off)}"] if cut_off else []


def _quiet(after: Diagnostics) -> str:
    return f"nothing new in {len(after.looked_at)} objects" if after.looked_at else "no touched object to look at"
