"""Results → one page for people: self-contained, no script, for a phone as for a wide screen, light or dark."""

from __future__ import annotations

import functools
import os.path
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from orchestrator.model import CheckResult, JobResult, RunResult, Verdict
from orchestrator.report import groups, tested
from orchestrator.text import plain
from orchestrator.verdict import outcome, verdict

MOST = 30
"""Findings, splats or warnings of one kind on the page; the files of the run have all."""


def render(run: RunResult) -> str:
    """Return the page of a run; links are relative to the folder of the run."""
    link = functools.partial(_link, run.directory)
    text = (
        templates()
        .get_template("run.html.j2")
        .render(
            run=run,
            title=_title(run),
            reasons=_reasons(run),
            facts_of_run=tested.facts(run),
            groups=_groups(run.checks),
            alone=run.single_jobs,
            changed=groups.changed,
            by_title=groups.by_title,
            stem=groups.stem,
            link=link,
            facts=lambda job: _facts(job, link),
            duration=duration,
            clean=plain.printable,
            most=MOST,
        )
    )
    return plain.printable(text)


@functools.cache
def templates() -> Environment:
    """Return the templates of this package."""
    loader = PackageLoader("orchestrator.report", "templates")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)


def duration(seconds: float) -> str:
    """Return seconds as people say them: ``12 s``, ``3 min 20 s``."""
    whole = round(seconds)
    return f"{whole} s" if whole < 120 else f"{whole // 60} min {whole % 60} s"


def _title(run: RunResult) -> str:
    named = dict.fromkeys(f"{series.series} on {series.tree}" for series in run.series)
    applied = dict.fromkeys(check.subject for check in run.checks if check.name == "applies")
    return ", ".join(named) or ", ".join(applied) or f"{run.mode} {run.run}"


def _reasons(run: RunResult) -> list[str]:
    """Return why the verdict is what it is: what is red, else what was seen."""
    red = [c for c in run.checks if c.verdict.is_red]
    lines = [f"{check.name}: {check.subject}: {check.message}" for check in red[:5]]
    lines += [f"… and {len(red) - 5} more checks"] if len(red) > 5 else []
    lines += [f"{series.variant}: {series.reason}" for series in run.series if _counts_for(series.verdict, run)]
    return lines + [f"{job.name}: {job.reason}" for job in run.single_jobs if _counts_for(job.verdict, run)]


def _counts_for(judged: Verdict, run: RunResult) -> bool:
    return judged.is_red or run.verdict in {Verdict.PASS, Verdict.SKIP}


@dataclass(frozen=True)
class _Group:
    """The checks of one name: one row of the table."""

    name: str
    checks: tuple[CheckResult, ...]

    @property
    def verdict(self) -> Verdict:
        return verdict.fold(check.verdict for check in self.checks)

    @property
    def green(self) -> list[CheckResult]:
        return [check for check in self.checks if check.verdict is Verdict.PASS]

    @property
    def red(self) -> list[CheckResult]:
        return [check for check in self.checks if check.verdict is not Verdict.PASS and len(self.checks) > 1] or [
            check for check in self.checks if check.verdict.is_red
        ]

    @property
    def remarks(self) -> int:
        return sum(bool(check.details) for check in self.green)

    @property
    def seconds(self) -> float:
        return sum(check.seconds for check in self.checks)

    @property
    def text(self) -> str:
        if len(self.checks) > 1:
            return f"{len(self.green)} of {len(self.checks)}"
        (check,) = self.checks
        return "" if self.red else f"{check.subject}: {check.message}"


def _groups(checks: Sequence[CheckResult]) -> list[_Group]:
    names = dict.fromkeys(check.name for check in checks)
    return [_Group(name, tuple(check for check in checks if check.name == name)) for name in names]


def _link(directory: Path, path: Path) -> str:
    """Return a path as seen from the page; what lies outside the run stays as it is."""
    return os.path.relpath(path, directory) if path.is_relative_to(directory) else str(path)


def _facts(job: JobResult, link: functools.partial[str]) -> Markup:
    counts = outcome.counts(test.status for suite in job.suites for test in suite.tests) or "no test ran"
    under = f", under {job.identity.accel}" if job.identity else ""
    template = templates().get_template("job.html.j2")
    return Markup(template.render(job=job, counts=counts + under, link=link, duration=duration, clean=plain.printable))
