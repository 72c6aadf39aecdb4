"""This host as a build sees it: asked, and not taken from what a tree prints."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.arch import DEFAULT

_ROOM = 64 * 2**20
"""Bytes that must fit on a disk which is not full; a linker's temporary file takes more."""
_INCLUDES = (Path("/usr/include"), Path("/usr/include", DEFAULT.triplet), Path("/usr/local/include"))
_COUNTERS = (Path("/proc/vmstat"), Path("/sys/fs/cgroup/memory.events"))
_KILLS = re.compile(r"^oom_kill (\d+)$", re.M)


def kills() -> int:
    """Return how many processes this host has killed for want of memory: of all (proc_vmstat(5)) and of our cgroup."""
    texts = (path.read_text() for path in _COUNTERS if path.is_file())
    return sum(int(count) for text in texts for count in _KILLS.findall(text))


@dataclass(frozen=True)
class ThisHost:
    """The host of one build, from its beginning. ``folder`` is what it writes to, besides temporary files."""

    folder: Path
    kills_before: int = field(default_factory=kills)

    def is_full(self) -> bool:
        """Whether a disk has no room, by quota or by size."""
        return any(_is_full(folder) for folder in (self.folder, Path(tempfile.gettempdir())))

    def has_killed(self) -> bool:
        """Whether somebody was killed for want of memory since."""
        return kills() > self.kills_before

    def lacks(self, name: str) -> bool:
        """Whether neither a tool nor a header has this name."""
        return shutil.which(name) is None and not any((folder / name).exists() for folder in _INCLUDES)


def _is_full(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            os.posix_fallocate(file.fileno(), 0, _ROOM)
    except OSError:
        return True
    return False
