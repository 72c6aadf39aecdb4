"""Programs of ours that come as C and are compiled where they are needed: once, and again where one is not as it was.

The digest of what was made lies beside it, and is checked at each use: what compiles every kernel is among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orchestrator.host import process
from orchestrator.host.cache import Cache, digest
from orchestrator.host.disk import new_directory
from orchestrator.host.process import Deadline
from orchestrator.progress import SILENT, Progress

_SEAL = "sha256"


def built(
    source: Path, name: str, options: Sequence[str], cache: Cache, deadline: Deadline, progress: Progress = SILENT
) -> Path:
    """Return what gcc makes of a C file with these options, now or earlier. Raises InfraError."""
    folder = cache.path("compiler", digest(source.read_text(), *options)[:16])
    with cache.lock(f"compiler-{name}", progress):
        if not _is_whole(folder, name):
            with new_directory(folder) as scratch:
                argv = ["gcc", "-o", str(scratch / name), str(source), *options]
                process.run(argv, env=process.minimal_environment(), deadline=deadline)
                (scratch / _SEAL).write_text(digest(scratch / name))
    return folder / name


def _is_whole(folder: Path, name: str) -> bool:
    """Whether a program is there, and what was made."""
    try:
        return (folder / _SEAL).read_text() == digest(folder / name)
    except (OSError, ValueError):
        return False
