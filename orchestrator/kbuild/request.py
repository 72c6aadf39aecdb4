"""What kernel is to be built, and the name that it has in the cache by all that goes in."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.arch import DEFAULT
from orchestrator.host.cache import digest
from orchestrator.kbuild import configure, make, namesakes, place
from orchestrator.kbuild.compiler_log import Folders
from orchestrator.kbuild.kconfig import Merged

RECIPE = "1"
"""Part of every key: counted up by a change of ``kernel.py`` or ``make.py`` that makes another kernel of a tree, and of
``compiler_log.py`` that reads other warnings out of its log."""


@dataclass(frozen=True)
class BuildRequest:
    """What to build, and where.

    ``source`` is a work tree that the caller checked out and holds still; ``content`` is the id of its git tree
    object. ``base`` is ``tinyconfig``, ``defconfig`` or a file. ``out`` is kept between builds, outside of the tree
    (``place.out_folder``). ``owner`` is empty where the code is trusted, else the digest of the series whose code
    runs: what one owner left is no input of another. ``private`` names who alone has this kernel; empty: whoever
    asks for it. ``log``, if any, gets a copy of the build's log.
    """

    source: Path
    content: str
    out: Path
    base: str = "tinyconfig"
    fragments: tuple[Path, ...] = ()
    arch: str = DEFAULT.name
    image: str = "vmlinux"
    jobs: int = field(default_factory=make.processors)
    log: Path | None = None
    owner: str = ""
    private: str = ""

    @functools.cached_property
    def headers(self) -> str:
        """The stamp of the tree's headers (``namesakes``), of when it is first asked for: the tree is held still then.

        A walk through a whole kernel takes a quarter of a second, and a build asks five times.
        """
        return namesakes.stamp(self.source)

    @property
    def folders(self) -> Folders:
        """The folders that paths in the log are relative to, while make is not at work."""
        return Folders(self.source, place.seen(self.source, self.out))


def kernel_key(request: BuildRequest) -> str:
    """Return the name of the kernel that a request asks for. Raises UserError for bad fragments.

    A prefix of a series may be what somebody else sends, built where the rest of the series ran: its owner counts.
    """
    requested = configuration_key(request, configure.requested(request.fragments))
    whose = [name for name in (request.owner, request.private) if name]
    return digest(RECIPE, request.content, requested, request.image, *whose)


def configuration_key(request: BuildRequest, merged: Merged) -> str:
    """Return what stands for configuration and toolchain in keys and stamps."""
    strict = " ".join(sorted(r.symbol + "?" * r.where_known for r in merged.requests if not r.optional))
    return digest(configure.base_text(request.base), merged.text, strict, request.arch, make.toolchain())
