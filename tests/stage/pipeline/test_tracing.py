"""What a run says of coverage where nothing can be seen: a note on the patched side, and the same verdict."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import pytest

from orchestrator.coverage.measure import Subject
from orchestrator.errors import InfraError
from orchestrator.guest import protocol
from orchestrator.guest.plugin import trace
from orchestrator.guest.plugin.trace import Trace
from orchestrator.kbuild.line_table import Lines
from orchestrator.model import rundir
from orchestrator.pipeline import tracing
from tests.stage.pipeline.test_run import GOOD, Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.series(*GOOD)
    return bench


def reasons(bench: Bench) -> dict[str, str]:
    return {job["side"]: job["no_coverage"] for job in bench.result()["jobs"]}


def test_a_qemu_that_takes_no_plugin_is_a_note_of_the_patched_side_and_the_verdict_stays(bench: Bench) -> None:
    bench.configure("guest:", "coverage: false\n")
    code, _ = bench.run()
    without, seen = reasons(bench), [job["verdict"] for job in bench.result()["jobs"]]
    bench.configure("guest:")
    again, output = bench.run()
    assert (code, seen) == (again, [job["verdict"] for job in bench.result()["jobs"]]), output
    assert without == {"base": "", "patched": ""}
    assert reasons(bench)["base"] == "" and reasons(bench)["patched"].startswith("QEMU takes no plugin: ")
    assert "coverage  no coverage: QEMU takes no plugin: " in output
    assert "no coverage: QEMU takes no plugin" in (bench.folder / "results" / "last" / "summary.md").read_text()


def test_a_kernel_that_counts_keeps_its_notes_and_a_guest_without_counters_is_said_to_be_so(bench: Bench) -> None:
    bench.configure("guest:")
    (bench.folder / "small.config").write_text("CONFIG_64BIT=y\nCONFIG_SWAP=y\nCONFIG_SHMEM=y\nCONFIG_GCOV_KERNEL=y\n")
    code, output = bench.run()
    assert code == 0, output
    job = bench.result()["jobs"][1]
    notes = Path(job["products"]["kernel"]["notes"])
    assert {str(path.relative_to(notes)) for path in notes.rglob("*.gcno")} >= {"mm/memory.gcno", "init/main.gcno"}
    assert {path.suffix for path in notes.rglob("*") if path.is_file()} == {".gcno"}
    assert job["no_coverage"] == "no guest came to an end at which its counters could be taken"
    assert any(note.startswith("boot-1: ") for note in job["notes"]), job["notes"]


def test_a_series_without_code_in_a_kernel_that_counts_has_no_line_to_run(bench: Bench) -> None:
    bench.configure("guest:")
    (bench.folder / "small.config").write_text("CONFIG_64BIT=y\nCONFIG_SWAP=y\nCONFIG_SHMEM=y\nCONFIG_GCOV_KERNEL=y\n")
    shutil.rmtree(bench.folder / "series")
    bench.series(("include/fake.h", "int fault", "/* Nothing\n * runs.\n */\nint fault"))
    _, output = bench.run()
    job = bench.result()["jobs"][1]
    assert job["no_coverage"] == "" and job["coverage"]["changed"] == 3 and job["coverage"]["code"] == 0, output
    assert not [note for note in job["notes"] if "counters" in note]


def test_a_guest_whose_qemu_did_not_start_costs_no_other_its_trace(tmp_path: Path) -> None:
    traced = Trace(tmp_path / "coverage.so", ((1, 2), (5, 6)), 0)
    subject = Subject((), Lines(traced.pieces, ((), ()), {}), traced)
    consoles = [tmp_path / name / rundir.CONSOLE for name in ("boot-1", "boot-2", "template-1")]
    for console in consoles:
        console.parent.mkdir()
        console.write_text("")
        console.with_name(protocol.ROWS).write_text("")
        traced.prepare(console.parent)
    with pytest.raises(InfraError, match="no guest left a trace"):
        tracing.traced_in_guests(subject, consoles)
    ran_second_piece(consoles[1].with_name(trace.FILE))
    assert [seen.outside for seen in tracing.traced_in_guests(subject, consoles)] == [0b10]
    assert tracing.traced_in_guests(Subject((), Lines((), (), {}), None), []) == []


def ran_second_piece(file: Path) -> None:
    """Write what the plugin does where it was loaded, and the second of two pieces ran."""
    data = bytearray(file.read_bytes())
    struct.pack_into("=Q", data, 40, 1)
    data[64 + 2 * 16 + 1] = 1
    file.write_bytes(data)
