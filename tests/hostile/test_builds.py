"""What a patch makes of its build: a broken tree is its own fault, and nobody takes its word for the host's."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hostile.attack import Attack, strike
from tests.hostile.test_words import error
from tests.stage.cli.test_commands import Table
from tests.stage.pipeline.test_run import GOOD

RUN = ("run",)


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path)


def patched(change: Callable[[Path], object]) -> Callable[[Table], None]:
    """Return what makes the series of a table one patch that changes the tree so."""

    def bring(table: Table) -> None:
        change(table.folder / "tree")
        table.git("add", "-fA")
        table.git("commit", "-q", "-m", "toy: a change")
        table.git("format-patch", "-q", "--binary", "-o", str(table.folder / "series"), "HEAD~1")
        table.git("reset", "-q", "--hard", "HEAD~1")

    return bring


def recipe(after: str) -> Callable[[Table], None]:
    """Return a patch by which the rule of vmlinux ends with these commands."""

    def change(tree: Path) -> None:
        makefile = tree / "Makefile"
        text = makefile.read_text()
        assert "mv $@.tmp $@\n" in text
        makefile.write_text(text.replace("mv $@.tmp $@\n", f"mv $@.tmp $@; {after}\n"))

    return patched(change)


def with_names_of_ours(tree: Path) -> None:
    """Bring what would be an output folder, what is remembered of it, and links to elsewhere."""
    for name in (".out-small", ".out-small.notes", ".out-small-checks"):
        (tree / name / "mm").mkdir(parents=True)
        for path in ("vmlinux", ".config", "build.log", "state.json", "files.json", "mm/memory.o"):
            (tree / name / path).write_text("poison")
    for link in (".out-other", ".out-other.notes", ".out-small-1"):
        (tree / link).symlink_to("/")


RELEASE = "include/config/kernel.release"


def without(symbol: str) -> Callable[[Table], None]:
    def change(tree: Path) -> None:
        path = tree / "mm" / "Kconfig"
        text = path.read_text()
        assert f"config {symbol}\n" in text
        path.write_text(text.replace(f"config {symbol}\n", f"config NOT_{symbol}\n"))

    return patched(change)


ROWS = [
    Attack("a full disk, as the compiler would say it", error("No space left on device"), RUN, 1, ("broke",), "fail"),
    Attack("a killed compiler", error("Killed signal terminated program cc1"), RUN, 1, ("broke",), "fail"),
    Attack("a missing tool", error("x: flex: not found"), RUN, 1, ("broke",), "fail"),
    Attack("a missing header", error("fatal error: gelf.h: No such file or directory"), RUN, 1, ("broke",), "fail"),
    Attack("no release", recipe(f"rm {RELEASE}"), RUN, 1, ("left no kernel.release",), "fail"),
    Attack("a release that is a folder", recipe(f"rm {RELEASE}; mkdir {RELEASE}"), RUN, 1, ("left no",), "fail"),
    Attack("a release that leads away", recipe(f"ln -sf /etc/passwd {RELEASE}"), RUN, 1, ("left no",), "fail"),
    Attack("a release that is no text", recipe(f"head -c 99 /dev/urandom >{RELEASE}"), RUN, 1, ("no release",), "fail"),
    Attack("a release with markup", recipe(f"echo '[/b]' >{RELEASE}"), RUN, 1, ("is no release",), "fail"),
    Attack("a release of 100 MB", recipe(f"head -c 100000000 /dev/zero >{RELEASE}"), RUN, 1, ("no release",), "fail"),
    Attack("no vmlinux", recipe("rm $@"), RUN, 1, ("left no vmlinux",), "fail"),
    Attack("a vmlinux that is text", recipe("echo hello >$@"), RUN, 1, ("is no kernel",), "fail"),
    Attack("a vmlinux that is cut short", recipe("truncate -s 40 $@"), RUN, 1, ("is no kernel",), "fail"),
    Attack("a vmlinux that leads away", recipe("ln -sf /bin/sh $@"), RUN, 1, ("left no vmlinux",), "fail"),
    Attack("no System.map", recipe("rm System.map"), RUN, 1, ("left no System.map",), "fail"),
    Attack("names of ours", patched(with_names_of_ours), RUN, 0, (), "pass"),
    Attack("names of ours, validated", patched(with_names_of_ours), ("validate", "series"), 0, (), "pass"),
    Attack("a symbol less", without("SWAP"), RUN, 1, ("the series removes symbols that are asked for: SWAP",), "fail"),
    Attack("a symbol less, validated", without("SWAP"), ("validate", "series"), 1, ("removes symbols",), "fail"),
]


LONG = "head -c 30000000 /dev/zero | tr '\\0' x; echo"
"""A line of 30 MB."""
SPEAKS = [
    Attack("a warning of 30 MB", recipe(f"printf 'mm/x.c:1: warning: '; {LONG}"), RUN, 0, ("new warning",), "pass"),
    Attack("an error of 30 MB", recipe(f"printf 'mm/x.c:1: error: '; {LONG}; false"), RUN, 1, ("broke",), "fail"),
    Attack("50,000 warnings", recipe("seq -f 'mm/x.c:%.0f: warning: unused' 50000"), RUN, 0, ("new warning",), "pass"),
    Attack("100 MB of output", recipe("head -c 100000000 /dev/zero"), RUN, 1, ("printed more than 32 MiB",), "fail"),
    Attack("output without an end", recipe("yes"), RUN, 1, ("printed more than 32 MiB",), "fail"),
    Attack("an endless line", recipe("cat /dev/zero"), RUN, 1, ("printed more than 32 MiB",), "fail"),
]


@pytest.mark.nightly
@pytest.mark.parametrize("attack", SPEAKS, ids=str)
def test_what_a_build_says_is_bounded_in_all_that_is_kept(attack: Attack, table: Table) -> None:
    strike(attack, table)
    last = table.folder / "results" / "last"
    sizes = {path.name: path.stat().st_size for path in last.rglob("*.json")} | {
        name: (last / name).stat().st_size for name in ("summary.md", "junit.xml", "report.html")
    }
    assert max(sizes.values()) < 16 * 2**20, sizes


def with_suite(change: Callable[[Path], object]) -> Callable[[Table], None]:
    """Return a patch to a tree that has a suite of its own, which the run is to have."""

    def bring(table: Table) -> None:
        folder = table.folder / "tree" / "selftests"
        folder.mkdir()
        (folder / "Makefile").write_text("all:\n\tcp prog.sh $(OUTPUT)/prog.sh\n")
        (folder / "prog.sh").write_text("#!/bin/sh\necho hello\n")
        table.git("add", "-fA")
        table.git("commit", "-qm", "toy: a suite")
        pipeline = table.folder / "pipeline.yaml"
        text = pipeline.read_text()
        suite = "  theirs: {kind: tree, directory: selftests, programs: [{name: prog, run: ./prog.sh}], make: [all]}"
        text = text.replace("suites:\n", f"suites:\n{suite}\n", 1).replace("suites: [own]", "suites: [theirs]")
        pipeline.write_text(text)
        patched(change)(table)

    return bring


def without_folder(tree: Path) -> None:
    shutil.rmtree(tree / "selftests")


SUITES = [
    Attack(
        "a suite without its Makefile", with_suite(lambda tree: (tree / "selftests" / "Makefile").unlink()), RUN, 1,
        ("the series removes selftests/Makefile",), "fail",
    ),
    Attack("a suite that is gone", with_suite(without_folder), RUN, 1, ("the series removes selftests/",), "fail"),
    Attack(
        "a suite without its program", with_suite(lambda tree: (tree / "selftests" / "prog.sh").unlink()), RUN, 1,
        ("does not build",), "fail",
    ),
]  # fmt: skip


@pytest.mark.nightly
@pytest.mark.parametrize("attack", SUITES, ids=str)
def test_what_a_patch_takes_from_a_suite_of_the_tree_is_its_own_fault(attack: Attack, table: Table) -> None:
    strike(attack, table)


def test_a_suite_that_the_base_does_not_have_either_is_the_users_fault(table: Table) -> None:
    table.series(*GOOD)
    with_suite(lambda tree: (tree / "mm" / "new.c").write_text(""))(table)
    pipeline = table.folder / "pipeline.yaml"
    pipeline.write_text(pipeline.read_text().replace("directory: selftests", "directory: none"))
    strike(Attack("no suite", lambda _: None, RUN, 2, ("none has no Makefile",)), table)


@pytest.mark.parametrize("attack", ROWS, ids=str)
def test_a_build_is_judged_by_what_it_left(attack: Attack, table: Table) -> None:
    strike(attack, table)
