"""`wpci kcidb`: a run in the format that kernel CI systems share. It is written, and sent by nobody but you."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli import output
from orchestrator.cli.options import ConfigOption, ResultsOption
from orchestrator.cli.screen import Screen
from orchestrator.config import locate
from orchestrator.host import disk
from orchestrator.model import JobResult, RunResult, rundir
from orchestrator.report import kcidb, kcidb_object


def kcidb_(
    run: Annotated[str, typer.Argument(help="A run: its folder, its name, or 'last'.")] = "last",
    config: ConfigOption = None,
    out: Annotated[Path | None, typer.Option("--out", help="File to write, instead of standard output.")] = None,
    results: ResultsOption = None,
) -> None:
    """Print a run as a KCIDB report (JSON), checked against its schema."""
    from orchestrator.report import result_json

    settings = output.pipeline(config, quiet=True).kcidb
    folder = rundir.find(locate.results(results), run)
    result = result_json.read_run(folder / rundir.RESULT)
    result = _with_checks(result, map(result_json.read_job, rundir.check_results(folder)))
    sender = kcidb_object.Sender(settings.origin, settings.artifacts)
    with output.extra("kcidb"):
        text = kcidb.dump(kcidb.render(result, sender, _patchsets(result)))
    if out is None:
        Screen().document(text)
    else:
        disk.write_atomic(out, text)


def _with_checks(run: RunResult, jobs: Iterable[JobResult]) -> RunResult:
    """Return a run with the jobs of its checks, too: of each name the run's own, else the one that came furthest."""
    furthest = {job.name: job for job in sorted(jobs, key=lambda job: len(job.stages))}
    own = {job.name for job in run.jobs}
    return replace(run, jobs=(*run.jobs, *(job for name, job in furthest.items() if name not in own)))


def _patchsets(run: RunResult) -> dict[str, kcidb.Patchset]:
    """Return the patches of the jobs that kept what they applied."""
    patchsets = {job.name: _patchset(job.directory / rundir.PATCHES) for job in run.jobs}
    return {name: patchset for name, patchset in patchsets.items() if patchset}


def _patchset(folder: Path) -> kcidb.Patchset | None:
    """Return patches with the hash that the schema wants: a sha256 over the lines of their sha256s."""
    files = tuple(sorted(folder.glob("*")))
    if not files:
        return None
    lines = "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}\n" for file in files)
    return kcidb.Patchset(hashlib.sha256(lines.encode()).hexdigest(), files)
