"""Text files that this program reads again, its own and the user's: bounded, and a fault is one line."""

from __future__ import annotations

from pathlib import Path

from orchestrator.errors import UserError

MOST = 256 * 2**20
"""Bytes of a file; a result with every line of a large night takes a tenth of it."""


def read(path: Path, most: int = MOST) -> str:
    """Return the text of a file. Raises UserError for one that is not there, no file, too large, or no UTF-8."""
    try:
        if path.exists() and not path.is_file():
            raise UserError(f"{path}: not a file")
        with path.open("rb") as file:
            raw = file.read(most + 1)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    if len(raw) > most:
        raise UserError(f"{path}: larger than {most} bytes")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text") from error
