"""What a job expects of its tests on the kernel that it built, and what it reads on the consoles of its guests."""

from __future__ import annotations

import contextvars
import datetime
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.config.schema import Pipeline
from orchestrator.errors import Cancelled, InfraError, KernelError
from orchestrator.host import process
from orchestrator.host.cache import Cache
from orchestrator.model import Kernel, Status
from orchestrator.parse import splat
from orchestrator.pipeline import job_record, plan
from orchestrator.pipeline.context import Workspace
from orchestrator.progress import SILENT

EXPECTED = "columns: [stock]\ntests: {S01: {stock: pass}}\nneeds: {SWAP: [S01]}\n"


def test_what_a_kernel_lacks_is_expected_to_be_skipped(tmp_path: Path) -> None:
    (tmp_path / "e.yaml").write_text(EXPECTED)
    pipeline = _pipeline(tmp_path)
    (job,) = plan.expand(pipeline, "smoke").jobs
    (tmp_path / "e.yaml").unlink()  # it was read once, for the plan
    for line, status in (
        ("CONFIG_SWAP=y", Status.PASS),
        ("CONFIG_SWAP=m", Status.PASS),
        ("# CONFIG_SWAP is not set", Status.SKIP),
        ("CONFIG_SWAPPER=y", Status.SKIP),
    ):
        (tmp_path / "config").write_text(f"CONFIG_64BIT=y\n{line}\n")
        assert job_record.expected(job, _kernel(tmp_path / "config"))["uffd"].of("S01", job.expect) is status
    assert job_record.expected(replace(job, suites=()), None) == {}
    assert job_record.expected(job)["uffd"].of("S01", job.expect) is Status.PASS


def _kernel(config: Path) -> Kernel:
    none = Path("/none")
    return Kernel("", none, none, config, None, "", "", "", "", (), none)


def _pipeline(folder: Path) -> Pipeline:
    return Pipeline.model_validate(
        {
            "trees": {"old": {"source": {"provider": "path", "path": "/old"}, "expect": "stock"}},
            "variants": {"small": {}},
            "suites": {"uffd": {"directory": "/tests", "expected": folder / "e.yaml"}},
            "modes": {"smoke": {"trees": ["old"], "variants": ["small"], "suites": ["uffd"]}},
        }
    )


def made_record(folder: Path) -> job_record.JobRecord:
    (folder / "e.yaml").write_text(EXPECTED)
    pipeline = _pipeline(folder)
    (job,) = plan.expand(pipeline, "smoke").jobs
    today = datetime.date(2026, 1, 1)
    workspace = Workspace(pipeline, Cache(folder), folder / "run", SILENT, splat.load_rules(None), today)
    return job_record.JobRecord(job, workspace)


@pytest.mark.parametrize(
    ("fault", "note"),
    [
        (KernelError("it panics"), "why: it panics"),
        (PermissionError(13, "denied"), "why: unexpected PermissionError at test_job_record.py:"),
        (ZeroDivisionError("odd"), "why: unexpected ZeroDivisionError at test_job_record.py:"),
    ],
)
def test_a_fault_of_what_comes_behind_the_verdict_is_a_note(tmp_path: Path, fault: Exception, note: str) -> None:
    record = made_record(tmp_path)
    with record.noting("why"):
        raise fault
    (said,) = record.notes
    assert said.startswith(note)


def test_what_nobody_wants_any_more_is_no_note(tmp_path: Path) -> None:
    record, group = made_record(tmp_path), process.ChildGroup()
    group.cut()

    def work() -> None:
        process.use_group(group)
        with record.noting("why"):
            raise InfraError("QEMU was killed by signal 15")

    with pytest.raises(Cancelled):
        contextvars.copy_context().run(work)
    assert record.notes == []


def test_what_came_after_lockdep_had_ended_is_known_to_have_had_no_checker(tmp_path: Path) -> None:
    record, config = made_record(tmp_path), tmp_path / "config"
    console = record.directory / "boot-1" / "console.log"
    console.parent.mkdir()
    console.write_text(
        "[    1.000000] wpci: begin T05\n[    1.100000] WARNING: possible recursive locking detected\n"
        "[    1.200000] wpci: end T05\n[    2.000000] Disabling lock debugging due to kernel taint\n"
    )
    config.write_text("CONFIG_LOCKDEP=y\n")
    record.products = replace(record.products, kernel=_kernel(config))
    (note,) = record.save().notes
    assert note == (
        "lockdep ended itself during T05 (lockdep: possible recursive locking detected): "
        "what came after it in that guest had no such checker"
    )
    config.write_text("# CONFIG_LOCKDEP is not set\n")
    assert record.save().notes == ()


def test_a_console_is_scanned_again_only_when_it_has_grown(tmp_path: Path) -> None:
    told = made_record(tmp_path)
    console = told.directory / "boot-1" / "console.log"
    console.parent.mkdir()
    bug = "[    1.000000] BUG: Bad page state in process a  pfn:00001\n"
    console.write_text(bug)
    (found,) = told.save().splats
    assert found.console == console and found.title.startswith("BUG: Bad page state")
    console.write_text("x" * len(bug))
    assert told.save().splats == (found,), "nobody looked again at a console that has not grown"
    console.write_text(bug + "[    2.000000] BUG: Bad page map in process a  pte:8000000000000025 pmd:00000001\n")
    assert len(told.save().splats) == 2
