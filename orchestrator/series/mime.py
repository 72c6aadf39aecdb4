"""Mails that git alone does not read, and b4 does (pure): HTML beside the text, charsets that iconv does not know."""

from __future__ import annotations

import email
import re
from email.message import Message

_HTML = re.compile(
    rb"^--(?P<boundary>[^\n]{1,200})\n(?:(?!content-type:)[A-Za-z-]+:[^\n]*\n(?:[ \t][^\n]*\n)*)*"
    rb"content-type:\s*text/html\b.*?(?=^--(?P=boundary)(?:--)?[ \t]*$|\Z)",
    re.M | re.I | re.S,
)
"""A part with HTML: from its boundary to before the next one."""
_MULTIPART = re.compile(rb"^content-type:\s*multipart/", re.M | re.I)
_CONTENT = re.compile(rb"^(?:content-[a-z-]+|mime-version):[^\n]*\n(?:[ \t][^\n]*\n)*", re.M | re.I)
_FLOWED = re.compile(r";\s*(?:format|delsp)\s*=\s*\"?\w+\"?", re.I)


def without_html(raw: bytes) -> bytes:
    """Return a mail without its parts in HTML, which git would take for more of the text."""
    head, gap, body = raw.partition(b"\n\n")
    if not _MULTIPART.search(head):
        return raw
    return head + gap + _HTML.sub(b"", body)


def in_utf8(raw: bytes) -> bytes:
    """Return a mail with its texts alone, in UTF-8: by the charset it names, or as it is where nobody knows that.

    Raises ValueError for one that is nested without end.
    """
    try:
        message = email.message_from_bytes(raw)
        texts = [part for part in message.walk() if part.get_content_maintype() == "text"]
    except (RecursionError, LookupError, ValueError) as error:
        raise ValueError("its parts cannot be told apart") from error
    head = _CONTENT.sub(b"", raw.partition(b"\n\n")[0] + b"\n")
    flowed = "".join(_FLOWED.findall(str(texts[0].get("Content-Type", "")))) if texts else ""
    kind = f"Content-Type: text/plain; charset=UTF-8{flowed}\nContent-Transfer-Encoding: 8bit\n\n"
    return head + kind.encode() + "\n".join(map(_text, texts)).encode()


def _text(part: Message) -> str:
    payload = part.get_payload(decode=True)
    return decoded(payload if isinstance(payload, bytes) else b"", part.get_content_charset(failobj="utf-8"))


def decoded(data: bytes, charset: str) -> str:
    """Return bytes as text: by a charset, or as UTF-8 where that does not exist or fit."""
    try:
        return data.decode(charset)
    except (LookupError, ValueError):
        return data.decode(errors="replace")
