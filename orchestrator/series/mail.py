"""Mails, diffs and commits, taken apart: what ``git format-patch``, ``b4 am``, quilt and a mail program write."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from orchestrator.series import bounds, commits, log, mailinfo, mbox, tag
from orchestrator.series.mailinfo import Mail, Refused
from orchestrator.text.plain import clean
from orchestrator.text.wording import cut

Kind = Literal["mail", "diff", "commit"]

_DIFF = re.compile(r"^(?:diff --git |Index: [^\n]|--- [^\n]+\n\+\+\+ )", re.M)
_BASE = re.compile(r"^base-commit: ([0-9a-f]{40})\s*$", re.M)
_PREREQUISITE = re.compile(r"^prerequisite-(patch-id|change-id|message-id):\s*(\S{1,400})\s*$", re.M | re.I)
_FIELD = re.compile(rb"^(message-id|in-reply-to|references|subject|from):((?:[^\n]|\n[ \t])*)", re.M | re.I)
_COVER = re.compile(r"(?:^|-)0000-cover-letter\.(?:patch|eml)$")
_DATE = b"Date: Sat, 1 Jan 2000 00:00:00 +0000\n"


@dataclass(frozen=True)
class Prerequisite:
    """What a series names as applied before it: a ``patch-id``, a ``change-id`` or a ``message-id``."""

    kind: str
    value: str

    def __str__(self) -> str:
        return f"prerequisite-{self.kind}: {self.value}"


@dataclass(frozen=True)
class Letter:
    """One mail, one plain diff, or one commit.

    ``text`` is what stands before the diff; ``raw`` is what git is given. ``tag`` is what the subject says of numbers
    and versions. ``sender`` is the address of who sent it, be the patch another's. ``refusal`` says why git cannot read
    it, and is empty where it can. ``level`` is how many components its names lose, where its sender says so.
    """

    label: str
    subject: str
    author: str
    text: str
    diff: str
    raw: bytes
    kind: Kind
    tag: tag.Tag
    message_id: str = ""
    in_reply_to: str = ""
    sender: str = ""
    base_commit: str | None = None
    prerequisites: tuple[Prerequisite, ...] = ()
    refusal: str = ""
    level: int | None = None

    @property
    def is_mail(self) -> bool:
        """Whether it came as a mail."""
        return self.kind == "mail"

    @property
    def is_cover(self) -> bool:
        """Whether it is ``[PATCH 0/n]``, or git's file for it: what stands in it is talk, a diff as well."""
        return (self.tag.total > 0 and self.tag.number == 0) or _COVER.search(self.label) is not None


def split(label: str, data: bytes) -> list[Letter]:
    """Return the mails of a file, or the plain diff or the commit that it is; ``label`` names the file.

    Raises UserError for commits that nobody put in order.
    """
    if not mbox.is_mail(data):
        log.check_one(label, data)
    if commits.is_commit(data):
        return [_commit(label, data)]
    if not mbox.is_mail(data):
        return [_plain(label, mbox.plain(data))] if data.strip() else []
    mails = mbox.split(data.lstrip(b"\r\n"))
    bounds.check_mails(label, len(mails))
    return [_letter(label, raw) for raw in mails]


def _letter(label: str, raw: bytes) -> Letter:
    fields = _fields(raw)
    message_id, above = (_id(fields.get(name, "")) for name in ("message-id", "in-reply-to"))
    in_reply_to = above or _id("".join(fields.get("references", "").split()[-1:]))
    try:
        mail = mailinfo.read(raw)
    except Refused as error:
        about = tag.read(_line(" ".join(fields.get("subject", label).split())))
        return Letter(label, about.title, "", "", "", raw, "mail", about, message_id, in_reply_to, refusal=str(error))
    patch = mail.patch.decode(errors="replace")
    before, diff = _parts(patch)
    about = _about(mail.subject, mailinfo.header(fields.get("subject", "")))
    return Letter(
        label=label,
        subject=_line(about.title) or _line(mail.message),
        author=_line(mail.author),
        text=(mail.message + before).strip(),
        diff=diff,
        raw=_applicable(raw, mail, message_id),
        kind="mail",
        tag=about,
        message_id=message_id,
        in_reply_to=in_reply_to,
        sender=_id(fields.get("from", "")) or fields.get("from", ""),
        base_commit=_base(mail.message + patch),
        prerequisites=_prerequisites(mail.message + patch),
    )


def _about(subject: str, header: str) -> tag.Tag:
    """Return what a subject says; one that stands in the text gives the title, and its header the place in a series."""
    about, outer = tag.read(subject), tag.read(header)
    is_placed = " ".join(subject.split()) != header and (outer.total or outer.is_reply)
    return replace(outer, title=about.title) if is_placed else about


def _applicable(raw: bytes, mail: Mail, message_id: str) -> bytes:
    """Return the mail for ``git am``: as it was sent where that is plain, with a date where it has none."""
    if mailinfo.is_encoded(raw):
        raw = mailinfo.written_plain(mail, message_id, raw)
    if mail.date:
        return raw
    head, gap, body = raw.partition(b"\n\n")
    return _DATE + re.sub(rb"^date:[^\n]*(?:\n|\Z)", b"", head + b"\n", flags=re.M | re.I).rstrip(b"\n") + gap + body


def _fields(raw: bytes) -> dict[str, str]:
    head = raw[: bounds.HEADER_LINE].partition(b"\n\n")[0]
    return {match[1].decode().lower(): match[2].decode(errors="replace").strip() for match in _FIELD.finditer(head)}


def _id(field: str) -> str:
    match = re.search(r"<([^<>\s]{1,1000})>", field)
    return match[1] if match else ""


def _line(text: str) -> str:
    """Return the first line of a text, for people: without control characters, and not endless."""
    return cut(clean(text.strip().partition("\n")[0]).strip(), bounds.SUBJECT)


def _plain(label: str, data: bytes) -> Letter:
    content = data.decode(errors="replace")
    text, diff = _parts(content)
    shown = log.read(text)
    name = _line(shown.subject or f"plain diff {label}")
    return Letter(
        label, name, _line(shown.author), text.strip(), diff, data, "diff", tag.Tag(name),
        base_commit=_base(content), prerequisites=_prerequisites(content),
    )  # fmt: skip


def _commit(label: str, data: bytes) -> Letter:
    commit = commits.read(data)
    diff = commit.diff.decode(errors="replace")
    subject = _line(commit.message)
    return Letter(
        label, subject, _line(commit.author), commit.message, diff, data, "commit", tag.Tag(subject),
        base_commit=commit.parent or None, prerequisites=_prerequisites(commit.message),
    )  # fmt: skip


def _base(text: str) -> str | None:
    match = _BASE.search(text)
    return match[1] if match else None


def _prerequisites(text: str) -> tuple[Prerequisite, ...]:
    matches = [Prerequisite(match[1].lower(), match[2].strip("<>")) for match in _PREREQUISITE.finditer(text)]
    return tuple(dict.fromkeys(matches))[: bounds.PREREQUISITES]


def _parts(body: str) -> tuple[str, str]:
    """Return what stands before the diff, and the diff."""
    match = _DIFF.search(body)
    return (body[: match.start()], body[match.start() :]) if match else (body, "")
