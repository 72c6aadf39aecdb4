"""Make QEMU's kdump one that drgn opens: QEMU writes it in pieces, and leaves out of whose kernel it is.

The format is that of makedumpfile: a header of one page, then pieces that say where in the file they belong, up to one
at -1 (makedumpfile's IMPLEMENTATION, "flattened format"); big-endian, whatever the guest is.
"""

from __future__ import annotations

import struct
from pathlib import Path

from orchestrator.errors import InfraError

_MAGIC = b"makedumpfile\0\0\0\0"
_HEADER = 4096
_PIECE = struct.Struct(">qq")
_END = -1
_SIGNATURE = b"KDUMP   "
_UTSNAME, _FIELD = 12, 65  # struct disk_dump_header: signature, version, struct new_utsname
_MOST = 64 << 30


def make_readable(pieces: Path, dump: Path, release: str, machine: str) -> None:
    """Write the dump of a kernel of this release, out of the pieces that QEMU wrote. Raises InfraError."""
    with pieces.open("rb") as source, dump.open("wb") as to:
        header = source.read(_HEADER)
        if not header.startswith(_MAGIC):
            raise InfraError(f"{pieces} is no dump in pieces: {header[:16]!r}")
        while True:
            place = source.read(_PIECE.size)
            if len(place) < _PIECE.size:
                raise InfraError(f"{pieces} ends in the middle")
            offset, size = _PIECE.unpack(place)
            if offset == _END:
                break
            if not (0 <= offset < _MOST and 0 <= size < _MOST):
                raise InfraError(f"{pieces}: a piece at {offset} of {size} bytes")
            to.seek(offset)
            to.write(source.read(size))
    _name(dump, ("Linux", "guest", release, "#1", machine, ""))


def _name(dump: Path, names: tuple[str, ...]) -> None:
    """Write struct new_utsname into the header of a dump."""
    with dump.open("r+b") as file:
        if file.read(len(_SIGNATURE)) != _SIGNATURE:
            raise InfraError(f"{dump} does not begin as a dump does")
        file.seek(_UTSNAME)
        file.write(b"".join(name.encode()[: _FIELD - 1].ljust(_FIELD, b"\0") for name in names))
