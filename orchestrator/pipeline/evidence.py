"""The evidence for each red test of a run, read from the folders of its jobs and the sources of its suites."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.config.suites import Suite
from orchestrator.errors import PipelineError
from orchestrator.guest import console, protocol
from orchestrator.guest.protocol import Windows
from orchestrator.model import Evidence, JobResult, RunResult, TestResult, Transition, rundir
from orchestrator.parse import window
from orchestrator.parse.window import Window
from orchestrator.pipeline.values import Plan
from orchestrator.suite import sources
from orchestrator.suite.sources import Case
from orchestrator.verdict import charged, outcome

MOST = 30
"""Tests of a run that are shown with evidence; all are in the tables."""
_PRINTED, _CONSOLE = 8, 12
"""Lines of the output, and of the console, that are kept of one test: the last ones, which say how it ended."""

_NOTHING = Case("", "")


@dataclass
class Collector:
    """Gathers evidence. What the sources say, and what a console has of a test, is looked for once."""

    plan: Plan
    _cases: dict[str, Mapping[str, Case]] = field(default_factory=dict)
    _windows: dict[tuple[Path, int, str], Window | None] = field(default_factory=dict)

    def collect(self, run: RunResult) -> tuple[Evidence, ...]:
        """Return the evidence for what made a run red, in the order of its jobs."""
        known = {(s.patched.name, t.suite, t.test): t for s in run.series for t in s.transitions}
        red = itertools.islice(charged.tests(run), MOST)
        return tuple(self._of(job, suite, test, known.get((job.name, suite, test.name))) for job, suite, test in red)

    def _of(self, job: JobResult, suite: str, test: TestResult, transition: Transition | None) -> Evidence:
        case = sources.of(test.name, self._known(suite)) or _NOTHING
        path, seen = self._seen(job, suite, test.name)
        end = next((one for one in job.postmortems if one.test == test.name), None)
        printed = [line for line in test.diagnostics if line.strip() and line not in test.reason]
        return Evidence(
            job=job.name,
            suite=suite,
            test=test.name,
            status=test.status,
            reason=test.reason if test.status.broken or not transition else transition.note,
            base=transition.base.value if transition else "",
            sentence=case.sentence,
            place=case.place,
            alone=next((a.words for a in job.alone if (a.suite, a.test) == (suite, test.name)), ""),
            kernel=end.lines if end else (),
            postmortem=end.text if end else None,
            printed=tuple(printed[-_PRINTED:]),
            console=seen.lines[-_CONSOLE:] if seen else (),
            log=path,
            first=seen.first if seen else 0,
            outputs=job.directory / suite,
        )

    def _known(self, suite: str) -> Mapping[str, Case]:
        if suite not in self._cases:
            config = next((config for job in self.plan.jobs for name, config in job.suites if name == suite), None)
            self._cases[suite] = _cases(config)
        return self._cases[suite]

    def _seen(self, job: JobResult, suite: str, test: str) -> tuple[Path | None, Window | None]:
        """Return what the kernel said while a test ran, and the console on which it did."""
        path, programs = None, next((run.programs for run in job.suites if run.suite == suite), ())
        names = (test, outcome.program_of(test, programs))
        for path in rundir.consoles(job.directory):
            seen = (path, path.stat().st_size, test)
            if seen not in self._windows:
                self._windows[seen] = window.of(_text(*seen[:2]), names, Windows(protocol.rows(path)))
            if part := self._windows[seen]:
                return path, part
        return path, None


@functools.lru_cache(maxsize=2)  # the tests of one guest come one after the other
def _text(path: Path, size: int) -> str:
    """Return the text of a console that has this size now."""
    return console.text(path)


def _cases(config: Suite | None) -> Mapping[str, Case]:
    """Return what the sources of a suite say. What cannot be read says nothing: it is no reason to lose a result."""
    try:
        return sources.of_suite(config) if config else {}
    except (PipelineError, OSError):
        return {}
