"""A look at a guest: what of it is kept, and that whatever goes wrong is a note of the job."""

from __future__ import annotations

import datetime
import errno
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.config.schema import Pipeline
from orchestrator.errors import InfraError
from orchestrator.guest import protocol
from orchestrator.guest.hold import Memory
from orchestrator.host.cache import Cache
from orchestrator.host.process import Deadline
from orchestrator.model import Kernel, rundir
from orchestrator.parse import splat
from orchestrator.pipeline import autopsy, plan
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.job_record import JobRecord
from orchestrator.postmortem import look
from orchestrator.postmortem.report import Report
from orchestrator.progress import SILENT
from tests.unit.postmortem.test_kdump import HEADER, pieces

pytest.importorskip("drgn")

SEEN = Report(
    release="5.10.0", panic="", culprit=None, tasks=(), processes=(), locks=(), memory={}, log=(), notes=()
).model_dump_json()
CONSOLE = "wpci: aaaaaaaaaaaa begin T01\n"
LATER = "wpci: bbbbbbbbbbbb end T01\nwpci: cccccccccccc begin T02\n"
ROWS = '[["aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc", "dddddddddddd"], ["T01", "T02"], 0]\n'


class Morgue:
    """A job with a guest whose memory was written, and a reader that does what is wanted in place of drgn."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        pipeline = Pipeline.model_validate(
            {
                "trees": {"old": {"source": {"provider": "path", "path": "/old"}}},
                "variants": {"small": {}},
                "suites": {"own": {"directory": "/tests"}},
                "modes": {"smoke": {"trees": ["old"], "variants": ["small"], "suites": ["own"]}},
            }
        )
        (job,) = plan.expand(pipeline, "smoke").jobs
        today = datetime.date(2026, 1, 1)
        workspace = Workspace(pipeline, Cache(folder / "cache"), folder / "run", SILENT, splat.load_rules(None), today)
        self.record = JobRecord(job, workspace)
        self.guest = self.record.directory / "boot-1"
        self.guest.mkdir(parents=True)
        (self.guest / rundir.CONSOLE).write_text(CONSOLE + LATER)
        (self.guest / protocol.ROWS).write_text(ROWS)
        self.python = folder / "bin" / "python"
        self.python.parent.mkdir()
        monkeypatch.setattr(sys, "executable", str(self.python))
        self.plays("cat <<-'END'\n" + SEEN + "\nEND")

    def plays(self, script: str) -> None:
        self.python.write_text(f"#!/bin/sh\n{script}\n")
        self.python.chmod(0o755)

    def look(self, data: bytes = pieces((4096, b"page"), (0, HEADER)), seconds: float = 20.0) -> None:
        memory = self.guest / "memory-1.pieces"
        memory.write_bytes(data)
        file = self.guest / "kernel"
        file.write_text("")
        kernel = Kernel("k", file, file, file, None, "5.10.0", "00", "", "", (), file)
        examine = autopsy.examiner(self.record, kernel, "boot-1")
        assert examine is not None
        examine(Memory(memory, "T01: out of time", 1, len(CONSOLE)), Deadline.after(seconds))

    @property
    def left(self) -> set[str]:
        return {path.name for path in self.guest.glob("*postmortem*")}


@pytest.fixture
def morgue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Morgue:
    return Morgue(tmp_path, monkeypatch)


def test_what_was_seen_is_kept_for_the_test_that_ran_then(morgue: Morgue) -> None:
    morgue.look()
    assert morgue.record.notes == []
    (seen,) = morgue.record.postmortems
    assert (seen.guest, seen.test, seen.occasion) == ("boot-1", "T01", "T01: out of time")
    assert morgue.left == {"postmortem-1.kdump", "postmortem-1.json", "postmortem-1.txt"}
    assert {seen.dump.name, seen.data.name, seen.text.name} == morgue.left


def test_after_many_looks_at_its_guests_a_job_has_no_other_and_says_so_once(morgue: Morgue) -> None:
    morgue.plays("exit 1")
    for _ in range(autopsy.MOST):
        morgue.look()
    kernel = Kernel("k", morgue.guest, morgue.guest, morgue.guest, None, "", "", "", "", (), morgue.guest)
    assert autopsy.examiner(morgue.record, kernel, "boot-2") is None
    assert autopsy.examiner(morgue.record, kernel, "boot-3") is None
    (note,) = morgue.record.notes[autopsy.MOST :]
    assert note == f"guests that die or hang are not looked at: that was done, or tried, {autopsy.MOST} times"


def test_a_reader_that_does_not_end_is_ended_and_the_dump_is_there(morgue: Morgue) -> None:
    morgue.plays("sleep 1000")
    morgue.look(seconds=1.0)
    (note,) = morgue.record.notes
    assert note.startswith("boot-1: not looked at (T01: out of time): out of time: ")
    assert note.endswith(f"; its memory is in {morgue.guest / 'postmortem-1.kdump'}")
    assert morgue.left == {"postmortem-1.kdump"} and morgue.record.postmortems == []


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo drgn: not a core dump >&2; exit 1", "drgn does not read the guest: drgn: not a core dump"),
        ("echo no json", ""),
        ("echo '{}'", ""),
    ],
)
def test_a_reader_that_fails_is_a_note_and_the_dump_is_there(morgue: Morgue, script: str, why: str) -> None:
    morgue.plays(script)
    morgue.look()
    (note,) = morgue.record.notes
    assert why in note and "; its memory is in " in note
    assert morgue.left == {"postmortem-1.kdump"} and morgue.record.postmortems == []


def test_the_reader_is_told_where_its_libraries_are(morgue: Morgue) -> None:
    morgue.plays('echo "in $PYTHONPATH" >&2; exit 1')
    morgue.look()
    (note,) = morgue.record.notes
    assert f"drgn does not read the guest: in {Path(__file__).parents[3]}" in note


def test_a_fault_that_nobody_foresaw_is_a_note(morgue: Morgue, monkeypatch: pytest.MonkeyPatch) -> None:
    def odd(*_: object) -> None:
        raise ZeroDivisionError("odd")

    monkeypatch.setattr(look, "look", odd)
    morgue.look()
    (note,) = morgue.record.notes
    assert "(T01: out of time): ZeroDivisionError: odd; its memory is in " in note


def test_a_dump_that_ends_in_the_middle_is_a_note_and_leaves_nothing(morgue: Morgue) -> None:
    morgue.look(pieces((0, HEADER), end=False))
    (note,) = morgue.record.notes
    assert note.endswith("ends in the middle")
    assert morgue.left == set() and morgue.record.postmortems == []


@pytest.fixture
def small_files() -> Iterator[None]:
    """Let no file of this process become larger than this: as a full disk, but for the number of the error."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("small_files")
def test_a_dump_for_which_there_is_no_room_is_a_note_and_leaves_nothing(morgue: Morgue) -> None:
    morgue.look(pieces((0, HEADER), (2 << 20, b"page")))
    (note,) = morgue.record.notes
    assert os.strerror(errno.EFBIG) in note
    assert morgue.left == set() and morgue.record.postmortems == []


def test_memory_that_could_not_be_written_is_a_note(morgue: Morgue) -> None:
    memory = Memory(morgue.guest / "memory-1.pieces", "panic", 1, 0, InfraError("no dump today"))
    kernel = Kernel("k", morgue.guest, morgue.guest, morgue.guest, None, "", "", "", "", (), morgue.guest)
    examine = autopsy.examiner(morgue.record, kernel, "boot-1")
    assert examine is not None
    examine(memory, Deadline.after(20))
    assert morgue.record.notes == ["boot-1: not looked at (panic): no dump today"]
