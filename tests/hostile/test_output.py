"""Test output that is wrong, hostile or endless, as `wpci parse` takes it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests.hostile.campaign import Attack, check, run

MANY = 40_000
BIG = 100 * 2**20
PLAN = b"TAP version 13\n1..2\nok 1 a\n"


def lines(head: bytes, line: bytes, count: int = MANY) -> bytes:
    return head + b"".join(line.replace(b"%d", b"%d" % number) for number in range(1, count + 1))


def large(piece: bytes, size: int = BIG) -> Iterable[bytes]:
    block = piece * (2**16 // len(piece))
    return (block for _ in range(size // len(block)))


Rows = tuple[tuple[Attack, Callable[[], bytes | Iterable[bytes]]], ...]
ROWS: Rows = (
    # encodings
    (Attack("nothing", 1), lambda: b""),
    (Attack("zeros", 1), lambda: b"\0" * 10**6),
    (Attack("random", 1), lambda: os.urandom(10**6)),
    (Attack("utf-16", 0), lambda: "1..1\nok 1 é\n".encode("utf-16")),
    (Attack("latin-1", 0), lambda: b"1..1\nok 1 caf\xe9\n"),
    (Attack("surrogates", 0), lambda: b"1..1\nok 1 \xed\xa0\x80\n"),
    (Attack("byte-order-marks", 0), lambda: b"\xef\xbb\xbf1..1\n\xef\xbb\xbfok 1 a\n"),
    (Attack("digits-that-are-none", 1, says="planned"), lambda: "1..1\nok ² a\n1..²\nok ٣ b\n".encode()),
    (Attack("escapes", 0), lambda: b"1..1\n\x1b]0;owned\x07\x1b[2J\x1bP+q\x1b\\ok 1 \x1b[31ma\x9b0m\n"),
    (Attack("markup", 1, says="[/b] [bold red]x"), lambda: b"1..1\nnot ok 1 [/b] [bold red]x # [/abs/Makefile:1: x]\n"),
    # numbers
    (Attack("huge-plan", 1, says="of 999999999 planned"), lambda: b"1..999999999\nok 1 a\n"),
    (Attack("5000-digits", 1), lambda: b"1.." + b"9" * 5000 + b"\nok " + b"9" * 5000 + b" a\n"),
    (
        Attack("5000-digits-of-time", 0),
        lambda: b"1..1\n# seconds: " + b"9" * 5000 + b"\nok 1 a # time=" + b"9" * 400 + b"\n",
    ),
    (Attack("backwards", 1, says="out of sequence"), lambda: b"1..2\nok 2 b\nok 1 a\n"),
    # structure
    (Attack("quoted-results", 1, says="a"), lambda: b"1..1\nnot ok 1 a\n  ---\n  ok 1 b\n  ...\n"),
    (Attack("open-block", 1, says="has no end"), lambda: PLAN + b"  ---\n  x\n"),
    (Attack("hidden-behind-a-block", 1, says="has no end"), lambda: PLAN + b"  ---\n    not ok 2 b\n"),
    (Attack("cut", 1, says="middle of a line"), lambda: PLAN + b"ok 2 b"),
    (Attack("bail-out", 1, says="Bail out!"), lambda: PLAN + b"ok 2 b\nBail out! no\n"),
    (Attack("kernel-line-inside", 1, says="kernel line"), lambda: PLAN + b"ok 2 b[   12.000001] BUG\n"),
    (Attack("announced-only", 1), lambda: b"1..1\n    # Subtest: p\nok 1 p\n"),
    (Attack("zero-tests", 1), lambda: b"TAP version 13\n1..0\nok 1 a\n"),
    (Attack("deep", 1), lambda: b"".join(b" " * n + b"1..1\n" for n in range(2000))),
    (Attack("deep-comments", 1), lambda: b"".join(b"# " * n + b"TAP version 13\n" for n in range(2000))),
    # many
    (Attack("one-name", 1, says="the name a comes more than once"), lambda: lines(b"1..40000\n", b"ok %d a\n")),
    (Attack("many-names", 0), lambda: lines(b"1..40000\n", b"ok %d a%d\n")),
    (Attack("names-that-collide", 1), lambda: lines(b"1..80000\n", b"ok a\nok a#%d\n")),
    (Attack("begun", 1, says="began"), lambda: lines(PLAN, b"# begin: x%d\n")),
    (Attack("announced", 1, says="announced"), lambda: lines(PLAN, b"# Subtest: x%d\n")),
    (Attack("blocks", 1), lambda: lines(b"1..40000\n", b"ok %d a%d\n  ---\n")),
    (Attack("block-of-many-lines", 1), lambda: lines(b"1..1\nok 1 a\n  ---\n", b"  x%d\n")),
    (Attack("plans", 1, says="more than one plan"), lambda: lines(b"", b"1..1\n")),
    (Attack("wrong-numbers", 1), lambda: lines(b"1..40000\n", b"ok 7%d a%d\n")),
    (Attack("more-than-are-kept", 1, says="not read"), lambda: lines(b"1..70000\n", b"ok %d a%d\n", 70_000)),
    # long
    (Attack("long-name", 0), lambda: b"1..1\nok 1 " + b"n" * 10**7 + b"\n"),
    (Attack("long-reason", 1), lambda: b"1..1\nnot ok 1 a # " + b"r" * 10**7 + b"\n"),
    (Attack("long-diagnostic", 1), lambda: b"1..1\n# " + b"e.c:1: error " * 10**6 + b"\nnot ok 1 a\n"),
    (Attack("spaces", 0), lambda: b"1..1\nok 1 a" + b" " * 10**7 + b"#" + b" " * 10**6 + b"\n"),
    (Attack("hashes", 1), lambda: b"1..1\n" + b"# " * 10**6 + b"ok 1 a\n"),
    (Attack("brackets", 0), lambda: b"1..1\n" + b"[ 1." * 10**6 + b"\nok 1 " + b"\x1b]" * 10**6 + b"a\n"),
    (Attack("carriage-returns", 1), lambda: b"1..1\n" + b"\r" * 10**7),
    (Attack("100-MB-in-a-line", 1), lambda: large(b"x")),
    (Attack("4-MB-of-empty-lines", 1, seconds=300), lambda: large(b"\n", BIG // 25)),
    (Attack("4-MB-of-noise", 1, seconds=300), lambda: large(b"# e.c:1: it failed and failed and failed\n", BIG // 25)),
)

STAMP = b"[    1.000000] "
SCANNED: Rows = (
    (Attack("nothing", 2, says="nothing stands in it"), lambda: b""),
    (Attack("100-MB-in-a-line", 0), lambda: large(b"x")),
    (Attack("many-splats", 1, says="Bad page map"), lambda: lines(b"", STAMP + b"BUG: Bad page map in process x%d\n")),
    (Attack("many-warnings", 1), lambda: lines(b"", STAMP + b"WARNING: CPU: 0 PID: 1 at mm/a%d.c:1 f%d+0x1/0x2\n")),
    (
        Attack("a-stack-without-end", 1),
        lambda: lines(STAMP + b"BUG: Bad page map in process x\n", STAMP + b" f%d+0x1/0x2\n"),
    ),
)
LARGE: Rows = (
    (Attack("100-MB-of-names", 1, seconds=3600), lambda: large(b"# Subtest: n\n# Subtest: m\n")),
    (Attack("100-MB-of-plans", 1, says="more than one plan", seconds=3600), lambda: large(b"1..7\n1..1234567\n")),
    (
        Attack("100-MB-that-begin", 1, says="began", seconds=3600),
        lambda: (b"".join(b"# begin: %d\n" % n for n in range(m, m + 1000)) for m in range(0, 5_000_000, 1000)),
    ),
    (Attack("100-MB-of-results", 1, says="not read", seconds=3600), lambda: large(b"ok a\n")),
    (Attack("100-MB-of-words", 1, seconds=3600), lambda: large(b"# e.c:1: error: it failed and failed\n")),
)
LARGE_CONSOLES: Rows = (
    (Attack("100-MB-of-empty-lines", 2, says="nothing stands in it", seconds=3600), lambda: large(b"\n")),
    (Attack("100-MB-of-splats", 1, seconds=3600), lambda: large(STAMP + b"BUG: Bad page map in process x\n")),
    (Attack("100-MB-of-a-stack", 0, seconds=3600), lambda: large(STAMP + b" f+0x1/0x2\n")),
)


def struck(command: str, attack: Attack, content: Callable[[], bytes | Iterable[bytes]], folder: Path) -> None:
    data = content()
    with (folder / "output").open("wb") as file:
        file.writelines([data] if isinstance(data, bytes) else data)
    check(attack, run([command, "output"], folder))


@pytest.mark.parametrize(("attack", "content"), SCANNED, ids=[attack.name for attack, _ in SCANNED])
def test_console(tmp_path: Path, attack: Attack, content: Callable[[], bytes | Iterable[bytes]]) -> None:
    struck("scan", attack, content, tmp_path)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("command", "attack", "content"),
    [*(("parse", *row) for row in LARGE), *(("scan", *row) for row in LARGE_CONSOLES)],
    ids=[attack.name for attack, _ in (*LARGE, *LARGE_CONSOLES)],
)
def test_100_mb_of_anything_is_read_in_600_mib(
    tmp_path: Path, command: str, attack: Attack, content: Callable[[], bytes | Iterable[bytes]]
) -> None:
    struck(command, attack, content, tmp_path)


@pytest.mark.parametrize(("attack", "content"), ROWS, ids=[attack.name for attack, _ in ROWS])
def test_output(tmp_path: Path, attack: Attack, content: Callable[[], bytes | Iterable[bytes]]) -> None:
    struck("parse", attack, content, tmp_path)
