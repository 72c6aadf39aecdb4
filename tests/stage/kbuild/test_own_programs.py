"""Programs of the user's own, as they come: C, script, executable, folder; each runs as ``./NAME``."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from orchestrator.config.suites import ProgramConfig, Suite
from orchestrator.errors import UserError
from orchestrator.guest.rootfs import elf
from orchestrator.host.cache import Cache
from orchestrator.host.process import FOREVER
from orchestrator.kbuild import own_programs, own_sources
from orchestrator.progress import SILENT

C = '#include <stdio.h>\n#include <pthread.h>\nint main(int c, char **v) { puts(c > 1 ? v[1] : "none"); return 3; }\n'


def build(folder: Path, file: str, include: Path | None = None) -> Path:
    """Build one program; return what the guest would run."""
    program = ProgramConfig(name="it", file=folder / file)
    suite = Suite(kind="program", programs=(program,))
    sources = own_sources.of(suite, include, FOREVER)
    return own_programs.build("mine", sources, Cache(folder / "cache"), SILENT, FOREVER).directory / "it"


def run(program: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def write(folder: Path, name: str, text: str, mode: int = 0o644) -> None:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def test_a_c_file_is_compiled_static(tmp_path: Path) -> None:
    write(tmp_path, "r.c", C)
    program = build(tmp_path, "r.c")
    assert run(program, "a b") == (3, "a b\n")
    assert elf.dynamic(program.read_bytes()).interpreter is None


def test_the_headers_of_the_tree_come_first(tmp_path: Path) -> None:
    (tmp_path / "headers" / "include").mkdir(parents=True)
    write(tmp_path / "headers" / "include" / "linux", "toy.h", "#define TOY 7\n")
    write(tmp_path, "r.c", "#include <linux/toy.h>\nint main(void) { return TOY; }\n")
    assert run(build(tmp_path, "r.c", tmp_path / "headers" / "include")) == (7, "")
    with pytest.raises(UserError, match=r"linux/toy.h"):
        build(tmp_path, "r.c")


@pytest.mark.parametrize("text", ["#!/bin/sh\necho $1; exit 5\n", "echo $1; exit 5\n"])
def test_a_script_runs_by_what_it_names_or_by_the_shell(tmp_path: Path, text: str) -> None:
    write(tmp_path, "r.sh", text)
    assert run(build(tmp_path, "r.sh"), "x") == (5, "x\n")


@pytest.mark.parametrize("name", ["r.cpp", "r.cc", "r.C", "r.py", "r.rs"])
def test_a_source_that_is_neither_c_nor_a_script_is_refused_and_not_run_by_the_shell(tmp_path: Path, name: str) -> None:
    write(tmp_path, name, "int main() { return 0; }\n", 0o755)
    with pytest.raises(UserError, match=rf"{name}: no C file .* a folder with a Makefile"):
        build(tmp_path, name)
    write(tmp_path, name, "#!/bin/sh\nexit 5\n")
    assert run(build(tmp_path, name)) == (5, "")


def test_an_executable_is_taken_as_it_is(tmp_path: Path) -> None:
    shutil.copy(shutil.which("true") or "", tmp_path / "r")
    assert run(build(tmp_path, "r")) == (0, "")


@pytest.mark.parametrize("made", ["it", "other"])
def test_a_folder_is_made_in_a_copy_and_starts_in_it(tmp_path: Path, made: str) -> None:
    write(tmp_path / "dir", "Makefile", f"{made}: r.c\n\t$(CC) -static -o $@ $<\n")
    write(tmp_path / "dir", "r.c", '#include <unistd.h>\nint main(void) { return access("data", R_OK) ? 1 : 6; }\n')
    write(tmp_path / "dir", "data", "")
    assert run(build(tmp_path, "dir")) == (6, "")
    assert not (tmp_path / "dir" / made).exists()


def test_what_its_owner_has_made_in_a_folder_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "headers" / "include").mkdir(parents=True)
    write(tmp_path / "headers" / "include" / "linux", "memfd.h", "#define TOY 7\n")
    write(tmp_path / "dir", "Makefile", "it: it.o\n\t$(CC) -static -o $@ $<\n")
    write(
        tmp_path / "dir",
        "it.c",
        "#include <linux/memfd.h>\n#ifndef TOY\n#define TOY 0\n#endif\nint main(void) { return TOY; }\n",
    )
    subprocess.run(["make", "-s", "-C", tmp_path / "dir"], check=True)
    assert run(tmp_path / "dir" / "it") == (0, "")
    assert run(build(tmp_path, "dir", tmp_path / "headers" / "include")) == (7, "")


@pytest.mark.parametrize(
    ("makefile", "message"),
    [(None, "has no Makefile"), ("all: ;\n", "no executable"), ("all: ; touch a b; chmod +x a b\n", "left a, b")],
)
def test_a_folder_that_is_no_program_is_refused(tmp_path: Path, makefile: str | None, message: str) -> None:
    write(tmp_path / "dir", "x.c", "")
    if makefile:
        write(tmp_path / "dir", "Makefile", makefile)
    with pytest.raises(UserError, match=message):
        build(tmp_path, "dir")


def test_unchanged_it_is_built_once_and_a_change_is_seen(tmp_path: Path) -> None:
    write(tmp_path, "r.c", C)
    first = build(tmp_path, "r.c")
    assert build(tmp_path, "r.c") == first
    write(tmp_path, "r.c", C.replace("return 3", "return 4"))
    assert run(build(tmp_path, "r.c"))[0] == 4


def test_a_change_of_what_a_c_file_includes_is_seen(tmp_path: Path) -> None:
    write(tmp_path, "r.c", '#include "part/size of.h"\nint main(void) { return size(); }\n')
    write(tmp_path / "part", "size of.h", '#include "../$other#.c"\n')
    write(tmp_path, "$other#.c", "static int size(void) { return 3; }\n")
    first = build(tmp_path, "r.c")
    assert run(first)[0] == 3 and build(tmp_path, "r.c") == first
    write(tmp_path, "$other#.c", "static int size(void) { return 4; }\n")
    assert run(build(tmp_path, "r.c"))[0] == 4
    write(tmp_path / "part", "size of.h", "static int size(void) { return 5; }\n")
    assert run(build(tmp_path, "r.c"))[0] == 5


def test_a_header_that_only_another_tree_asks_for_counts_there_alone(tmp_path: Path) -> None:
    for name, number in (("old", 1), ("new", 2)):
        (tmp_path / name / "include").mkdir(parents=True)
        write(tmp_path / name / "include" / "linux", "toy.h", f"#define TOY {number}\n")
    source = '#include <linux/toy.h>\n#if TOY > 1\n#include "new.h"\n#endif\nint main(void) { return TOY; }\n'
    write(tmp_path, "r.c", source)
    write(tmp_path, "new.h", "#define TOY_NEW 1\n")
    old, new = (build(tmp_path, "r.c", tmp_path / name / "include") for name in ("old", "new"))
    write(tmp_path, "new.h", "#define TOY_NEW 2\n")
    assert build(tmp_path, "r.c", tmp_path / "old" / "include") == old
    assert build(tmp_path, "r.c", tmp_path / "new" / "include") != new


def test_a_c_file_whose_header_is_not_there_says_so(tmp_path: Path) -> None:
    write(tmp_path, "r.c", '#include "none.h"\nint main(void) { return 0; }\n')
    with pytest.raises(UserError, match=r"program it does not build: .*none\.h"):
        build(tmp_path, "r.c")


def test_a_folder_that_is_linked_into_a_program_is_part_of_it(tmp_path: Path) -> None:
    write(tmp_path / "dir", "Makefile", "it: r.c\n\t$(CC) -static -o $@ $<\n")
    write(tmp_path / "dir", "r.c", '#include "common/size.h"\nint main(void) { return SIZE; }\n')
    write(tmp_path / "shared", "size.h", "#define SIZE 3\n")
    (tmp_path / "dir" / "common").symlink_to(tmp_path / "shared")
    assert run(build(tmp_path, "dir"))[0] == 3
    write(tmp_path / "shared", "size.h", "#define SIZE 4\n")
    assert run(build(tmp_path, "dir"))[0] == 4


def test_a_folder_that_is_linked_into_itself_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "dir", "Makefile", "it:\n\ttouch it\n")
    (tmp_path / "dir" / "again").symlink_to(tmp_path / "dir")
    with pytest.raises(UserError, match=r"again.* leads to itself"):
        build(tmp_path, "dir")


def test_what_a_program_is_made_from_has_what_it_includes(tmp_path: Path) -> None:
    write(tmp_path, "r.c", '#include "size.h"\n')
    write(tmp_path, "size.h", "#define SIZE 3\n")
    write(tmp_path / "dir", "Makefile", "all:\n")
    write(tmp_path / "dir", ".Makefile.swp", "")
    write(tmp_path / "dir" / ".git", "index", "")
    programs = tuple(ProgramConfig(name=name, file=tmp_path / file) for name, file in (("r", "r.c"), ("d", "dir")))
    made_from = own_sources.of(Suite(kind="program", programs=programs), None, FOREVER).contents()
    assert [str(path.relative_to(tmp_path)) for path in made_from] == ["r.c", "size.h", "dir", "dir/Makefile"]


def test_a_c_file_is_kept_with_what_it_includes(tmp_path: Path) -> None:
    included = '#include <linux/of_the_tree.h>\n#include "size.h"\n#include "../common/more.h"\n'
    write(tmp_path / "mine", "r.c", f"{included}int main(void) {{ return SIZE; }}\n")
    write(tmp_path / "mine", "size.h", "#define SIZE 3\n")
    write(tmp_path / "mine", "other.h", "")
    write(tmp_path / "common", "more.h", "#define MORE 1\n")
    suite = Suite(kind="program", programs=(ProgramConfig(name="it", file=tmp_path / "mine" / "r.c"),))
    own_sources.of(suite, None, FOREVER).keep(tmp_path / "kept")
    kept = {str(path.relative_to(tmp_path / "kept")) for path in (tmp_path / "kept").rglob("*") if path.is_file()}
    assert kept == {"it/mine/r.c", "it/mine/size.h", "it/common/more.h"}
