"""Where an output folder lies, and where make sees it: in its tree, though nothing of ours lies there."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from orchestrator.host.process import sandbox


def out_folder(source: Path, name: str) -> Path:
    """Return the output folder of that name for a work tree: beside it, where no patch brings a file."""
    return source.with_name(f"{source.name}.out") / name


def seen(source: Path, out: Path) -> Path:
    """Return where make sees an output folder: a direct child of its tree, by a name that the tree leaves free.

    There kbuild calls the tree ``..`` (top Makefile, ``srctree``). No path of this host gets into commands or
    objects: ccache takes base and patched as one tree, and a WARN names ``mm/shmem.c`` and not a folder of ours.
    """
    more = (f"-{number}" for number in itertools.count(1))
    names = (source / f".out-{out.name}{suffix}" for suffix in itertools.chain([""], more))
    return next(place for place in names if not os.path.lexists(place))


@contextlib.contextmanager
def shown(source: Path, out: Path) -> Iterator[Path]:
    """Let make see an output folder in its tree, inside the block; yield where.

    That is an empty folder, on which a cage mounts the other. Where this host allows no cage the output folder itself
    is moved there, and back. What a killed run leaves goes with the next checkout. Raises OSError.
    """
    place = seen(source, out)
    if sandbox.obstacle():
        out.rename(place)
        try:
            yield place
        finally:
            place.rename(out)
        return
    place.mkdir()
    try:
        yield place
    finally:
        with contextlib.suppress(OSError):  # somebody removed the tree: that is another fault
            place.rmdir()
