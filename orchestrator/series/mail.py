"""Mails and diffs, taken apart (pure): what ``git format-patch``, ``b4 am`` and a mail program write."""

from __future__ import annotations

import email
import email.policy
import io
import re
from dataclasses import dataclass
from email.message import EmailMessage

from unidiff.errors import UnidiffParseError
from unidiff.patch import PatchSet

_FROM_LINE = re.compile(rb"^From \S.*\d?\d:\d\d(:\d\d)? .*\d{4}[^\n]*\n", re.M)
"""The separator of an mbox, as strict as git's: a sentence that begins with 'From' is none."""

_TAG = re.compile(r"^\s*(?:re:\s*)?\[(?P<tag>[^]]*)\]\s*", re.I)
_NUMBER = re.compile(r"\b0*(\d+)/0*(\d+)\b")
_DIFF = re.compile(r"^(diff --git |Index: |--- [^\n]+\n\+\+\+ )", re.M)
_BASE = re.compile(r"^base-commit: ([0-9a-f]{40})\s*$", re.M)
_BINARY = re.compile(r"^(GIT binary patch|Binary files .* differ)$", re.M)
_DATE = b"Date: Sat, 1 Jan 2000 00:00:00 +0000\n"


@dataclass(frozen=True)
class Letter:
    """One mail, or one plain diff. ``number`` and ``total`` are those of ``[PATCH n/m]``, 0 where there are none.

    ``text`` is what stands before the diff; ``raw`` is the mail without its mbox separator.
    """

    subject: str
    author: str
    text: str
    diff: str
    raw: bytes
    is_mail: bool
    number: int = 0
    total: int = 0
    is_cover: bool = False
    base_commit: str | None = None


def split(label: str, data: bytes) -> list[Letter]:
    """Return the mails of a file, or the plain diff that it is; ``label`` names a diff. Line ends become LF."""
    data = data.replace(b"\r\n", b"\n")
    if not _is_mail(data):
        return [_plain(label, data)] if data.strip() else []
    starts = [found.start() for found in _FROM_LINE.finditer(data) if _begins_mail(data, found.start())]
    if not starts:
        return [_letter(data)]
    ends = [*starts[1:], len(data)]
    return [_letter(_unescaped(data[start:end])) for start, end in zip(starts, ends, strict=True)]


def _is_mail(data: bytes) -> bool:
    head = data.lstrip(b"\n").split(b"\n\n", 1)[0]
    return bool(_FROM_LINE.match(head + b"\n")) or (
        bool(re.search(rb"^From:", head, re.M | re.I)) and bool(re.search(rb"^Subject:", head, re.M | re.I))
    )


def _begins_mail(data: bytes, start: int) -> bool:
    """Whether headers follow a separator: a quoted one in a text has none."""
    line_end = data.index(b"\n", start) + 1
    return bool(re.match(rb"[A-Za-z-]+:[ \t]", data[line_end : line_end + 80]))


def _unescaped(mail: bytes) -> bytes:
    """Take off the separator, and the '>' that an mbox puts before a line that begins with 'From '."""
    body = mail[mail.index(b"\n") + 1 :]
    return re.sub(rb"^>(>*From )", rb"\1", body, flags=re.M)


def _letter(raw: bytes) -> Letter:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    body = _body(message)
    header = " ".join(str(message.get("subject", "")).split())
    tag = _TAG.match(header)
    numbered = _NUMBER.search(tag["tag"]) if tag else None
    number, total = (int(numbered[1]), int(numbered[2])) if numbered else (0, 0)
    text, diff = _parts(body)
    base = _BASE.search(body)
    return Letter(
        subject=header[tag.end() :] if tag else header,
        author=_author(text) or str(message.get("from", "")),
        text=text.strip(),
        diff=diff,
        raw=raw if message.get("date") else _DATE + raw,
        is_mail=True,
        number=number,
        total=total,
        is_cover=bool(numbered) and number == 0 and not diff,
        base_commit=base[1] if base else None,
    )


def _plain(label: str, data: bytes) -> Letter:
    text, diff = _parts(data.decode(errors="replace"))
    base = _BASE.search(text)
    return Letter(f"plain diff {label}", "", text, diff, data, False, base_commit=base[1] if base else None)


def _body(message: EmailMessage) -> str:
    parts = [part for part in message.walk() if part.get_content_maintype() == "text"]
    texts = [(part.get_payload(decode=True) or b"", part.get_content_charset() or "utf-8") for part in parts]
    return "".join(_decoded(data, charset) for data, charset in texts if isinstance(data, bytes))


def _decoded(data: bytes, charset: str) -> str:
    try:
        return data.decode(charset, errors="replace")
    except LookupError:
        return data.decode(errors="replace")


def _parts(body: str) -> tuple[str, str]:
    """Return what stands before the diff, and the diff."""
    found = _DIFF.search(body)
    return (body[: found.start()], body[found.start() :]) if found else (body, "")


def _author(text: str) -> str:
    """Return the author that the text itself names in its first line, as git am takes it."""
    first = text.lstrip().split("\n", 1)[0]
    return first.removeprefix("From:").strip() if first.startswith("From:") else ""


def files_of(diff: str) -> tuple[str, ...]:
    """Return the names that a diff touches, sorted. Raises ValueError, with the words for a person.

    Refused: binary and damaged hunks, and names that lead out of the tree.
    """
    if _BINARY.search(diff):
        raise ValueError("holds a binary hunk, which cannot be reviewed or merged")
    try:
        files = PatchSet(io.StringIO(diff))
    except UnidiffParseError as error:
        raise ValueError(f"damaged hunk: {error}") from error
    if not files:
        raise ValueError("changes no file")
    names = {name for file in files for name in (file.source_file, file.target_file) if name != "/dev/null"}
    for name in sorted(names):
        _check(name)
    return tuple(sorted({_stripped(name) for name in names}))


def _check(name: str) -> None:
    parts = name.strip('"').split("/")
    if _stripped(name.strip('"')).startswith("/") or ".." in parts or ".git" in (part.lower() for part in parts):
        raise ValueError(f"names a path outside the tree: {name}")


def _stripped(name: str) -> str:
    return name.split("/", 1)[1] if name.startswith(("a/", "b/")) else name
