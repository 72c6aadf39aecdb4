"""What is seen of a kernel that died or hung: a kernel with faults, each in the program that asks for it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from orchestrator.model import Evidence, Status
from orchestrator.report import result_json

pytest.importorskip("drgn")
pytestmark = pytest.mark.nightly  # it builds a kernel of its own

PLANTED = Path(__file__).parent / "planted"
PROGRAMS = ("plant-null", "plant-marker", "plant-leak", "plant-lock")  # what it deadlocks stays in its guest


def run(results: Path) -> Mapping[str, Evidence]:
    """Run the four programs on the planted kernel as a user does; return the evidence of each."""
    programs = [word for name in PROGRAMS for word in ("--program", str(PLANTED / f"{name}.c"))]
    command = [sys.executable, "-m", "orchestrator.cli", "run", "-c", str(PLANTED / "pipeline.yaml")]
    options = ["--series", "planted", "--timeout", "4s", "--results", str(results)]
    done = subprocess.run([*command, *options, *programs], check=False)
    assert done.returncode == 1
    return {seen.test: seen for seen in result_json.read_run(results / "last" / "result.json").evidence}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Evidence]:
    return run(tmp_path_factory.mktemp("results"))


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


def test_a_writer_that_nobody_serves_names_its_address_and_pte(seen: Mapping[str, Evidence]) -> None:
    evidence = seen["plant-marker"]
    assert evidence.status is Status.TIMEOUT
    assert re.match(r"plant-marker \[S\] in handle_userfault \(fs/userfaultfd\.c:\d+\)", evidence.kernel[1])
    assert re.match(r"waits for a userfault \(wp, write\) at 0x[0-9a-f]+ to be resolved, nobody", evidence.kernel[2])
    assert "7 marker, 1 present P" in evidence.kernel[3]


def test_markers_that_were_left_behind_are_counted_where_they_are(seen: Mapping[str, Evidence]) -> None:
    evidence = seen["plant-leak"]
    assert evidence.status is Status.TIMEOUT
    assert "8 marker left where nothing is registered" in evidence.kernel[-1]


def test_the_same_bug_gives_the_same_text_but_for_addresses(seen: Mapping[str, Evidence], tmp_path: Path) -> None:
    again = run(tmp_path)
    for name in PROGRAMS:
        texts = [one[name].postmortem for one in (seen, again)]
        first, second = (re.sub(r"\b(?:0x)?[0-9a-f]{5,16}\b", "N", text.read_text()) for text in texts if text)
        assert _essential(first) == _essential(second), name


def _essential(text: str) -> list[str]:
    """Return what a text says of the task to blame and of userfaultfd: other tasks may be elsewhere."""
    lines = text.splitlines()
    return [*lines[: lines.index("Tasks that are not idle")], *lines[lines.index("What userfaultfd has") :][:3]]
