"""Line tables of a program that a compiler made as kbuild does: in a folder of the tree, which it calls ``..``."""

import subprocess
from pathlib import Path

import pytest

from orchestrator.errors import InfraError
from orchestrator.kbuild import line_table
from orchestrator.kbuild.line_table import Lines, Place

HEADER = """\
extern volatile int sink;
#define UNUSED 1
static inline __attribute__((always_inline)) int twice(int x)
{
\tsink = x;
\treturn x * 2;
}
"""
SOURCE = """\
#include "../include/twice.h"
volatile int sink;
/* a comment */
int first(int x)
{
\treturn twice(x);
}
int second(int x)
{
\tif (x)
\t\tsink = twice(x + 1);
\treturn x;
}
int main(void) { return first(sink) + second(sink); }
"""


def built(tree: Path, *options: str) -> Path:
    (tree / "mm").mkdir(parents=True)
    (tree / "include").mkdir()
    (tree / "include/twice.h").write_text(HEADER)
    (tree / "mm/a.c").write_text(SOURCE)
    out = tree / ".out-x"
    out.mkdir()
    subprocess.run(["gcc", "-O1", "-no-pie", *options, "-o", "vmlinux", "../mm/a.c"], cwd=out, check=True)
    return out / "vmlinux"


def of(lines: Lines, place: Place) -> int:
    return sum(place in places for places in lines.places)


@pytest.mark.parametrize("version", [4, 5])
def test_lines_have_code_where_the_compiler_says_so_each_inlined_copy(tmp_path: Path, version: int) -> None:
    vmlinux = built(tmp_path / "tree", f"-gdwarf-{version}")
    wanted = {"mm/a.c": range(1, 20), "include/twice.h": range(1, 9)}
    lines = line_table.read(vmlinux, wanted, ("first", "absent"))
    assert of(lines, ("include/twice.h", 5)) >= 2
    assert of(lines, ("mm/a.c", 10)) and of(lines, ("mm/a.c", 12))
    assert not any(of(lines, ("mm/a.c", line)) for line in (1, 2, 3)) and not of(lines, ("include/twice.h", 2))
    assert set(lines.symbols) == {"first"}
    start = lines.symbols["first"]
    assert any(begin == start for begin, _ in lines.pieces)
    assert all(a < b <= c for (a, b), (c, _) in zip(lines.pieces, lines.pieces[1:], strict=False))


def test_only_what_is_wanted_is_there(tmp_path: Path) -> None:
    lines = line_table.read(built(tmp_path / "tree", "-g"), {"mm/a.c": [12]})
    assert {place for places in lines.places for place in places} == {("mm/a.c", 12)}


def test_a_kernel_without_debug_information_is_named_so(tmp_path: Path) -> None:
    vmlinux = built(tmp_path / "tree", "-s")
    with pytest.raises(InfraError, match="no debug information"):
        line_table.read(vmlinux, {"mm/a.c": [12]})


def test_what_is_no_elf_file_is_a_fault_of_the_host(tmp_path: Path) -> None:
    (tmp_path / "vmlinux").write_text("no kernel")
    with pytest.raises(InfraError, match="vmlinux"):
        line_table.read(tmp_path / "vmlinux", {"mm/a.c": [12]})
