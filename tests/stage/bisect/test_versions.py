"""A bisect over the versions of a Debian package, with the real apt and a mirror of our own."""

from __future__ import annotations

import dataclasses
import datetime
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.bisect import run as bisect_run
from orchestrator.bisect.symptom import parse
from orchestrator.bisect.values import Role
from orchestrator.config import loader
from orchestrator.errors import UserError
from orchestrator.host.cache import Cache
from orchestrator.model import Term
from orchestrator.parse import splat
from orchestrator.pipeline.context import Workspace
from orchestrator.progress import SILENT
from orchestrator.trees import debian
from tests.fakes import mirror as source_mirror
from tests.fakes.mirror import Mirror
from tests.stage.pipeline.test_run import FAKES, Bench

VERSIONS = ("1.0.1-1", "1.0.2-1", "1.0.10-1", "1.0.11-1", "1.0.12-1")


def fill(where: Path, version: str) -> None:
    """Write a fake kernel of that version; those from 1.0.11 on panic."""
    shutil.copytree(FAKES / "fakelinux", where)
    number = VERSIONS.index(version)
    with (where / "init" / "main.c").open("a") as main:
        main.write(f"int version{number};\n")
        main.write('const char play[] = "play: panic no init";\n' if number >= 3 else "")


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    with source_mirror.mirror(tmp_path / "debian", fill) as made:
        made.publish(*reversed(VERSIONS))
        yield made


@pytest.fixture
def workspace(tmp_path: Path, mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    bench = Bench(tmp_path)
    bench.configure("guest:")
    text = (bench.folder / "pipeline.yaml").read_text()
    package = f"{{provider: debian, package: {source_mirror.PACKAGE}, suite: {source_mirror.SUITE}}}"
    (bench.folder / "pipeline.yaml").write_text(text.replace("{provider: path, path: tree}", package))
    monkeypatch.setenv("PATH", f"{bench.folder / 'bin'}:{os.environ['PATH']}:/usr/sbin")
    monkeypatch.setattr(debian, "HOST_CONFIGURATION", mirror.host(tmp_path / "etc"))
    pipeline, cache = loader.load(bench.folder / "pipeline.yaml"), Cache(tmp_path / "cache")
    run = tmp_path / "results" / "run"
    run.mkdir(parents=True)
    return Workspace(pipeline, cache, run, SILENT, splat.load_rules(None), datetime.date.today())


def request(good: str, bad: str) -> bisect_run.Request:
    return bisect_run.Request(good=good, bad=bad, symptom=parse("boot"), tree="toy", runs=1)


def test_the_version_that_brings_a_symptom_is_found(workspace: Workspace) -> None:
    outcome = bisect_run.run(request("1.0.1-1", "1.0.12-1"), workspace)
    assert outcome.exit_code == 0, outcome.reason
    assert "1.0.11-1" in outcome.reason and "its parent does not" in outcome.reason
    searched = {step.label: step.term for step in outcome.state.searched()}
    assert searched == {"1.0.10-1": Term.GOOD, "1.0.11-1": Term.BAD}
    assert outcome.state.step(Role.WITHOUT) is None
    assert "1.0.11-1" in (workspace.directory / "bisect.log").read_text()


def test_a_version_that_the_mirror_has_no_more_is_skipped(workspace: Workspace, mirror: Mirror) -> None:
    for version in ("1.0.2-1", "1.0.10-1", "1.0.11-1"):
        mirror.package(version).unlink()
    outcome = bisect_run.run(request("1.0.1-1", "1.0.12-1"), workspace)
    assert outcome.exit_code == 4, outcome.reason
    assert "one of 4" in outcome.reason and "3 cannot be asked" in outcome.reason
    assert all(step.term is Term.SKIP and "has it no more" in step.reason for step in outcome.state.searched())


def test_a_finished_bisect_is_told_again_without_a_step(workspace: Workspace) -> None:
    wanted = request("1.0.10-1", "1.0.11-1")
    first = bisect_run.run(wanted, workspace)
    again = bisect_run.run(wanted, workspace)
    assert first.exit_code == 0 and again == dataclasses.replace(first)


def test_versions_that_are_not_there_or_in_the_wrong_order_are_refused(workspace: Workspace) -> None:
    with pytest.raises(UserError, match=r"--good 1\.0\.3-1: suite .* has 1\.0\.1-1, 1\.0\.2-1, 1\.0\.10-1"):
        bisect_run.run(request("1.0.3-1", "1.0.12-1"), workspace)
    with pytest.raises(UserError, match="is not older than"):
        bisect_run.run(request("1.0.12-1", "1.0.2-1"), workspace)
