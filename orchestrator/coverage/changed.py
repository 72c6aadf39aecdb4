"""The lines that a series changes, from the diff between its base and the whole of it."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence

from unidiff.errors import UnidiffParseError
from unidiff.patch import Hunk, PatchSet

from orchestrator.errors import InfraError
from orchestrator.model import Tree
from orchestrator.model.coverage import DiffFile, DiffHunk, DiffLine
from orchestrator.trees import repository

_CODE = ("*.c", "*.h", "*.S")
_NO_KERNEL = ("Documentation", "samples", "scripts", "tools", "usr")
"""Folders of the tree whose code is not part of the kernel."""


def read(tree: Tree) -> tuple[DiffFile, ...]:
    """Return what the patches on a tree change of its code. Raises InfraError."""
    options = ("--find-renames", "--no-ext-diff", "--no-textconv", "--no-color", "-U3")
    paths = (*_CODE, *(f":(exclude){folder}" for folder in _NO_KERNEL))
    return parse(repository.git(tree.repository, "diff", *options, tree.base, tree.commit, "--", *paths))


def parse(diff: str) -> tuple[DiffFile, ...]:
    """Return the files of a diff. Raises InfraError where it cannot be followed. Pure."""
    try:
        files = PatchSet(io.StringIO(diff + "\n"))
    except (UnidiffParseError, ValueError) as error:
        raise InfraError(f"the diff of the series cannot be read: {error}") from error
    return tuple(
        DiffFile(file.path, tuple(DiffHunk(hunk.section_header or "", tuple(_lines(hunk))) for hunk in file))
        for file in files
        if len(file) and not file.is_removed_file
    )


def _lines(hunk: Hunk) -> Iterator[DiffLine]:
    for line in hunk:
        if line.line_type in "+- ":
            yield DiffLine(line.line_type, line.target_line_no or 0, line.value.rstrip("\n"))


def numbers(files: Sequence[DiffFile]) -> Mapping[str, tuple[int, ...]]:
    """Return the numbers of the changed lines by file; files without any are left out. Pure."""
    lines = {file.name: tuple(line.number for line in file.changed) for file in files}
    return {name: all_of for name, all_of in lines.items() if all_of}
