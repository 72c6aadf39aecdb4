"""A fault planted in a series is found by the id of a test: three patches of one .c file each, on a built kernel."""

from __future__ import annotations

import difflib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.model import JobResult, Side
from orchestrator.trees import repository
from tests.boot.conftest import ROOT, MainRun

pytestmark = pytest.mark.nightly  # it builds a kernel for each of its steps
SYMPTOM = "G02_anon-present"
"""A test of write protection on anonymous memory, which Linux 5.10 has of its own."""
EDITS = (
    ("mm/mempool.c", "#include <linux/mm.h>", "#include <linux/mm.h>\nint wpci_first;"),
    ("mm/mprotect.c", "ptent = pte_mkuffd_wp(ptent);", ";"),
    ("mm/mincore.c", "#include <linux/pagemap.h>", "#include <linux/pagemap.h>\nint wpci_third;"),
)


def patch(job: JobResult, number: int) -> str:
    """Return one edit as git format-patch would write it."""
    tree = job.products.tree
    assert tree
    name, old, new = EDITS[number - 1]
    before = repository.git(tree.repository, "show", f"{tree.commit}:{name}") + "\n"
    assert before.count(old) == 1, f"{name} has not one {old!r}"
    was, becomes = (text.splitlines(keepends=True) for text in (before, before.replace(old, new, 1)))
    diff = "".join(difflib.unified_diff(was, becomes, f"a/{name}", f"b/{name}"))
    head = f"From: Dev <dev@example.org>\nSubject: [PATCH {number}/{len(EDITS)}] mm: edit {number}\n\nWhy.\n---\n"
    return f"From {'0' * 40} Mon Sep 17 00:00:00 2001\n{head}diff --git a/{name} b/{name}\n{diff}"


@pytest.fixture(scope="module")
def found(main_run: MainRun, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Path, str]:
    """Bisect the series: exit code, folder of the run, output."""
    folder = tmp_path_factory.mktemp("bisect")
    series = folder / "planted"
    series.mkdir()
    for number in range(1, len(EDITS) + 1):
        (series / f"{number:04}.patch").write_text(patch(main_run.job(Side.BASE), number))
    command = [sys.executable, "-m", "orchestrator.cli", "bisect", "--series", str(series), "--symptom", SYMPTOM]
    done = subprocess.run(
        [*command, "--results", str(folder / "results")], cwd=ROOT, check=False, text=True, capture_output=True
    )
    return done.returncode, (folder / "results" / "last").resolve(), done.stdout + done.stderr


def test_the_patch_that_brings_a_failing_test_is_found(found: tuple[int, Path, str]) -> None:
    code, directory, output = found
    assert code == 0, output
    assert "the first bad commit is 2/3 mm: edit 2" in output and "Dev <dev@example.org>" in output
    steps = json.loads((directory / "state.json").read_text())["steps"]
    assert [s["term"] for s in steps if s["role"] == "tip without it"] == ["good"]
    assert all(s["observations"] for s in steps)


def test_the_base_alone_was_not_built_again(found: tuple[int, Path, str], main_run: MainRun) -> None:
    """Its kernel is that of the main job: the same content, whatever the work tree is called."""
    _, directory, output = found
    steps = json.loads((directory / "state.json").read_text())["steps"]
    good = next(s for s in steps if s["role"] == "good end")
    built = main_run.job(Side.BASE).products.kernel
    assert built and good["kernel"] == built.sha256, output
