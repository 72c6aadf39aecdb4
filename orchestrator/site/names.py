"""The names of the pages, which say what each is of. Pure."""

from __future__ import annotations

import hashlib
import re


def page(kind: str, *parts: str) -> str:
    """Return a file name: ``kind``, what can be read of the parts, and a digest that keeps any two apart."""
    whole = "\0".join(parts).encode(errors="backslashreplace")
    words = re.sub(r"[^A-Za-z0-9_.]+", "-", "-".join(parts)).strip("-.")[:80]
    return f"{kind}-{words}-{hashlib.sha256(whole).hexdigest()[:10]}.html"
