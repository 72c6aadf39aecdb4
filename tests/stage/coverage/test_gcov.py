"""Counters as a kernel leaves them, of objects that gcc compiled as kbuild does, read by gcov in its cage."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest

from orchestrator.coverage import gcov, measure
from orchestrator.coverage.measure import Counting
from orchestrator.errors import InfraError
from orchestrator.model.coverage import DiffFile, DiffHunk, DiffLine, Reach
from orchestrator.pipeline import tracing

HEADER = "static inline int half(int n)\n{\n\tif (n < 0)\n\t\treturn 0;\n\treturn n / 2;\n}\n"
SOURCE = """\
#include "half.h"
static int never(int n)
{
\treturn n + 1;
}
int main(int argc, char **argv)
{
\tif (argc > 5)
\t\treturn never(half(argc));
\treturn half(0);
}
"""
LINES = {"mm/a.c": (1, 4, 8, 9, 10), "include/half.h": (3, 4, 5), "mm/other.c": (1,)}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a tree with an object in an output folder of its own, and the counters of one run of it."""
    for name, text in {"mm/a.c": SOURCE, "include/half.h": HEADER}.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    out = tmp_path / ".out"
    (out / "mm").mkdir(parents=True)
    for argv in (["gcc", "--coverage", "-O0", "-I../include", "-c", "-o", "mm/a.o", "../mm/a.c"],
                 ["gcc", "--coverage", "-o", "a", "mm/a.o"], ["./a"]):  # fmt: skip
        subprocess.run(argv, cwd=out, check=True)
    return tmp_path


def archived(tree: Path, name: str = f"boot-1/{gcov.FILE}") -> Path:
    """Return the counters as a guest sends them: by their whole path."""
    archive = tree / name
    archive.parent.mkdir(exist_ok=True)
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(tree / ".out/mm/a.gcda", "./some/folder/.out/mm/a.gcda")
        packed.add(tree / "mm/a.c", "./some/folder/.out/mm/a.c")
    return archive


def notes(tree: Path) -> Path:
    """Return a folder with the notes alone, as a kernel in the cache has it."""
    (tree / "gcno/mm").mkdir(parents=True)
    (tree / ".out/mm/a.gcno").rename(tree / "gcno/mm/a.gcno")
    return tree / "gcno"


def test_lines_that_ran_are_told_from_those_that_did_not_and_headers_count(tree: Path) -> None:
    folder = notes(tree)
    assert gcov.objects(folder, LINES) == ("mm/a",) and gcov.objects(folder, ["mm/other.c"]) == ()
    seen = gcov.read(folder, archived(tree), ("mm/a",), LINES)
    ran = {("mm/a.c", 8), ("mm/a.c", 10), ("include/half.h", 3), ("include/half.h", 5)}
    assert seen.ran == ran
    assert seen.code == ran | {("mm/a.c", 4), ("mm/a.c", 9), ("include/half.h", 4)}


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[: len(data) // 2], lambda data: b"no archive"])
def test_counters_that_are_damaged_are_said_to_be_so(tree: Path, damage: object) -> None:
    archive = archived(tree)
    archive.write_bytes(damage(archive.read_bytes()))  # type: ignore[operator]
    with pytest.raises(InfraError, match=r"^the counters of this guest cannot be read: "):
        gcov.read(notes(tree), archive, ("mm/a",), LINES)


def test_notes_of_another_build_are_said_to_be_so(tree: Path) -> None:
    archive, folder = archived(tree), notes(tree)
    (folder / "mm/a.gcno").write_bytes(b"no notes")
    with pytest.raises(InfraError, match=r"gcov; .*mm/a.gcda:stamp mismatch with notes file"):
        gcov.read(folder, archive, ("mm/a",), LINES)
    with pytest.raises(InfraError, match="it left none of the changed lines"):
        gcov.read(folder, archive, ("mm/b",), LINES)


@pytest.mark.parametrize("wanted", ["mm/a", "arch/x86/mm/a"])
def test_an_object_has_the_counters_of_no_other_whose_path_ends_as_its(tree: Path, wanted: str) -> None:
    archive, folder = archived(tree), notes(tree)
    (folder / "arch/x86/mm").mkdir(parents=True)
    (folder / "arch/x86/mm/a.gcno").write_bytes(b"no notes")
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(tree / ".out/mm/a.gcda", "./some/folder/.out/mm/a.gcda")
        packed.add(tree / "mm/a.c", "./some/folder/.out/arch/x86/mm/a.gcda")
    if wanted == "mm/a":
        assert ("mm/a.c", 10) in gcov.read(folder, archive, (wanted,), LINES).ran
    else:
        with pytest.raises(InfraError, match=r"arch/x86/mm/a\.g"):
            gcov.read(folder, archive, (wanted,), LINES)


def test_what_any_guest_ran_ran_and_counters_of_one_that_are_damaged_cost_no_other_its(tree: Path) -> None:
    consoles = [tree / name / "console.log" for name in ("boot-1", "boot-2", "boot-3", "boot-4")]
    archived(tree)
    subprocess.run(["./a", *"12345"], cwd=tree / ".out", check=False)
    archived(tree, f"boot-2/{gcov.FILE}")
    archived(tree, f"boot-3/{gcov.FILE}").write_bytes(b"no archive")
    lines = tuple(DiffLine("+", number, text) for number, text in enumerate(HEADER.splitlines(), 1))
    files = (DiffFile("include/half.h", (DiffHunk("", lines),)),)
    subject = Counting(files, notes(tree), ("mm/a",))
    noted: list[str] = []
    known = measure.counted(subject, tracing.seen_by_guests(subject, consoles, noted))
    assert [note.partition(": ")[0] for note in noted] == ["boot-3"]
    assert [line.number for _, line in known.changed if line.reach is Reach.MISSED] == [4]
    assert measure.counts(known).ran == 3
    with pytest.raises(InfraError, match=r"^boot-3: "):
        tracing.seen_by_guests(subject, consoles[2:], noted)
