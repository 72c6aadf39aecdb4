"""Make QEMU's kdump one that drgn opens: QEMU writes it in pieces, and leaves out of whose kernel it is.

The format is that of makedumpfile: a header of one page, then pieces that say where in the file they belong, up to one
at -1 (makedumpfile's IMPLEMENTATION, "flattened format"); big-endian, whatever the guest is.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import IO

from orchestrator.errors import InfraError
from orchestrator.host.process import Deadline

_MAGIC = b"makedumpfile\0\0\0\0"
_HEADER = 4096
_PIECE = struct.Struct(">qq")
_END = -1
_SIGNATURE = b"KDUMP   "
_UTSNAME, _FIELD = 12, 65  # struct disk_dump_header: signature, version, struct new_utsname
_MOST = 64 << 30


def make_readable(pieces: Path, dump: Path, release: str, machine: str, deadline: Deadline) -> None:
    """Write the dump of a kernel of this release, out of the pieces that QEMU wrote: the whole of it, or nothing.

    Raises InfraError, also where time is up, and OSError.
    """
    scratch = dump.with_name(f".{dump.name}")
    try:
        with pieces.open("rb") as source, scratch.open("wb") as to:
            _join(source, to, deadline)
        _name(scratch, ("Linux", "guest", release, "#1", machine, ""))
        scratch.replace(dump)
    finally:
        scratch.unlink(missing_ok=True)


def _join(source: IO[bytes], to: IO[bytes], deadline: Deadline) -> None:
    """Write each piece at its place."""
    header = source.read(_HEADER)
    if not header.startswith(_MAGIC):
        raise InfraError(f"{source.name} is no dump in pieces: {header[:16]!r}")
    while True:
        if deadline.expired:
            raise InfraError("out of time: the memory is not put together")
        place = source.read(_PIECE.size)
        if len(place) < _PIECE.size:
            raise InfraError(f"{source.name} ends in the middle")
        offset, size = _PIECE.unpack(place)
        if offset == _END:
            return
        if not (0 <= offset < _MOST and 0 <= size < _MOST):
            raise InfraError(f"{source.name}: a piece at {offset} of {size} bytes")
        to.seek(offset)
        to.write(source.read(size))


def _name(dump: Path, names: tuple[str, ...]) -> None:
    """Write struct new_utsname into the header of a dump."""
    with dump.open("r+b") as file:
        if file.read(len(_SIGNATURE)) != _SIGNATURE:
            raise InfraError(f"{dump} does not begin as a dump does")
        file.seek(_UTSNAME)
        file.write(b"".join(name.encode()[: _FIELD - 1].ljust(_FIELD, b"\0") for name in names))
