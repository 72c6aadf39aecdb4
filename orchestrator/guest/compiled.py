"""Programs of ours that come as C and are compiled where they are needed: once, kept by the digest of their source."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orchestrator.host import cache as caches
from orchestrator.host import disk, process, scratch
from orchestrator.host.cache import Cache
from orchestrator.host.process import Deadline
from orchestrator.progress import Progress


def built(source: str, name: str, options: Sequence[str], cache: Cache, progress: Progress, deadline: Deadline) -> Path:
    """Return what gcc makes of C source with these options, now or earlier. Raises InfraError.

    ``name`` may end in a suffix (``coverage.so``), which stands behind the digest.
    """
    made = cache.path("programs", f"{Path(name).stem}-{caches.digest(source)}{Path(name).suffix}")
    with cache.lock(Path(name).stem, progress):
        if not made.exists():
            with scratch.folder() as folder:
                file, program = folder / "source.c", folder / "made"
                file.write_text(source)
                process.run(["gcc", "-o", program, file, *options], deadline=deadline)
                disk.write_atomic(made, program.read_bytes())
    return made
