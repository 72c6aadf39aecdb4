"""What a run says of coverage where nothing can be seen: a note on the patched side, and the same verdict."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

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
