"""Files that the user names, and text files that this program reads again: bounded, and a fault is one line."""

from __future__ import annotations

from pathlib import Path

from orchestrator.errors import UserError

MOST = 256 * 2**20
"""Bytes of a file; a result with every line of a large night takes a tenth of it."""


def is_there(name: str | Path) -> bool:
    """Whether there is a file or folder of that name; a text too long for one is none."""
    try:
        return Path(name).exists()
    except OSError:
        return False


def expanded(name: str | Path) -> Path:
    """Return a path with the home of a user in the place of ``~``; as it is where there is no such user."""
    try:
        return Path(name).expanduser()
    except RuntimeError:
        return Path(name)


def check_path(path: Path, place: str = "") -> None:
    """Refuse a path that is no line: git, make and the compiler are told paths, and name them, line by line."""
    if "\n" in str(path):
        raise UserError(f"{place}{': ' * bool(place)}{str(path)!r}: a path with a line end in it is not taken")


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
