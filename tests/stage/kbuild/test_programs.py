"""Test programs: our own from a folder, and those of a tree."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from pathlib import Path

import pytest

from orchestrator.config.suites import ProgramConfig, Suite
from orchestrator.errors import KernelError, UserError
from orchestrator.host.cache import Cache
from orchestrator.host.process import FOREVER
from orchestrator.kbuild import programs, tree_suite
from orchestrator.kbuild.place import out_folder
from orchestrator.model import Programs
from orchestrator.progress import SILENT

MAKEFILE = "all: $(O)/hello\n$(O)/hello: hello.c ; echo called >> calls.log; $(CC) -static -o $@ $<\n"
HELLO = '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n'
IN_TREE = """\
CFLAGS = -Wall $(EXTRA_CFLAGS)
$(OUTPUT)/%: %.c
	$(CC) $(CFLAGS) -o $@ $<
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = tmp_path / "guest-tests"
    folder.mkdir()
    (folder / "Makefile").write_text(MAKEFILE)
    (folder / "hello.c").write_text(HELLO)
    return folder


def build(own: Path) -> Programs:
    return programs.build_own("own", own, Cache(own.parent / "cache"), SILENT, FOREVER, 2)


def calls(own: Path) -> int:
    log = own / "calls.log"
    return len(log.read_text().splitlines()) if log.exists() else 0


def test_our_programs_are_built_once(own: Path) -> None:
    first = build(own)
    assert subprocess.check_output([first.directory / "hello"], text=True) == "hello\n"
    assert build(own) == first
    assert calls(own) == 1


def test_a_changed_source_is_built_again(own: Path) -> None:
    first = build(own)
    (own / "hello.c").write_text(HELLO.replace("hello", "goodbye"))
    second = build(own)
    assert second.sha256 != first.sha256 and calls(own) == 2
    (own / "expected.yaml").write_text("{}")
    assert build(own) == second and calls(own) == 2


def test_whatever_make_may_read_is_a_source(own: Path) -> None:
    build(own)
    for number, name in enumerate(("table.inc", "a script", "data/page.bin"), 2):
        (own / name).parent.mkdir(exist_ok=True)
        (own / name).write_text(name)
        build(own)
        assert calls(own) == number, name


def test_what_a_source_includes_from_another_folder_is_part_of_it(own: Path) -> None:
    common = own.parent / "common"
    common.mkdir()
    (own / "linked").symlink_to(common)
    (own / "hello.c").write_text(f'#include "../common/x.h"\n# include "linked/z.h"\n{HELLO}')
    for name, text in (("x.h", '#include "y.h"\n'), ("y.h", ""), ("z.h", "")):
        (common / name).write_text(text)
    for number, name in enumerate(("x.h", "y.h", "z.h"), 1):
        build(own)
        assert calls(own) == number and build(own) and calls(own) == number
        (common / name).write_text((common / name).read_text() + "\n")
    assert {own / "../common" / "y.h", own / "linked" / "z.h"} < programs.contents(own).keys()


def test_a_program_that_was_damaged_is_built_again(own: Path) -> None:
    first = build(own)
    (first.directory / "hello").write_text("")
    assert build(own) == first
    assert subprocess.check_output([first.directory / "hello"], text=True) == "hello\n"


def test_our_own_broken_program_is_the_users_fault(own: Path) -> None:
    (own / "hello.c").write_text("int main(void) { return x; }\n")
    with pytest.raises(UserError, match=r"suite own does not build: hello.c:1:25: error: ‘x’ undeclared"):
        build(own)
    (own / "hello.c").write_text(HELLO)
    assert build(own)


def test_a_makefile_that_leaves_nothing_is_an_error(own: Path) -> None:
    (own / "Makefile").write_text("all: ;\n")
    with pytest.raises(UserError, match="no program"):
        build(own)


def in_tree(tmp_path: Path, *runs: str, make: tuple[str, ...] = ()) -> tree_suite.TreeSuite:
    source = tmp_path / "tree"
    if not source.exists():
        shutil.copytree(Path(__file__).parents[2] / "fakes" / "fakelinux", source)
        folder = source / "tools/testing/selftests/vm"
        folder.mkdir(parents=True)
        (folder / "Makefile").write_text(IN_TREE)
        (folder / "uffd.c").write_text("#include <linux/fake.h>\nint main(void) { return 0; }\n")
        (folder / "run.sh").write_text("#!/bin/sh\n")
    named = tuple(ProgramConfig(name=f"p{number}", run=run) for number, run in enumerate(runs))
    config = Suite(kind="tree", directory=Path("tools/testing/selftests/vm"), make=make, programs=named)
    return tree_suite.TreeSuite("vm", config, source, "content", out_folder(source, "selftests"), jobs=2)


def build_tree(suite: tree_suite.TreeSuite) -> Programs:
    return tree_suite.build_from_tree(suite, Cache(suite.source.parent / "cache"), SILENT, FOREVER)


def test_programs_of_a_tree_use_its_own_headers_and_are_static(tmp_path: Path) -> None:
    built = build_tree(in_tree(tmp_path, "./uffd anon 16", "./uffd shmem 16", "./run.sh"))
    assert sorted(path.name for path in built.directory.iterdir()) == ["run.sh", "uffd"]
    header = subprocess.run(["readelf", "-l", built.directory / "uffd"], capture_output=True, text=True, check=True)
    assert "INTERP" not in header.stdout
    assert build_tree(in_tree(tmp_path, "./uffd anon 16", "./uffd shmem 16", "./run.sh")) == built


def test_a_suites_own_variables_win(tmp_path: Path) -> None:
    built = build_tree(in_tree(tmp_path, "./uffd", make=("CFLAGS=-DX -I$(OUTPUT)/../usr/include",)))
    header = subprocess.run(["readelf", "-l", built.directory / "uffd"], capture_output=True, text=True, check=True)
    assert "INTERP" in header.stdout


def test_a_program_of_the_tree_that_does_not_build_is_its_fault(tmp_path: Path) -> None:
    suite = in_tree(tmp_path, "./uffd")
    (suite.source / "tools/testing/selftests/vm/uffd.c").write_text("#include <linux/none.h>\n")
    with pytest.raises(KernelError, match=r"suite vm does not build: uffd.c:1:10: fatal error: linux/none.h"):
        build_tree(suite)


def test_of_programs_that_a_tree_may_lack_those_that_are_there_are_built_and_one_that_is_broken_says_so(
    tmp_path: Path,
) -> None:
    suite = in_tree(tmp_path, "./uffd", "./odd", "./newer", "./run.sh")
    (suite.source / "tools/testing/selftests/vm/odd.c").write_text("int main(void) { return ODD; }\n")
    places = {"directory": Path("tools/testing/selftests/mm"), "or_directories": (suite.config.directory,)}
    config = tree_suite.in_tree(suite.config.model_copy(update={**places, "absent": "skip"}), suite.source)
    assert [program.called for program in config.programs] == ["uffd", "odd", "run.sh"]
    built = build_tree(dataclasses.replace(suite, config=config))
    assert sorted(path.name for path in built.directory.iterdir()) == ["odd", "run.sh", "uffd"]
    done = subprocess.run([built.directory / "odd"], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "not ok 1 builds" in done.stdout
    assert "# odd.c:1:25: error: 'ODD' undeclared" in done.stdout.replace("‘", "'").replace("’", "'")


def test_programs_of_which_none_builds_are_the_trees_fault(tmp_path: Path) -> None:
    suite = in_tree(tmp_path, "./odd")
    (suite.source / "tools/testing/selftests/vm/odd.c").write_text("int main(void) { return ODD; }\n")
    config = suite.config.model_copy(update={"absent": "skip"})
    with pytest.raises(KernelError, match=r"suite vm does not build: odd.c:1:25: error"):
        build_tree(dataclasses.replace(suite, config=config))


def test_a_program_that_nothing_makes_is_named(tmp_path: Path) -> None:
    with pytest.raises(KernelError, match="make left no nothing"):
        build_tree(in_tree(tmp_path, "./uffd", "./nothing"))


@pytest.mark.parametrize("directory", ["tools/none", "mm/../tools"])
def test_a_folder_without_a_makefile_is_the_users_fault(tmp_path: Path, directory: str) -> None:
    suite = in_tree(tmp_path, "./uffd")
    config = suite.config.model_copy(update={"directory": Path(directory)})
    with pytest.raises(UserError, match="no Makefile"):
        build_tree(tree_suite.TreeSuite("vm", config, suite.source, "c", suite.out))


def test_a_program_that_does_not_build_is_not_that_of_an_earlier_tree(tmp_path: Path) -> None:
    suite = in_tree(tmp_path, "./uffd", "./other")
    suite = dataclasses.replace(suite, config=suite.config.model_copy(update={"absent": "skip"}))
    folder = suite.source / suite.config.directory
    (folder / "other.c").write_text("int main(void) { return 0; }\n")
    build_tree(suite)
    (folder / "uffd.c").write_text("int main(void) { return x; }\n")
    built = build_tree(dataclasses.replace(suite, content="later"))
    assert b"not ok 1 builds" in (built.directory / "uffd").read_bytes()
    assert b"not ok 1 builds" not in (built.directory / "other").read_bytes()
    (folder / "Makefile").write_text("$(error no)\n")
    with pytest.raises(KernelError, match="suite vm does not build"):
        build_tree(dataclasses.replace(suite, content="last"))


def test_a_header_that_a_tree_has_no_more_is_not_that_of_an_earlier_one(tmp_path: Path) -> None:
    suite = in_tree(tmp_path, "./uffd")
    build_tree(suite)
    makefile = suite.source / "Makefile"
    makefile.write_text(
        makefile.read_text().replace("@cp $(srctree)/include/fake.h", "@: cp $(srctree)/include/fake.h")
    )
    with pytest.raises(KernelError, match=r"linux/fake.h"):
        build_tree(dataclasses.replace(suite, content="later"))
