"""What mail programs do to a patch: what ``git am`` takes is taken, with the same content; what it refuses is refused.

The oracle is the git of this machine, in a work tree of its own, with the file as it came.
"""

from __future__ import annotations

import base64
import quopri
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.errors import PipelineError
from orchestrator.host.cache import Cache
from orchestrator.model import Tree
from orchestrator.progress import SILENT
from orchestrator.series import apply, series
from orchestrator.trees import repository
from tests.fakes import trees

DATE = "Sat, 3 Feb 2001 04:05:06 +0000"
ADDED = "int first; /* a long comment that stands behind the code so that a mail program would like to wrap it */"


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trees.git_tree(tmp_path_factory.mktemp("tree") / "linux")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    return Cache(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def tree(where: Path, cache: Cache) -> Tree:
    return trees.fetched(where, cache)


@pytest.fixture(scope="module")
def body(where: Path) -> str:
    """The text of a mail: why, diffstat, diff, signature."""
    trees.edit(where, "mm/shmem.c", 10, ADDED)
    diff = trees.git(where, "diff", "--full-index")
    trees.git(where, "checkout", "--quiet", "--", ".")
    return f"Why.\n\nSigned-off-by: Dev <dev@example.org>\n---\n mm/shmem.c | 2 +-\n\n{diff}\n-- \n2.39.5\n"


Make = Callable[[str], bytes]


def mail(
    body: bytes, *more: str, subject: str = "[PATCH] mm: one", author: str = "Dev <dev@example.org>", date: str = DATE
) -> bytes:
    """Return a mail; a header that is empty is left out."""
    lines = [f"From: {author}" if author else "", f"Date: {date}" if date else "", f"Subject: {subject}", *more]
    return "\n".join(line for line in lines if line).encode() + b"\n\n" + body


def plain(body: str, *more: str, **fields: str) -> bytes:
    return mail(body.encode(), *more, **fields)


def encoded(body: str, how: str, kind: str = "text/plain; charset=UTF-8", ends: str = "\n") -> bytes:
    data = body.replace("\n", ends).encode()
    text = base64.encodebytes(data) if how == "base64" else quopri.encodestring(data)
    return mail(text, "MIME-Version: 1.0", f"Content-Type: {kind}", f"Content-Transfer-Encoding: {how}")


def parts(*inner: bytes, kind: str = "mixed") -> bytes:
    content = b"".join(b"--BB\n" + part + b"\n" for part in inner) + b"--BB--\n"
    return mail(content, "MIME-Version: 1.0", f'Content-Type: multipart/{kind}; boundary="BB"')


def part(content: bytes, *headers: str) -> bytes:
    return "\n".join(headers).encode() + b"\n\n" + content


def split(body: str) -> tuple[bytes, bytes]:
    text, _, rest = body.partition("---\n")
    return text.encode(), ("---\n" + rest).encode()


def attached(body: str, kind: str, how: str = "8bit") -> bytes:
    text, patch = split(body)
    data = base64.encodebytes(patch) if how == "base64" else patch
    file = part(data, f"Content-Type: {kind}; name=a.patch", f"Content-Transfer-Encoding: {how}",
                "Content-Disposition: attachment; filename=a.patch")  # fmt: skip
    return parts(part(text, "Content-Type: text/plain; charset=UTF-8"), file)


def flowed(body: str, *, delsp: bool = False) -> bytes:
    lines = []
    for line in body.split("\n"):
        stuffed = f" {line}" if line.startswith((" ", ">", "From ")) else line
        if len(line) > 70 and not line.startswith(("diff", "index")):
            at = stuffed.index(" ", 60)
            lines += [stuffed[: at + 1] + (" " if delsp else ""), stuffed[at + 1 :]]
        else:
            lines.append(stuffed)
    kind = f"text/plain; charset=UTF-8; format=flowed{'; delsp=yes' if delsp else ''}"
    return mail("\n".join(lines).encode(), "MIME-Version: 1.0", f"Content-Type: {kind}")


def charset(body: str, name: str, code: str, author: str = "Dév <dev@example.org>") -> bytes:
    text = body.replace("Why.", "Why: é.").replace("a long comment", "ä long comment").encode(code)
    head = mail(b"", "MIME-Version: 1.0", f"Content-Type: text/plain; charset={name}", author=author)
    return head.decode().encode(code if code != "utf-16" else "utf-8") + text


def folded(body: str) -> bytes:
    return plain(body, subject="[PATCH] mm: one that is\n and more\n\tand a tab")


FOOTER = "_______________________________________________\nlist mailing list\nlist@example.org\n"

CASES: dict[str, Make] = {
    "plain": plain,
    "mbox": lambda body: b"From 0123 Mon Sep 17 00:00:00 2001\n" + plain(body),
    "mbox of an archive": lambda body: b"From mboxrd@z Thu Jan  1 00:00:00 1970\n" + plain(body),
    "blank lines first": lambda body: b"\n\n" + plain(body),
    "CRLF": lambda body: plain(body).replace(b"\n", b"\r\n"),
    "CRLF in an mbox": lambda body: (b"From 0123 Mon Sep 17 00:00:00 2001\n" + plain(body)).replace(b"\n", b"\r\n"),
    "CRLF in the body": lambda body: plain("").rstrip(b"\n") + b"\n\n" + body.replace("\n", "\r\n").encode(),
    "base64": lambda body: encoded(body, "base64"),
    "base64 with CRLF": lambda body: encoded(body, "base64", ends="\r\n"),
    "quoted-printable": lambda body: encoded(body, "quoted-printable"),
    "quoted-printable, upper case": lambda body: encoded(body, "QUOTED-PRINTABLE", "TEXT/PLAIN; CHARSET=utf-8"),
    "flowed": flowed,
    "flowed with delsp": lambda body: flowed(body, delsp=True),
    "attached as text": lambda body: attached(body, "text/x-patch"),
    "attached as octets": lambda body: attached(body, "application/octet-stream"),
    "attached as mbox": lambda body: attached(body, "application/mbox"),
    "attached in base64": lambda body: attached(body, "application/octet-stream", "base64"),
    "attached as text in base64": lambda body: attached(body, "text/x-diff", "base64"),
    "signed": lambda body: parts(
        part(body.encode(), "Content-Type: text/plain; charset=UTF-8"),
        part(b"-----BEGIN PGP SIGNATURE-----\n", "Content-Type: application/pgp-signature"),
        kind="signed",
    ),
    "html beside": lambda body: parts(
        part(body.encode(), "Content-Type: text/plain; charset=UTF-8"),
        part(b"<html>Why</html>", "Content-Type: text/html"),
        kind="alternative",
    ),
    "boundary never ends": lambda body: parts(part(body.encode(), "Content-Type: text/plain")).replace(b"--BB--", b""),
    "boundary missing": lambda body: mail(body.encode(), "MIME-Version: 1.0", "Content-Type: multipart/mixed"),
    "many boundaries": lambda body: mail(
        b"".join(b'--B%d\nContent-Type: multipart/mixed; boundary="B%d"\n\n' % (n, n + 1) for n in range(40))
        + body.encode(),
        "MIME-Version: 1.0",
        'Content-Type: multipart/mixed; boundary="B0"',
    ),
    "Latin-1": lambda body: charset(body, "iso-8859-1", "latin-1"),
    "Windows": lambda body: charset(body, "windows-1252", "cp1252"),
    "Latin-1 without saying so": lambda body: mail(body.replace("a long", "ä long").encode("latin-1")),
    "Latin-1 that is said to be UTF-8": lambda body: charset(body, "utf-8", "latin-1"),
    "charset with a blank": lambda body: charset(body, '"utf-8 "', "utf-8", "Dev <dev@example.org>"),
    "charset with a NUL": lambda body: charset(body, '"utf-8\0"', "utf-8", "Dev <dev@example.org>"),
    "charset that is empty": lambda body: charset(body, '""', "utf-8", "Dev <dev@example.org>"),
    "subject encoded": lambda body: plain(body, subject="=?utf-8?q?=5BPATCH=5D_mm=3A_caf=C3=A9?="),
    "subject in base64": lambda body: plain(body, subject="=?UTF-8?B?W1BBVENIXSBtbTogY2Fmw6k=?="),
    "subject encoded wrongly": lambda body: plain(body, subject="=?utf-8?q?=ZZ=5?= =?x?y?z?="),
    "subject in a charset unknown": lambda body: plain(body, subject="[PATCH] =?x-nobody?q?mm=3A_one?="),
    "subject folded": folded,
    "subject empty": lambda body: plain(body, subject=""),
    "subject twice": lambda body: plain(body, "Subject: [PATCH] mm: another"),
    "no blank behind colons": lambda body: plain(body).replace(b": ", b":", 3),
    "From alone": lambda body: plain(body, author="dev@example.org"),
    "From with a comment": lambda body: plain(body, author="dev@example.org (Dev Eloper)"),
    "From quoted": lambda body: plain(body, author='"Eloper, Dev" <dev@example.org>'),
    "From without address": lambda body: plain(body, author="Dev"),
    "From encoded": lambda body: plain(body, author="=?utf-8?q?D=C3=A9v?= <dev@example.org>"),
    "From in the text": lambda body: plain(f"From: Other <other@example.org>\n\n{body}"),
    "From in the text, encoded": lambda body: encoded(f"From: Ot\u00e4r <other@example.org>\n\n{body}", "base64"),
    "no date": lambda body: plain(body, date=""),
    "empty date": lambda body: plain(body, "Date:", date=""),
    "date of another age": lambda body: plain(body, date="Sat, 3 Feb 99999 04:05:06 +0000"),
    "date before time": lambda body: plain(body, date="Sat, 3 Feb 1901 04:05:06 +0000"),
    "date on no day": lambda body: plain(body, date="Sat, 32 Feb 2001 25:61:61 +9999"),
    "date in words": lambda body: plain(body, date="yesterday afternoon"),
    "date with a huge zone": lambda body: plain(body, date="Sat, 3 Feb 2001 04:05:06 +999999999999"),
    "list footer": lambda body: plain(body + FOOTER),
    "no diffstat": lambda body: plain(body.replace("---\n mm/shmem.c | 2 +-\n\n", "")),
    "no git header": lambda body: plain(
        "\n".join(x for x in body.split("\n") if not x.startswith(("diff ", "index ")))
    ),
    "Index lines": lambda body: plain(body.replace("diff --git a/mm/shmem.c b/mm/shmem.c", "Index: linux/mm/shmem.c")),
    "scissors": lambda body: plain(f"Hello,\n\n-- >8 --\n{body}"),
    "NUL in the text": lambda body: plain(body.replace("Why.", "Wh\0y.")),
    "NUL in a header": lambda body: plain(body, "X-Header: a\0b"),
    "form feed": lambda body: plain(body.replace("a long comment", "a\flong\x1ccomment\u2028here")),
    "wrapped by a mail program": lambda body: plain(body.replace(" would like", "\nwould like")),
    "tabs made blanks": lambda body: plain(body.replace(" int value_008;", "int value_008;")),
    "cut off": lambda body: plain(body[: body.index("+int first")]),
    "quoted": lambda body: plain("".join(f"> {line}\n" for line in body.split("\n"))),
    "not a patch": lambda body: plain("Hello."),
    "headers alone": lambda body: plain("").rstrip(b"\n"),
}


HTML = part(
    b"<html><pre>\ndiff --git a/mm/no.c b/mm/no.c\n--- a/mm/no.c\n+++ b/mm/no.c\n@@ -1 +1 @@\n-a\n+b\n</pre></html>",
    "Content-Type: text/html; charset=UTF-8",
)
BY_B4: dict[str, Make] = {
    "unknown charset": lambda body: charset(body, "x-nobody-knows", "utf-8"),
    "charset of a locale": lambda body: charset(body, "ANSI_X3.4-1968", "utf-8"),
    "UTF-8 said to be ASCII": lambda body: charset(body, "us-ascii", "utf-8"),
    "unknown charset, flowed": lambda body: flowed(body).replace(b"UTF-8", b"unknown-8bit"),
    "charset in UTF-16": lambda body: mail(
        base64.encodebytes(body.encode("utf-16")),
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-16",
        "Content-Transfer-Encoding: base64",
    ),
    "HTML behind the text": lambda body: parts(
        part(body.encode(), "Content-Type: text/plain"), HTML, kind="alternative"
    ),
    "HTML before the text": lambda body: parts(
        HTML, part(body.encode(), "Content-Type: text/plain"), kind="alternative"
    ),
    "HTML in a part of its own": lambda body: parts(
        part(
            b"--CC\n" + part(body.encode(), "Content-Type: text/plain") + b"\n--CC\n" + HTML + b"\n--CC--\n",
            'Content-Type: multipart/alternative; boundary="CC"',
        ),
        part(FOOTER.encode(), "Content-Type: text/plain"),
    ),
}


def by_git(where: Path, data: bytes, tmp_path: Path) -> str | None:
    """Return what ``git am`` makes of the tree, or None where it refuses."""
    work = tmp_path / "work"
    trees.git(where, "worktree", "add", "--quiet", "--detach", work)
    file = tmp_path / "mail"
    file.write_bytes(data)
    env = repository.environment()
    done = subprocess.run(
        ["git", "-C", work, "am", "--quiet", "--quoted-cr=strip", file], env=env, check=False, capture_output=True
    )
    content = trees.git(work, "rev-parse", "HEAD^{tree}")
    unchanged = content == trees.git(where, "rev-parse", "HEAD^{tree}")
    trees.git(where, "worktree", "remove", "--force", work)
    return None if done.returncode or unchanged else content


def by_us(tree: Tree, data: bytes, cache: Cache, tmp_path: Path) -> str | PipelineError:
    file = tmp_path / "mail.eml"
    file.write_bytes(data)
    try:
        return apply.apply(tree, series.load(file), cache, SILENT).content
    except PipelineError as error:
        return error


@pytest.mark.parametrize("case", CASES)
def test_it_is_taken_as_git_takes_it(
    where: Path, tree: Tree, cache: Cache, body: str, tmp_path: Path, case: str
) -> None:
    data = CASES[case](body)
    expected, ours = by_git(where, data, tmp_path), by_us(tree, data, cache, tmp_path)
    if expected is None:
        assert isinstance(ours, PipelineError) and "\n" not in str(ours) and str(ours).isprintable(), ours
    else:
        assert ours == expected, ours


@pytest.mark.parametrize("case", BY_B4)
def test_what_git_refuses_and_b4_takes_is_taken(
    where: Path, tree: Tree, cache: Cache, body: str, tmp_path: Path, case: str
) -> None:
    data = BY_B4[case](body)
    assert by_git(where, data, tmp_path) is None
    as_sent = [by_git(where, sent, tmp_path) for sent in (plain(body), charset(body, "utf-8", "utf-8"))]
    assert (ours := by_us(tree, data, cache, tmp_path)) in as_sent, ours


@pytest.mark.parametrize("name", ["iso-8859-1", "gb18030", "koi8-r"])
@pytest.mark.parametrize("how", ["8bit", "base64"])
def test_context_in_another_charset_than_the_tree_fits_as_b4_has_it(
    cache: Cache, tmp_path: Path, name: str, how: str
) -> None:
    letter = {"iso-8859-1": "\u00e4", "gb18030": "\u4e2d", "koi8-r": "\u0434"}[name]
    where = trees.git_tree(tmp_path / "linux")
    trees.edit(where, "mm/shmem.c", 9, f"int nine; /* {letter} */")
    trees.commit(where, "one with a letter")
    trees.edit(where, "mm/shmem.c", 10, f"int ten; /* {letter}{letter} */")
    body = f"Why: {letter}.\n---\n{trees.git(where, 'diff')}\n-- \n2.39.5\n".encode(name)
    trees.git(where, "reset", "--quiet", "--hard")
    data = base64.encodebytes(body) if how == "base64" else body
    sent = mail(
        data, "MIME-Version: 1.0", f"Content-Type: text/plain; charset={name}", f"Content-Transfer-Encoding: {how}"
    )
    assert by_git(where, sent, tmp_path) is None
    (tmp_path / "mail.eml").write_bytes(sent)
    read = series.load(tmp_path / "mail.eml")
    series.write(read.patches, tmp_path / "kept")
    for each in (read, series.load(tmp_path / "kept")):
        patched = apply.apply(trees.fetched(where, cache), each, cache, SILENT)
        assert f"int ten; /* {letter}{letter} */" in trees.git(
            patched.repository, "show", f"{patched.commit}:mm/shmem.c"
        )
        assert f"Why: {letter}." in trees.git(patched.repository, "log", "-1", "--format=%B", patched.commit)
