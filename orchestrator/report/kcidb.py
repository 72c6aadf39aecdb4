"""A run → a report in the format of KCIDB, the database that kernel CI systems share (schema 5.3).

A *checkout* is a tree with or without a series, a *build* a job's kernel, a *test* all that was asked of it: that it
boots, that its console is clean, and each test of its suites, and what is red besides. What has not run is not in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import InfraError
from orchestrator.model import JobResult, RunResult, Stage, Tree, Verdict
from orchestrator.report.kcidb_object import VERDICTS, Object, Objects, Sender, text
from orchestrator.report.kcidb_tests import Tests

VERSION = {"major": 5, "minor": 3}


@dataclass(frozen=True)
class Patchset:
    """The patches that were applied: the hash that the schema asks for, and the files in their order."""

    hash: str
    files: tuple[Path, ...]


def render(run: RunResult, sender: Sender, patchsets: Mapping[str, Patchset]) -> Object:
    """Return the report of a run. ``patchsets`` are those of its jobs, by name; a base as others have it has none."""
    objects = Objects(run, sender)
    report, tests = _Report(objects, patchsets), Tests(objects)
    checkouts = {checkout["id"]: checkout for checkout in map(report.checkout, run.jobs)}
    built = [job for job in run.jobs if job.stage(Stage.BUILD)]
    return {
        "version": VERSION,
        "checkouts": list(checkouts.values()),
        "builds": [report.build(job) for job in built],
        "tests": [*(test for job in built for test in tests.of(job)), *tests.checks(built)],
    }


def dump(report: Object) -> str:
    """Return a report as sorted JSON, once the schema has accepted it. Raises InfraError where it does not."""
    import jsonschema
    from kcidb_io.schema import V5_3

    try:
        V5_3.validate_exactly(report)
    except jsonschema.ValidationError as error:
        raise InfraError(f"not a KCIDB report: {error.json_path}: {error.message[:200]}") from error
    rendered = json.dumps(report, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    return rendered.encode(errors="replace").decode()


@dataclass(frozen=True)
class _Report:
    objects: Objects
    patchsets: Mapping[str, Patchset]

    def checkout(self, job: JobResult) -> Object:
        """Return what was checked out for a job: a commit that others have, with the patches that are applied to it."""
        tree, series = job.products.tree, job.stage(Stage.SERIES)
        patchset = self.patchsets.get(job.name)
        return self.objects.make(
            *self._checkout_parts(job),
            tree_name=text(job.tree),
            git_commit_hash=tree.source_commit if tree and re.fullmatch("[0-9a-f]{40}", tree.source_commit) else None,
            comment=text(" ".join(filter(None, (tree.label if tree else "", job.series and f"with {job.series}")))),
            patchset_hash=patchset.hash if patchset else None if job.series or (tree and tree.source) else "",
            patchset_files=list(filter(None, map(self.objects.file, patchset.files))) if patchset else None,
            valid=series.verdict is Verdict.PASS if series and series.verdict is not Verdict.INFRA else None,
            log_excerpt=text(series.message) if series and series.verdict is Verdict.FAIL else None,
            start_time=self.objects.run.started,
            origin_tests_finish_time=None if self.objects.run.missing else self._finished(),
            misc={"wpci": _facts_of(tree)} if tree else None,
        )

    def _checkout_parts(self, job: JobResult) -> tuple[str, ...]:
        """Return what names a checkout: jobs of the same source share it, those with a part of a series do not."""
        commit = job.products.tree.commit[:12] if job.products.tree else job.name
        return (job.tree, job.series or "base", commit)

    def _finished(self) -> str:
        return self.objects.run.finished.isoformat(timespec="seconds")

    def build(self, job: JobResult) -> Object:
        """Return a job's kernel."""
        stage, kernel = job.stage(Stage.BUILD), job.products.kernel
        assert stage
        about = {"build_id": kernel.build_id, "sha256": kernel.sha256, "release": kernel.release} if kernel else {}
        return self.objects.make(
            job.name,
            checkout_id=self.objects.make(*self._checkout_parts(job))["id"],
            architecture=job.arch,
            compiler=text(kernel.toolchain) if kernel else None,
            config_name=text(job.variant),
            config_url=self.objects.url(job.directory / "config") if kernel else None,
            log_url=self.objects.url(stage.log) if stage.log else None,
            log_excerpt=text(stage.message) if stage.verdict is not Verdict.PASS else None,
            status=VERDICTS[stage.verdict],
            duration=None if stage.reused else stage.seconds,
            misc={"wpci": {**about, "reused": stage.reused, "warnings": len(job.warnings)}},
        )


def _facts_of(tree: Tree) -> Object:
    return {"commit": tree.commit, "content": tree.content, "patches": list(tree.patches)}
