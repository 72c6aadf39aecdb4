"""Hostile text → text that shows what it holds, and page names that say what they are of. Pure."""

from __future__ import annotations

import hashlib
import re

_KEPT = "\n\t"


def visible(text: str) -> str:
    """Return text in which nothing acts unseen: control characters, and what turns or hides text, as ``\\x1b``."""
    if text.isprintable():
        return text
    kept = (c if c.isprintable() or c in _KEPT else ascii(c)[1:-1] for c in text.replace("\r\n", "\n"))
    return "".join(kept)


def page_name(kind: str, *parts: str) -> str:
    """Return a file name: ``kind``, what can be read of the parts, and a digest that keeps any two apart."""
    whole = "\0".join(parts).encode(errors="backslashreplace")
    words = re.sub(r"[^A-Za-z0-9_.]+", "-", "-".join(parts)).strip("-.")[:80]
    return f"{kind}-{words}-{hashlib.sha256(whole).hexdigest()[:10]}.html"
