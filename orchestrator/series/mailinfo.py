"""A mail as ``git am`` reads it: git itself takes off MIME, charsets and what mail programs do to a patch."""

from __future__ import annotations

import base64
import functools
import re
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from pathlib import Path

from orchestrator.host import process, scratch
from orchestrator.host.process import Deadline
from orchestrator.series import bounds, mime
from orchestrator.trees import repository

SECONDS = 20.0
"""What git has for a mail, which takes it milliseconds."""
_CONTENT = re.compile(rb"^content-[a-z-]+:(?:[^\n]|\n[ \t])*", re.M | re.I)
_NEEDS_DECODING = re.compile(rb"base64|quoted-printable|multipart/|message/|flowed|uuencode|application/", re.I)
_CHARSET = re.compile(rb"charset\s*=\s*\"?([^\s\";]*)", re.I)
_PLAIN = {b"utf-8", b"utf8"}
_PATCH_CHARSET = re.compile(rb"^X-Patch-Charset: (\S+)$", re.M)


class Refused(ValueError):
    """git cannot read the mail; its words say why."""


@dataclass(frozen=True)
class Mail:
    """What git reads in a mail. ``subject`` is whole, with its tags; ``date`` is empty where there is none.

    ``message`` is the text before the patch; ``patch`` is what follows, bytes as the file has them.
    """

    author: str
    subject: str
    date: str
    message: str
    patch: bytes


@functools.lru_cache(maxsize=256)
def read(raw: bytes) -> Mail:
    """Decode one mail. A CR that stood inside base64 or quoted-printable is the mail program's. Raises Refused.

    What git cannot convert is read as b4 reads it.
    """
    raw = mime.without_html(raw)
    try:
        return _by_git(raw)
    except Refused as refusal:
        if "cannot convert" not in str(refusal):
            raise
        try:
            return _by_git(mime.in_utf8(raw))
        except ValueError:
            raise refusal from None


def _by_git(raw: bytes) -> Mail:
    with scratch.folder() as folder:
        text, patch = folder / "text", folder / "patch"
        argv: list[str | Path] = ["git", "mailinfo", "-k", "-u", "--quoted-cr=strip", text, patch]
        environment = repository.environment({"GIT_CEILING_DIRECTORIES": "/"})
        deadline = Deadline.after(SECONDS)
        try:
            done = process.run(
                argv, cwd=folder, env=environment, input_text=raw, check=False, offline=True, deadline=deadline
            )
        except process.CommandFailed as error:
            if deadline.expired:  # encoded lines of megabytes: git copies each as often as it has lines
                raise Refused(f"git does not read it in {SECONDS:.0f} s") from error
            raise
        if not done.ok:
            lines = [line for line in done.stderr.splitlines() if line.strip()] or ["git gave no reason"]
            raise Refused(lines[0].removeprefix("error: ").removeprefix("fatal: "))
        return _mail(done.stdout, text.read_bytes(), patch.read_bytes())


def _mail(headers: str, text: bytes, patch: bytes) -> Mail:
    lines = [line.partition(": ")[::2] for line in headers.split("\n") if ": " in line]
    fields = dict(lines)
    address = fields.get("Email", "")
    name = fields.get("Author", "")
    return Mail(
        author=f"{name} <{address}>" if name != address else address,
        subject=" ".join(value for name, value in lines if name == "Subject").strip(),  # folded in the text: one a line
        date=fields.get("Date", ""),
        message=text.decode(errors="replace"),
        patch=patch,
    )


def header(text: str) -> str:
    """Return the value of a header field as a person reads it: unfolded, encoded words decoded (RFC 2047). Pure."""
    try:
        return " ".join(str(make_header(decode_header(" ".join(text.split())))).split())
    except (HeaderParseError, LookupError, ValueError):
        return " ".join(text.split())


def is_encoded(raw: bytes) -> bool:
    """Whether a patch does not stand in a mail as it is (pure): MIME parts, another charset, flowed text."""
    plain = _PLAIN | {b"us-ascii"} if raw.isascii() else _PLAIN
    return bool(_NEEDS_DECODING.search(_content(raw))) or not _charsets(raw) <= plain


def _content(raw: bytes) -> bytes:
    return b"\n".join(_CONTENT.findall(raw[: bounds.HEADER_LINE].partition(b"\n\n")[0]))


def _charsets(raw: bytes) -> set[bytes]:
    return {name.lower() for name in _CHARSET.findall(_content(raw))}


def in_utf8(raw: bytes) -> bytes:
    """Return a mail of ``written_plain`` with its patch in UTF-8, where the mail that it was had another charset.

    git converts the text of a mail, and leaves the patch as it came; b4 converts both.
    """
    patch = read(raw).patch if (charset := _PATCH_CHARSET.search(raw.partition(b"\n\n")[0])) else b""
    if not charset or not raw.endswith(patch):
        return raw
    return raw.removesuffix(patch) + mime.decoded(patch, charset[1].decode(errors="replace")).encode()


def _undecodable(text: str) -> str:
    """Return a header so that it is read as it stands, where it happens to look like an encoded one (RFC 2047)."""
    return f"=?utf-8?b?{base64.b64encode(text.encode()).decode()}?=" if "=?" in text else text


def written_plain(mail: Mail, message_id: str, was: bytes = b"") -> bytes:
    """Return a decoded mail as one that needs no decoding (pure): for git, for checkpatch and for people.

    The author stands in the text once more, so that nothing in the text is taken for a header. Where the patch is no
    UTF-8, a header keeps the charset of ``was``, the mail that it was.
    """
    headers = [f"From: {mail.author}", f"Subject: {_undecodable(mail.subject)}"]
    headers += [f"Date: {mail.date}"] if mail.date else []
    headers += [f"Message-ID: {message_id}"] if message_id else []
    charset = min(_charsets(was) - _PLAIN, default=b"").decode(errors="replace")
    if charset.isascii() and charset.isprintable() and charset and not _is_utf8(mail.patch):
        headers.append(f"X-Patch-Charset: {charset}")
    headers += ["MIME-Version: 1.0", "Content-Type: text/plain; charset=UTF-8", "Content-Transfer-Encoding: 8bit"]
    text = f"From: {mail.author}\n\n{mail.message}"
    return ("\n".join(headers) + f"\n\n{text}").encode() + mail.patch


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
