"""A file with mails → the mails in it (pure). What separates them is as strict as git's: a date and a header behind."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from orchestrator.series import bounds

_SEPARATOR = b"From mboxrd@z Thu Jan  1 00:00:00 1970\n"
_LINE = re.compile(rb"^From [^\n]{1,400}\n", re.M)
_STAMP = re.compile(rb"\b\d?\d:\d\d(?::\d\d)?\b.*\b(?:19|20)\d\d\b")
_HEADER = re.compile(rb"[!-9;-~]+:")
"""The name of a header (RFC 5322, section 2.2), with or without a blank behind its colon."""
_HEAD = re.compile(rb"(?<=\n\n)(?:[!-9;-~]+:[^\n]*\n(?:[ \t][^\n]*\n)*){3,}(?=\n)")
_NAMED = tuple(re.compile(rb"^" + name, re.M | re.I) for name in (b"from:", b"subject:", b"date:"))
_MULTIPART = re.compile(rb"^content-type:\s*multipart/", re.M | re.I)
_BOUNDARY = re.compile(rb"\bboundary=\"?([^\"\s;]+)", re.I)
_HUNK = re.compile(rb"^@@ ", re.M)
_NEAR = 1000
"""Bytes before headers in which it shows whether they are quoted."""
_CRLF_HEAD = re.compile(rb"\A[^\n]*\r\n")
_CRLF_DIFF = re.compile(rb"^(?:diff --git |--- |\+\+\+ |@@ )[^\n]*\r$", re.M)


def split(data: bytes) -> list[bytes]:
    """Return the mails of a file that holds mails, without separators and with the line ends of the patches."""
    data = data.replace(b"\r\n", b"\n") if _CRLF_HEAD.match(data) else data
    within = _parts_end(data)
    starts = [start for start in _starts(data) if start >= within]
    if not starts:
        return _glued(data)
    bare = data[: starts[0]]  # as ``cat first.eml rest.mbox`` has it
    ends = [*starts[1:], len(data)]
    return [
        *(_glued(bare) if is_mail(bare) else ()),
        *(_unescaped(data[start:end]) for start, end in zip(starts, ends, strict=True)),
    ]


def _parts_end(data: bytes) -> int:
    """Return where the parts of a first mail without a separator end: until there, a separator belongs to a part."""
    head = data.partition(b"\n\n")[0]
    if next(_starts(data), None) == 0 or not _MULTIPART.search(head) or not (named := _BOUNDARY.search(head)):
        return 0
    return max(data.find(b"\n--" + named[1] + b"--"), 0)


def join(mails: Iterable[bytes]) -> bytes:
    """Return a file that holds mails, as ``split`` reads it."""
    return b"".join(_SEPARATOR + re.sub(rb"^(>*From )", rb">\1", mail, flags=re.M) + b"\n" for mail in mails)


def _glued(data: bytes) -> list[bytes]:
    """Return the mails of a file without separators: behind the text or hunks of one, the headers of the next."""
    if _MULTIPART.search(data.partition(b"\n\n")[0]):
        return [data]  # what looks like another mail is a part of this one
    starts, text, hunk = [0], data.find(b"\n\n"), _hunk(data, 0)
    for head in _HEAD.finditer(data):
        before = data[max(text, head.start() - _NEAR) : head.start()]
        is_named = all(name.search(head[0]) for name in _NAMED)
        if is_named and (hunk < head.start() or not _is_quoted(before)):
            starts.append(head.start())
            # headers within a mail of parts are a part's: such a mail has no text that they could end
            text = len(data) if _MULTIPART.search(head[0]) else head.end()
            hunk = _hunk(data, head.end()) if hunk < head.end() else hunk  # each byte is looked at once
    return [data[start:end] for start, end in zip(starts, [*starts[1:], len(data)], strict=True)]


def _is_quoted(before: bytes) -> bool:
    """Whether headers behind this text of a mail are its own: the first in it, or announced (forwarded, scissors)."""
    last = before.rstrip().rpartition(b"\n")[2]
    return not last or (last != b"--" and last.endswith((b":", b"--")))


def _hunk(data: bytes, start: int) -> int:
    match = _HUNK.search(data, start)
    return match.start() if match else len(data)


def is_mail(data: bytes) -> bool:
    """Whether a file holds mails: a separator comes first, or nothing but headers, with ``From:`` or ``Subject:``."""
    head = data.lstrip(b"\r\n")[: bounds.HEADER_LINE].replace(b"\r\n", b"\n").partition(b"\n\n")[0] + b"\n"
    if next(_starts(head), None) == 0:
        return True
    has_author = re.search(rb"^From:", head, re.M | re.I)
    has_subject = re.search(rb"^Subject:", head, re.M | re.I)
    lines = head.splitlines()
    return bool(has_author and (has_subject or all(_HEADER.match(line) or line[:1] in b" \t" for line in lines)))


def plain(data: bytes) -> bytes:
    """Return a plain diff with its own line ends: a CR in the lines that diff writes is a mail program's."""
    data = data if data.endswith(b"\n") else data + b"\n"
    return data.replace(b"\r\n", b"\n") if _CRLF_DIFF.search(data) else data


def _starts(data: bytes) -> Iterator[int]:
    for line in _LINE.finditer(data):
        if _STAMP.search(line[0]) and _HEADER.match(data, line.end()):
            yield line.start()


def _unescaped(mail: bytes) -> bytes:
    """Take off the separator, and the '>' that an mbox puts before a line that begins with 'From '."""
    body = mail[mail.index(b"\n") + 1 :]
    return re.sub(rb"^>(>*From )", rb"\1", body, flags=re.M)
