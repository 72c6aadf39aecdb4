"""How much of a series that comes from outside is taken: every bound on mails, with the words of its refusal (pure).

MIME depth (5), charsets and dates are bounded by ``git mailinfo`` and ``git am``, which read each mail.
"""

from __future__ import annotations

from orchestrator.errors import UserError

SERIES_BYTES = 48 << 20
"""A series with all its mails. The longest that lists have seen, new headers of graphics chips, take 20 MB."""

LINES = 3_000_000
"""Lines of a series: each costs a hundred bytes while the names in its diffs are read."""

MAILS = 2000
"""Mails in a thread, or files in a folder."""

PATCHES = 1000
"""Patches of a series: the highest ``m`` of ``[PATCH n/m]``."""

HEADER_LINE = 64 << 10
"""Bytes of a header with its continuations; RFC 5322 allows 998 in a line."""

SUBJECT = 400
"""Characters of a subject or an author that are kept."""

PREREQUISITES = 100
"""Prerequisites that a series may name; more are not looked at."""


def check_size(name: str, size: int) -> None:
    """Refuse a series that is larger than ``SERIES_BYTES``. Raises UserError."""
    if size > SERIES_BYTES:
        raise UserError(f"series {name} is larger than {SERIES_BYTES >> 20} MiB, the most that is read")


def check_lines(name: str, count: int) -> None:
    """Refuse a series of more than ``LINES`` lines. Raises UserError."""
    if count > LINES:
        raise UserError(f"series {name} has more than {LINES} lines, the most that are read")


def check_mails(name: str, count: int) -> None:
    """Refuse more than ``MAILS`` mails or files. Raises UserError."""
    if count > MAILS:
        raise UserError(f"series {name} holds more than {MAILS} mails or files, the most that are read")


def check_patches(name: str, count: int) -> None:
    """Refuse more than ``PATCHES`` patches, counted or announced. Raises UserError."""
    if count > PATCHES:
        words = str(count) if count < 10**9 else "more than a milliard"
        raise UserError(f"series {name} has or announces {words} patches; {PATCHES} are the most that are taken")
