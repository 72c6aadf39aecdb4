"""What a patch makes of its build: a broken tree is its own fault, and nobody takes its word for the host's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hostile.attack import Attack, strike
from tests.hostile.test_words import error
from tests.stage.cli.test_commands import Table

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
    Attack("a symbol less", without("SWAP"), RUN, 1, ("the series removes symbols that are asked for: SWAP",), "fail"),
    Attack("a symbol less, validated", without("SWAP"), ("validate", "series"), 1, ("removes symbols",), "fail"),
]


@pytest.mark.parametrize("attack", ROWS, ids=str)
def test_a_build_is_judged_by_what_it_left(attack: Attack, table: Table) -> None:
    strike(attack, table)
