"""Which files a diff names (pure). Hunks are not looked at: whether they are whole, git says that applies them."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

from unidiff.errors import UnidiffParseError
from unidiff.patch import PatchedFile, PatchSet

_NO_CONTENT = re.compile(r"^Binary files .* differ$", re.M)
_ESCAPE = re.compile(rb"\\(?:([0-7]{3})|(.))", re.S)
_LETTERS = {b"a": b"\a", b"b": b"\b", b"t": b"\t", b"n": b"\n", b"v": b"\v", b"f": b"\f", b"r": b"\r"}
NOWHERE = "/dev/null"


class Damaged(ValueError):
    """A diff that this reader cannot follow; git may, and says where it is damaged."""


@dataclass(frozen=True)
class Names:
    """The names of one file of a diff, as they stand there; ``is_new`` where the tree is not to have it."""

    old: str
    new: str
    is_new: bool
    is_renamed: bool

    @property
    def all(self) -> tuple[str, ...]:
        """The names of a file that is there before or after."""
        return tuple(name for name in (self.old, self.new) if name != NOWHERE)


def patched_files(diff: str) -> list[PatchedFile]:
    """Return the files of a diff with where their hunks begin. Raises Damaged."""
    try:
        return list(PatchSet(io.StringIO(diff), metadata_only=True))
    except (UnidiffParseError, ValueError) as error:
        raise Damaged(f"damaged hunk: {error}") from error


def names_of(diff: str) -> list[Names]:
    """Return the names of each file of a diff. Raises Damaged."""
    return [
        Names(
            unquoted(file.source_file),
            unquoted(file.target_file),
            file.is_added_file,
            any(line.startswith("rename from ") for line in file.patch_info or ()),
        )
        for file in patched_files(diff)
    ]


def files_of(diff: str) -> tuple[str, ...]:
    """Return the names that a diff touches, sorted. Raises ValueError, with the words for a person.

    Refused: a binary file without its content, and names that lead out of the tree.
    """
    if _NO_CONTENT.search(diff):
        raise ValueError("holds a binary hunk without its content: git format-patch --binary writes it")
    names = {name for file in names_of(diff) for name in file.all}
    if not names:
        raise Damaged("changes no file")
    for name in sorted(names):
        _check(name)
    return tuple(sorted({_stripped(name) for name in names}))


def unquoted(name: str) -> str:
    r"""Return a name without the quotes that git puts around one with bytes like ``\303\244`` (quote.c)."""
    if not (len(name) > 1 and name[0] == name[-1] == '"'):
        return name

    def byte(match: re.Match[bytes]) -> bytes:
        return bytes([int(match[1], 8) & 255]) if match[1] else _LETTERS.get(match[2], match[2])

    return _ESCAPE.sub(byte, name[1:-1].encode()).decode(errors="replace")


def _check(name: str) -> None:
    parts = name.split("/")
    if _stripped(name).startswith("/") or ".." in parts or ".git" in (part.lower() for part in parts):
        raise ValueError(f"names a path outside the tree: {name}")


def _stripped(name: str) -> str:
    return name.split("/", 1)[1] if name.startswith(("a/", "b/")) else name
