"""Mails of strangers: whatever is in them, they are a series or are refused in one line, in time and memory."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from orchestrator.series import bounds
from tests.hostile.attack import Attack, strike
from tests.stage.cli.test_commands import Table

DIFF = b"--- a/mm/memory.c\n+++ b/mm/memory.c\n@@ -1,1 +1,1 @@\n-int fault;\n+int faults;\n"
MIB = 1 << 20


def mail(
    subject: bytes, *more: bytes, body: bytes = b"Why.\n---\n" + DIFF, date: bytes = b"3 Feb 2001 04:05:06 +0000"
) -> bytes:
    head = [b"From: Dev <dev@example.org>", b"Date: " + date, b"Subject: " + subject, *more]
    return b"From x@y Sat Feb  3 04:05:06 2001\n" + b"\n".join(head) + b"\n\n" + body + b"-- \n2.39.5\n\n"


def nested(depth: int) -> bytes:
    """Return a mail in a mail in a mail."""
    wrap = b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n'
    return mail(b"[PATCH] deep", body=b"x\n").replace(b"\n\nx", b"\n" + b"".join(wrap % (n, n) for n in range(depth)))


def typed(kind: bytes, body: bytes = DIFF, encoding: bytes = b"8bit") -> bytes:
    headers = (b"MIME-Version: 1.0", b"Content-Type: " + kind, b"Content-Transfer-Encoding: " + encoding)
    return mail(b"[PATCH] typed", *headers, body=body)


def rerolls(count: int) -> bytes:
    """Return versions of one patch each, each in answer to the one before, and none whole."""
    answer = b"Message-ID: <m%d@x>\nIn-Reply-To: <m%d@x>"
    return b"".join(mail(b"[PATCH v%d 1/2] again" % n, answer % (n, n - 1)) for n in range(2, count))


Content = Callable[[], bytes | Iterable[bytes]]
ROWS: list[tuple[str, int, str, Content]] = [
    ("a patch", 0, "good", lambda: mail(b"[PATCH] good")),
    ("nothing", 2, "no patch in it", lambda: b""),
    ("a milliard of patches", 2, "the most that are taken", lambda: mail(b"[PATCH 1/999999999] x")),
    ("a number of 5000 digits", 2, "the most that are taken", lambda: mail(b"[PATCH 1/" + b"9" * 5000 + b"] x")),
    ("a place of 5000 digits", 0, "x", lambda: mail(b"[PATCH " + b"9" * 5000 + b"] x")),
    ("a version of 5000 digits", 0, "x", lambda: mail(b"[PATCH v" + b"9" * 5000 + b"] x")),
    ("mails without end", 2, "the most that are read", lambda: mail(b"[PATCH] x") * (bounds.MAILS + 1)),
    ("mails without a separator", 2, "the most that are read",
     lambda: mail(b"[PATCH] x").partition(b"\n")[2] * (bounds.MAILS + 1)),
    ("rerolls without end", 2, "does not stand for all", lambda: rerolls(300)),
    ("answers in a circle", 2, "does not stand for all",
     lambda: mail(b"[PATCH 1/2] a", b"Message-ID: <a@x>\nIn-Reply-To: <b@x>")
     + mail(b"[PATCH v2 2/2] b", b"Message-ID: <b@x>\nIn-Reply-To: <a@x>")),
    ("a mail that answers itself", 0, "x", lambda: mail(b"[PATCH] x", b"Message-ID: <a@x>\nIn-Reply-To: <a@x>")),
    ("10,000 mails in each other", 0, "deep", lambda: nested(10_000)),
    ("a part without an end", 0, "typed", lambda: typed(b'multipart/mixed; boundary="b"', b"--b\n\n" + DIFF)),
    ("a boundary of 1 MB", 2, "", lambda: typed(b'multipart/mixed; boundary="' + b"b" * MIB + b'"')),
    ("a charset of 1 MB", 0, "typed", lambda: typed(b"text/plain; charset=" + b"c" * MIB)),
    ("a charset with a NUL", 0, "typed", lambda: typed(b"text/plain; charset=\0x")),
    ("a charset that is none", 0, "typed", lambda: typed(b"text/plain; charset=../../etc/passwd")),
    ("UTF-7", 0, "typed", lambda: typed(b"text/plain; charset=utf-7")),
    ("base64 that is none", 2, "no patch", lambda: typed(b"text/plain", b"=" * 10_000, b"base64")),
    ("base64 of 10 MB", 0, "typed",
     lambda: typed(b"text/plain", base64.encodebytes(DIFF + b"+line\n" * MIB), b"base64")),
    ("a date that will be", 0, "x", lambda: mail(b"[PATCH] x", date=b"Sat, 99 Feb 999999999999 99:99:99 +9999")),
    ("no text as date", 0, "x", lambda: mail(b"[PATCH] x", date=b"\0\xff" * 500)),
    ("escapes in a subject", 0, "red", lambda: mail(b"[PATCH] \x1b[31mred\x07\x1b]0;owned\x07")),
    ("markup in a subject", 0, "[/b] [red]x", lambda: mail(b"[PATCH] mm: [/b] [red]x")),
    ("a subject of 40 MB", 0, "", lambda: mail(b"[PATCH] " + b"s" * 40 * MIB)),
    ("headers of 40 MB", 2, "lines, the most", lambda: mail(b"[PATCH] x", b"X-Y: z\n" * (6 * MIB) + b"Z: x")),
    ("a name out of the tree", 0, "x", lambda: mail(b"[PATCH] x", body=DIFF.replace(b"b/mm", b"b/../../etc"))),
    ("prerequisites without end", 0, "x",
     lambda: mail(b"[PATCH] x", body=DIFF + b"\n" + b"prerequisite-patch-id: %040d\n" % 7 * 100_000)),
    ("zeros", 2, "no patch", lambda: b"\0" * MIB),
    ("a diff of 13 million lines", 2, "lines, the most", lambda: mail(b"[PATCH] x", body=DIFF + b"+y\n" * (13 * MIB))),
    ("a diff of 3 million lines", 0, "x", lambda: mail(b"[PATCH] x", body=DIFF + b"+y\n" * 2_900_000)),
    ("hunks without end", 0, "x", lambda: mail(b"[PATCH] x", body=DIFF + b"@@ -1 +1 @@\n" * MIB)),
    ("files without end", 0, "x", lambda: mail(b"[PATCH] x", body=DIFF * 100_000)),
    ("100 MB", 2, "larger than", lambda: [b"From x\n" * MIB for _ in range(15)]),
    ("a bomb", 2, "larger than", lambda: gzip.compress(b"\0" * (200 * MIB), 1)),
]  # fmt: skip


def bring(table: Table, content: Content) -> None:
    folder = table.folder / "series"
    for path in folder.iterdir():
        path.unlink()
    data = content()
    with Path(folder, "mails.mbox").open("wb") as file:
        file.writelines([data] if isinstance(data, bytes) else data)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    return Table(tmp_path_factory.mktemp("table"))


@pytest.mark.nightly  # 20 s of git, which gives up
def test_a_line_of_20_mb_in_base64_is_refused_in_time(table: Table) -> None:
    long = typed(b"text/plain", base64.encodebytes(DIFF + b"x" * 20 * MIB), b"base64")
    row = Attack("a long line", lambda table: bring(table, lambda: long), ("run",), 1, ("git does not read it in",))
    strike(row, table)


SLOW = ("a diff of 3 million lines",)


@pytest.mark.parametrize(
    ("name", "code", "words", "content"),
    [pytest.param(*row, id=row[0], marks=pytest.mark.nightly if row[0] in SLOW else ()) for row in ROWS],
)
def test_mails(table: Table, name: str, code: int, words: str, content: Content) -> None:
    strike(Attack(name, lambda table: bring(table, content), ("list", "--json"), code, (words,), seconds=60), table)
