"""A run → a report in the format of KCIDB, the database that kernel CI systems share (schema 5.3).

A *checkout* is a tree with or without a series, a *build* a job's kernel, a *test* all that was asked of it: that it
boots, that its console is clean, and each test of its suites. What has not run is not in it. Statuses by their meaning
in the schema:

    PASS, FAIL     completed, and found the kernel right, or wrong
    XFAIL          FAIL: the kernel is wrong, though nobody expected else; the comment says that
    TIMEOUT        FAIL: it did not come to its end, and the kernel is charged with that here, too
    CRASHED        FAIL: the kernel died in it
    ERROR          ERROR: the test could not do its part; nothing is known of the kernel
    MISSING        MISS: no line of it came; neither is anything known of the test
    SKIP           SKIP: not offered by this kernel

A stage that a fault of the host ended is MISS, and so is a test that it cut off. Of several tries the worst counts.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from orchestrator import plain
from orchestrator.errors import InfraError
from orchestrator.model import (
    JobResult,
    RunResult,
    Splat,
    Stage,
    StageResult,
    Status,
    SuiteRun,
    TestResult,
    Transition,
    Verdict,
)
from orchestrator.verdict import outcome

VERSION = {"major": 5, "minor": 3}
EXCERPT = 16_000
"""Characters of an excerpt; the schema takes 384 more."""

Object = dict[str, Any]

STATUSES = {
    Status.PASS: "PASS",
    Status.FAIL: "FAIL",
    Status.XFAIL: "FAIL",
    Status.TIMEOUT: "FAIL",
    Status.CRASHED: "FAIL",
    Status.ERROR: "ERROR",
    Status.MISSING: "MISS",
    Status.SKIP: "SKIP",
}
_VERDICTS = {Verdict.PASS: "PASS", Verdict.FAIL: "FAIL", Verdict.SKIP: "SKIP", Verdict.INFRA: "MISS"}


@dataclass(frozen=True)
class Patchset:
    """The patches that were applied: the hash that the schema asks for, and the files in their order."""

    hash: str
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Sender:
    """Who reports. ``artifacts`` is the address under which the folder of results is published; None is nowhere."""

    origin: str
    artifacts: str | None = None


def render(run: RunResult, sender: Sender, patchsets: Mapping[str, Patchset]) -> Object:
    """Return the report of a run. ``patchsets`` are those of its jobs, by name; a job without a series has none."""
    report = _Report(run, sender, patchsets)
    checkouts = {checkout["id"]: checkout for checkout in map(report.checkout, run.jobs)}
    built = [job for job in run.jobs if _stage(job, Stage.BUILD)]
    return {
        "version": VERSION,
        "checkouts": list(checkouts.values()),
        "builds": [report.build(job) for job in built],
        "tests": [test for job in built for test in report.tests(job)],
    }


def dump(report: Object) -> str:
    """Return a report as sorted JSON, once the schema has accepted it. Raises InfraError where it does not."""
    import jsonschema
    from kcidb_io.schema import V5_3

    try:
        V5_3.validate_exactly(report)
    except jsonschema.ValidationError as error:
        raise InfraError(f"not a KCIDB report: {error.json_path}: {error.message[:200]}") from error
    text = json.dumps(report, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    return text.encode(errors="replace").decode()


@dataclass(frozen=True)
class _Report:
    run: RunResult
    sender: Sender
    patchsets: Mapping[str, Patchset]

    def _object(self, *parts: str, **fields: Any) -> Object:
        """Return an object with its id; fields that are not known are left out, for none may be null."""
        known = {name: value for name, value in fields.items() if value is not None}
        name = plain.printable(".".join(parts)).replace("\n", " ")
        return {"id": f"{self.sender.origin}:{self.run.run}.{name}", "origin": self.sender.origin, **known}

    def checkout(self, job: JobResult) -> Object:
        """Return what was checked out for a job: a base, with the patches of a series on it."""
        tree, series = job.products.tree, _stage(job, Stage.SERIES)
        patchset = self.patchsets.get(job.name)
        return self._object(
            *self._checkout_parts(job),
            tree_name=_text(job.tree),
            git_commit_hash=tree.base if tree and re.fullmatch("[0-9a-f]{40}", tree.base) else None,
            comment=_text(" ".join(filter(None, (tree.label if tree else "", job.series and f"with {job.series}")))),
            patchset_hash=patchset.hash if patchset else None if job.series else "",
            patchset_files=list(filter(None, map(self._file, patchset.files))) if patchset else None,
            valid=series.verdict is Verdict.PASS if series and series.verdict is not Verdict.INFRA else None,
            log_excerpt=_text(series.message) if series and series.verdict is Verdict.FAIL else None,
            start_time=self.run.started,
            origin_tests_finish_time=None if self.run.missing else self._finished(),
            misc={"wpci": {"commit": tree.commit, "content": tree.content, "patches": list(tree.patches)}}
            if tree
            else None,
        )

    def _checkout_parts(self, job: JobResult) -> tuple[str, ...]:
        """Return what names a checkout: jobs of the same source share it, those with a part of a series do not."""
        commit = job.products.tree.commit[:12] if job.products.tree else job.name
        return (job.tree, job.series or "base", commit)

    def _finished(self) -> str:
        end = datetime.datetime.fromisoformat(self.run.started) + datetime.timedelta(seconds=self.run.seconds)
        return end.isoformat(timespec="seconds")

    def build(self, job: JobResult) -> Object:
        """Return a job's kernel."""
        stage, kernel = _stage(job, Stage.BUILD), job.products.kernel
        assert stage
        about = {"build_id": kernel.build_id, "sha256": kernel.sha256, "release": kernel.release} if kernel else {}
        return self._object(
            job.name,
            checkout_id=self._object(*self._checkout_parts(job))["id"],
            architecture=job.arch,
            compiler=_text(kernel.toolchain) if kernel else None,
            config_name=_text(job.variant),
            config_url=self._url(job.directory / "config") if kernel else None,
            log_url=self._url(stage.log) if stage.log else None,
            log_excerpt=_text(stage.message) if stage.verdict is not Verdict.PASS else None,
            status=_VERDICTS[stage.verdict],
            duration=None if stage.reused else stage.seconds,
            misc={"wpci": {**about, "reused": stage.reused, "warnings": len(job.warnings)}},
        )

    def tests(self, job: JobResult) -> Iterator[Object]:
        """Yield what was asked of a kernel, in its order."""
        boot = _stage(job, Stage.BOOT)
        if boot:
            yield self._stage_test(job, boot)
        if boot and boot.verdict is Verdict.PASS:
            yield self._console(job)
        changes = self._changes(job)
        for run in job.suites:
            for test in run.tests:
                yield self._test(job, run, test, changes.get((run.suite, test.name)))

    def _stage_test(self, job: JobResult, stage: StageResult) -> Object:
        return self._of(
            job,
            "boot",
            "boot",
            status=_VERDICTS[stage.verdict],
            duration=stage.seconds,
            comment=_text(stage.message),
        )

    def _console(self, job: JobResult) -> Object:
        """Return the complaints on the consoles, as a test: else a report would be greener than the run."""
        bad = [splat for splat in job.splats if splat.fatal or not splat.allowed_by]
        ended = _stage(job, Stage.SUITE)
        clean = "PASS" if ended and ended.verdict is Verdict.PASS else "MISS"
        return self._of(
            job,
            "console",
            "console",
            status="FAIL" if bad else clean,
            comment=_text("; ".join(dict.fromkeys(splat.title for splat in bad)) or "no splat"),
            log_excerpt=_excerpt(bad) if bad else None,
            log_url=self._url(bad[0].console) if bad and bad[0].console else None,
        )

    def _test(self, job: JobResult, run: SuiteRun, test: TestResult, change: Transition | None) -> Object:
        tries = outcome.outcome(test.status, dict(run.retried).get(test.name, ()))
        cut_off = test.name in run.cut_off
        about: Object = {"suite": run.suite, "test": test.name, "tries": [status.value for status in tries.tries]}
        if change:
            about |= {"transition": change.words, "charged": change.verdict is Verdict.FAIL}
        xfail = ("expected failure",) if tries.status is Status.XFAIL else ()
        return self._of(
            job,
            f"{run.suite}.{test.name}",
            path(run.suite, test.name),
            status="MISS" if cut_off else STATUSES[tries.status],
            duration=test.seconds,
            comment=_text("; ".join((*xfail, *filter(None, (test.reason,))))) or None,
            log_excerpt=_text("\n".join(test.diagnostics)) or None,
            misc={"wpci": about},
        )

    def _of(self, job: JobResult, name: str, where: str, **fields: Any) -> Object:
        """Return a test of a job, with the guest that it ran in."""
        return self._object(
            job.name,
            name,
            build_id=self._object(job.name)["id"],
            path=where,
            environment=_environment(job),
            **fields,
        )

    def _changes(self, job: JobResult) -> dict[tuple[str, str], Transition]:
        pairs = (series for series in self.run.series if series.patched.name == job.name)
        return {(change.suite, change.test): change for series in pairs for change in series.transitions}

    def _url(self, file: Path) -> str | None:
        """Return where a file of the run can be had, if the results are published at all."""
        if self.sender.artifacts is None or not file.is_relative_to(self.run.directory):
            return None
        inside = quote(str(file.relative_to(self.run.directory)))
        return f"{self.sender.artifacts.rstrip('/')}/{quote(self.run.run)}/{inside}"

    def _file(self, file: Path) -> Object | None:
        url = self._url(file)
        return {"name": file.name, "url": url} if url else None


def path(suite: str, test: str) -> str:
    """Return where a test stands in the tree of all tests: dots part, and only letters, digits, _ and - are taken."""
    parts = (re.sub(r"[^A-Za-z0-9_-]+", "_", part) for part in f"{suite}.{test}".split("."))
    return ".".join(part or "_" for part in parts)


def _stage(job: JobResult, stage: Stage) -> StageResult | None:
    return next((result for result in job.stages if result.stage is stage), None)


def _environment(job: JobResult) -> Object | None:
    """Return the guest: what a result depends on besides the kernel."""
    if job.identity is None:
        return None
    facts = dataclasses.asdict(job.identity)
    comment = f"QEMU {job.identity.qemu}, {job.identity.accel}, -cpu {job.identity.cpu}, {job.identity.machine}"
    return {"comment": _text(comment), "misc": {"wpci": {name: fact for name, fact in facts.items() if fact}}}


def _excerpt(splats: list[Splat]) -> str:
    return _text("\n\n".join(splat.text for splat in splats))


def _text(text: str) -> str:
    """Return text as the schema takes it: short enough, and without control characters."""
    return plain.printable(text)[:EXCERPT]
