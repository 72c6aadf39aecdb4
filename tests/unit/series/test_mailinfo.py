"""Mails against git itself: what is decoded says the same once it is written plainly; an mbox is split as git does."""

from __future__ import annotations

import base64
import quopri
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.series import mailinfo, mbox

DIFF = b"---\n\ndiff --git a/mm/a.c b/mm/a.c\n--- a/mm/a.c\n+++ b/mm/a.c\n@@ -1 +1 @@\n-a\n+b\n-- \n2.39.5\n"
LETTERS = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp"))
LINE = st.text(LETTERS, max_size=60)
LIKE_HEADERS = st.sampled_from(
    [
        "From: Other <o@example.org>",
        "Subject: another",
        "Date: today",
        ">From here",
        "From here on",
        "-- ",
        "[PATCH] x",
        "=20",
    ]
)
TEXT = st.lists(st.one_of(LINE, LIKE_HEADERS), max_size=8).map("\n".join)
NAME = st.text(st.characters(codec="utf-8", categories=("L", "Zs")), min_size=1, max_size=20).filter(str.strip)


def encoded_word(text: str) -> str:
    return f"=?utf-8?b?{base64.b64encode(text.encode()).decode()}?="


def mail(name: str, subject: str, text: str, how: str) -> bytes:
    body = f"{text}\n".encode() + DIFF
    encode: dict[str, Callable[[bytes], bytes]] = {
        "base64": base64.encodebytes,
        "quoted-printable": quopri.encodestring,
        "8bit": bytes,
    }
    coded = encode[how](body)
    head = [
        f"From: {encoded_word(name)} <dev@example.org>",
        "Date: Sat, 3 Feb 2001 04:05:06 +0000",
        f"Subject: [PATCH] {encoded_word(subject)}",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=UTF-8",
        f"Content-Transfer-Encoding: {how}",
    ]
    return "\n".join(head).encode() + b"\n\n" + coded


@settings(max_examples=60)
@given(NAME, NAME, TEXT, st.sampled_from(["base64", "quoted-printable", "8bit"]))
def test_a_mail_written_plainly_says_the_same(name: str, subject: str, text: str, how: str) -> None:
    raw = mail(name, subject, text, how)
    read = mailinfo.read(raw)
    plain = mailinfo.written_plain(read, "<1@example.org>")
    assert mailinfo.read(plain) == replace(
        read, subject=read.subject.strip(), date=read.date.strip()
    ) and not mailinfo.is_encoded(plain)
    assert mailinfo.is_encoded(raw) is (how != "8bit")


@pytest.mark.parametrize(
    "header",
    [
        "Content-Type: multipart/mixed; boundary=B",
        "Content-Type: text/plain;\n charset=latin-1",
        "content-transfer-encoding:BASE64",
        "Content-Type: text/plain; charset=UTF-8;\n\tformat=flowed",
        "Content-Type: application/octet-stream",
    ],
)
def test_what_needs_decoding_is_seen(header: str) -> None:
    assert mailinfo.is_encoded(f"From: a@b\n{header}\n\ntext\n".encode())
    assert not mailinfo.is_encoded(f"From: a@b\nSubject: x\n\n{header}\n\ntext\n".encode())


def by_git(data: bytes) -> list[bytes]:
    """Return the mails of an mbox as ``git mailsplit`` splits it, without separators."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "mbox").write_bytes(data)
        subprocess.run(
            ["git", "mailsplit", "--mboxrd", f"-o{folder}", f"{folder}/mbox"], check=True, stdout=subprocess.DEVNULL
        )
        paths = sorted(path for path in Path(folder).iterdir() if path.name.isdigit())
        return [path.read_bytes().partition(b"\n")[2] for path in paths]


def escaped(text: str) -> str:
    """Return a text as an mbox has it (mboxrd)."""
    return "\n".join(f">{line}" if line.lstrip(">").startswith("From ") else line for line in text.split("\n"))


SEPARATORS = st.sampled_from(
    ["From 0123456789abcdef0123456789abcdef01234567 Mon Sep 17 00:00:00 2001", "From mboxrd@z Thu Jan  1 00:00:00 2001",
     "From dev@example.org  Sat Feb  3 04:05:06 2001"]
)  # fmt: skip


@pytest.mark.parametrize("end", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_a_subject_has_no_header_in_it(end: str) -> None:
    read = mailinfo.read(mail("Dev", f"mm: a{end}Email: other@example.org", "text", "8bit"))
    assert (read.author, read.subject) == ("Dev <dev@example.org>", f"[PATCH] mm: a{end}Email: other@example.org")


@settings(max_examples=40)
@given(st.lists(st.tuples(SEPARATORS, TEXT), min_size=1, max_size=5))
def test_an_mbox_is_split_as_git_splits_it(mails: list[tuple[str, str]]) -> None:
    data = "".join(f"{line}\nFrom: a@b\nSubject: x\n\n{escaped(text)}\n\n" for line, text in mails).encode()
    assert mbox.split(data) == by_git(data)
    assert mbox.is_mail(data)
