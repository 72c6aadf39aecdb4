"""What is seen of a kernel that died or hung: a kernel with faults, each in the program that asks for it."""

from __future__ import annotations

import re
import subprocess
import sys
from ast import literal_eval
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from orchestrator.model import Evidence, Status
from orchestrator.report import result_json

pytest.importorskip("drgn")
pytestmark = pytest.mark.nightly  # it builds a kernel of its own

PLANTED = Path(__file__).parent / "planted"
PROGRAMS = ("plant-null", "plant-marker", "plant-leak", "plant-lock")  # what it deadlocks stays in its guest


def run(results: Path, names: Sequence[str] = PROGRAMS, variant: str = "smoke") -> Mapping[str, Evidence]:
    """Run programs, all four of them, on the planted kernel as a user does; return the evidence of each."""
    programs = [word for name in names for word in ("--program", str(PLANTED / f"{name}.c"))]
    command = [sys.executable, "-m", "orchestrator.cli", "run", "-c", str(PLANTED / "pipeline.yaml")]
    options = ["--series", "planted", "--variant", variant, "--timeout", "4s", "--results", str(results)]
    done = subprocess.run([*command, *options, *programs], check=False)
    assert done.returncode == 1
    return {seen.test: seen for seen in result_json.read_run(results / "last" / "result.json").evidence}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def seen(results: Path) -> Mapping[str, Evidence]:
    return run(results)


def test_a_null_pointer_in_a_fault_names_the_function_and_its_line(seen: Mapping[str, Evidence]) -> None:
    evidence = seen["plant-null"]
    assert evidence.status is Status.CRASHED
    assert re.fullmatch(r"plant-null \[R\] in do_wp_page \(mm/memory\.c:\d+\)", evidence.kernel[1])
    assert evidence.postmortem is not None and "vmf = (struct vm_fault *)" in evidence.postmortem.read_text()


def test_a_deadlock_on_mmap_lock_names_who_waits_and_who_has_it(seen: Mapping[str, Evidence]) -> None:
    evidence = seen["plant-lock"]
    assert evidence.status is Status.TIMEOUT
    assert re.match(r"plant-lock \[D\] in do_mprotect_pkey \(mm/mprotect\.c:\d+\)", evidence.kernel[1])
    assert evidence.kernel[2] == "waits for mmap_lock of plant-lock to write, held by plant-lock to write"


def test_with_lockdep_it_is_known_who_took_which_lock_where(tmp_path: Path) -> None:
    text = run(tmp_path, ["plant-lock"], "main")["plant-lock"].postmortem
    assert text is not None and "  plant-lock: &mm->mmap_lock to write, taken in do_mprotect_pkey" in text.read_text()


def test_processors_that_all_spin_are_seen_though_the_guest_answers_nobody(tmp_path: Path) -> None:
    evidence = run(tmp_path, ["plant-spin"])["plant-spin"]
    assert evidence.status is Status.TIMEOUT
    assert re.fullmatch(r"plant-spin \[R\] in planted_spin \(mm/mprotect\.c:\d+\)", evidence.kernel[1])


def test_a_writer_that_nobody_serves_names_its_address_and_pte(seen: Mapping[str, Evidence]) -> None:
    evidence = seen["plant-marker"]
    assert evidence.status is Status.TIMEOUT
    assert re.match(r"plant-marker \[S\] in handle_userfault \(fs/userfaultfd\.c:\d+\)", evidence.kernel[1])
    assert re.match(r"waits for a userfault \(wp, write\) at 0x[0-9a-f]+ to be resolved, nobody", evidence.kernel[2])
    assert "7 marker, 1 present P" in evidence.kernel[3]


def test_markers_that_were_left_behind_are_counted_where_they_are(seen: Mapping[str, Evidence]) -> None:
    evidence = seen["plant-leak"]
    assert evidence.status is Status.TIMEOUT
    assert re.fullmatch(r"plant-leak \[S\] in \w*sys_pause \(kernel/signal\.c:\d+\)", evidence.kernel[1])
    assert re.fullmatch(r"waits in \w*sys_pause", evidence.kernel[2])
    assert "8 marker left where nothing is registered" in evidence.kernel[-1]


def test_the_same_bug_gives_the_same_text_but_for_addresses(seen: Mapping[str, Evidence], tmp_path: Path) -> None:
    again = run(tmp_path)
    for name in PROGRAMS:
        texts = [one[name].postmortem for one in (seen, again)]
        first, second = (re.sub(r"\b(?:0x)?[0-9a-f]{5,16}\b", "N", text.read_text()) for text in texts if text)
        assert _essential(first) == _essential(second), name


def inspected(results: Path, expression: str, *options: str) -> str:
    """Return what `wpci inspect` prints of an expression, in the dump of the last run."""
    command = [sys.executable, "-m", "orchestrator.cli", "inspect", "--results", str(results), "-e", expression]
    return subprocess.run([*command, *options], check=True, capture_output=True, text=True).stdout


@pytest.mark.usefixtures("seen")
def test_a_guest_that_runs_is_looked_at(results: Path) -> None:
    kernel = result_json.read_run(results / "last" / "result.json").jobs[-1].products.kernel
    asked = "report() or (prog['init_uts_ns'].name.release.string_().decode(), task(1).comm.string_().decode())"
    *report, names = inspected(results, asked, "--live").splitlines()
    assert kernel and literal_eval(names) == (kernel.release, "init")
    assert report[0] == "looked at" and "Tasks that are not idle" in report
    assert [line for line in report if line.startswith("Memory: ")] and any("wpci: ready" in line for line in report)


def test_the_shell_says_where_markers_stand_and_who_waits(tmp_path: Path) -> None:
    seen = run(tmp_path, ["plant-marker"])["plant-marker"]
    found = literal_eval(inspected(tmp_path, "markers('plant-marker')"))
    start = found[0]
    assert found == [start + 4096 * page for page in (0, 2, 3, 4, 5, 6, 7)], "a page came where it writes"
    ptes = f"pte('plant-marker', {start}), pte('plant-marker', {start + 4100})"
    assert literal_eval(inspected(tmp_path, ptes)) == ("marker", "present P")
    head, *runs = inspected(tmp_path, "ptes('plant-marker')").splitlines()
    assert head == f"{start:#x}-{start + 8 * 4096:#x}"
    assert [line.split(maxsplit=1)[1] for line in runs] == ["1 marker", "1 present P", "6 marker"]
    (waits,) = [line for line in inspected(tmp_path, "waits()").splitlines() if line.startswith("plant-marker (")]
    assert f"waits for a userfault (wp, write) at {start + 4096:#x} to be resolved, nobody has read it" in waits
    assert seen.postmortem is not None
    written = seen.postmortem.read_text().rstrip().splitlines()
    assert inspected(tmp_path, "report()").rstrip().splitlines()[1:] == written[1:], "the first line is the occasion"


def test_the_shell_finds_markers_where_nothing_is_registered(tmp_path: Path) -> None:
    run(tmp_path, ["plant-leak"])
    found = literal_eval(inspected(tmp_path, "markers('plant-leak')"))
    assert found == [found[0] + 4096 * page for page in range(8)]
    assert inspected(tmp_path, "ptes('plant-leak')") == "", "that is of what is registered"


def _essential(text: str) -> list[str]:
    """Return what a text says of the task to blame and of userfaultfd: other tasks may be elsewhere."""
    lines = text.splitlines()
    return [*lines[: lines.index("Tasks that are not idle")], *lines[lines.index("What userfaultfd has") :][:3]]
