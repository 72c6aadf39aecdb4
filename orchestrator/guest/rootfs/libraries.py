"""Find what dynamic programs need to run in the guest: their loader and their libraries."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from orchestrator.errors import InfraError
from orchestrator.guest.rootfs import elf

_STANDARD = ("/lib64", "/usr/lib64", "/lib", "/usr/lib")
_LOADED_LATE = "libgcc_s.so.1"
"""The C library opens it by name when a thread is cancelled or exits."""


def needed_by(programs: Iterable[Path], triplet: str) -> dict[str, Path]:
    """Return the files to copy, by their path in the guest, for the programs and for what those files need in turn.

    A file keeps the path where the host's loader would find it; ``triplet`` names the folders of an architecture.
    Raises InfraError where a library is not found.
    """
    standard = (f"/lib/{triplet}", f"/usr/lib/{triplet}", *_STANDARD)
    libraries: dict[str, Path] = {}
    queue = list(programs)
    while queue:
        program = queue.pop()
        for guest_path in _direct(program, standard):
            if guest_path not in libraries:
                libraries[guest_path] = Path(guest_path).resolve()
                queue.append(Path(guest_path))
    return libraries


def _direct(program: Path, standard: Iterable[str]) -> list[str]:
    if not program.is_file():
        return []
    data = program.read_bytes()
    if not elf.is_elf(data):
        return []
    try:
        asks = elf.dynamic(data)
    except ValueError as error:
        raise InfraError(f"{program}: {error}") from error
    folders = [*_expanded(asks.search, program), *standard]
    paths = [_find(name, folders, program) for name in asks.needed]
    late = [path for folder in standard if (path := Path(folder, _LOADED_LATE)).exists()][:1]
    return [*([asks.interpreter, *map(str, late)] if asks.interpreter else []), *map(str, paths)]


def _expanded(search: Iterable[str], program: Path) -> list[str]:
    origin = str(program.parent)
    return [folder.replace("${ORIGIN}", origin).replace("$ORIGIN", origin) for folder in search]


def _find(name: str, folders: Iterable[str], program: Path) -> Path:
    for folder in folders:
        if (path := Path(folder, name)).exists():
            return path
    raise InfraError(f"{program} needs the library {name}, which this host does not have")
