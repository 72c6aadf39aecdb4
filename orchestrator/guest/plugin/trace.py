"""Which pieces of a kernel's text ran in a guest: the file that the host shares with a plugin of QEMU (coverage.c).

The file is read once the guest is gone. A record is what ran between two writes to /dev/kmsg, which is where markers
are written: records and markers of one command are as many, or some program writes there besides.
"""

from __future__ import annotations

import functools
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import InfraError
from orchestrator.host import compiled, process, scratch
from orchestrator.host.cache import Cache
from orchestrator.host.process import Deadline
from orchestrator.progress import Progress

FILE = "coverage.bin"
"""The shared file, beside the console of the guest."""
WRITER = "devkmsg_write"
"""The function of the kernel that takes what is written to /dev/kmsg."""

_MAGIC = 0x31564F4349435057  # WPCICOV1
_HEAD, _PIECE = struct.Struct("=8Q"), struct.Struct("=2Q")
_COUNT_AT = struct.Struct("=Q"), 48
_MOST_RECORDS = 1 << 14
"""Records of a guest: markers of 8192 tests."""
_SECONDS = 120.0
_NEWEST_API = 7
"""The version of QEMU's interface up to which coverage.c knows it: that of QEMU 11.1."""
_NO_API = 99
"""A version that no QEMU has: it refuses it, and says up to which one it has."""
_LATEST = re.compile(r"supports only up to version (\d+)")
_SOURCE = Path(__file__).with_name("coverage.c")

Piece = tuple[int, int]
"""Where a piece of the text begins and where it ends."""


@dataclass(frozen=True)
class Trace:
    """What is to be traced: sorted pieces that do not overlap.

    ``writer`` is the address of the function ``WRITER``, 0 where it has none.
    """

    plugin: Path
    pieces: tuple[Piece, ...]
    writer: int

    def args(self, directory: Path) -> tuple[str, ...]:
        """Return the arguments of QEMU for a guest with this folder."""
        plugin, data = (str(path).replace(",", ",,") for path in (self.plugin, directory / FILE))
        return "-plugin", f"{plugin},data={data}"

    def prepare(self, directory: Path) -> None:
        """Write the file that the plugin maps. Raises OSError."""
        stride = -(-len(self.pieces) // 8)
        head = _HEAD.pack(_MAGIC, len(self.pieces), self.writer, _MOST_RECORDS, stride, 0, 0, 0)
        with (directory / FILE).open("wb") as file:
            file.write(head + b"".join(_PIECE.pack(*piece) for piece in self.pieces))
            file.truncate(file.tell() + stride * 8 + _MOST_RECORDS * stride)  # a hole: it takes the room that is used


@dataclass(frozen=True)
class Ran:
    """Which pieces ran in a guest, a bit each: by record, and after the last of them.

    There was no room for ``unrecorded`` more: what ran in those is in ``rest``, too. Without a known ``WRITER`` there
    are none.
    """

    records: tuple[int, ...]
    rest: int
    unrecorded: int = 0
    has_writer: bool = True


def count(directory: Path) -> int:
    """Return how many records the guest with this folder has so far; 0 where it is not traced."""
    layout, at = _COUNT_AT
    try:
        with (directory / FILE).open("rb") as file:
            file.seek(at)
            (records,) = layout.unpack(file.read(layout.size))
    except (OSError, struct.error):
        return 0
    return int(records)


def read(directory: Path) -> Ran | None:
    """Return what ran in a guest; None where it was not traced, or its QEMU did not come to run anything.

    Raises InfraError where the plugin left no whole file.
    """
    path = directory / FILE
    if not path.exists():
        return None
    data = path.read_bytes()
    try:
        magic, pieces, writer, capacity, stride, loaded, records, _ = _HEAD.unpack_from(data)
    except struct.error as error:
        raise InfraError(f"{path} is cut off") from error
    flags = _HEAD.size + pieces * _PIECE.size
    begin = flags + -(-pieces // 8) * 8
    if magic != _MAGIC or len(data) != begin + capacity * stride:
        raise InfraError(f"{path} is not what QEMU's plugin leaves")
    if not loaded:
        return None
    rest = sum(1 << number for number in range(pieces) if data[flags + number])
    kept = min(records, capacity)
    parts = (data[begin + k * stride : begin + (k + 1) * stride] for k in range(kept))
    return Ran(tuple(int.from_bytes(part, "little") for part in parts), rest, records - kept, bool(writer))


def build(binary: str, cache: Cache, progress: Progress) -> Path:
    """Return the plugin for a QEMU, compiled now or earlier. Raises InfraError, also where that takes none."""
    answer = obstacle(binary, _compiled(_NO_API, cache, progress))
    if latest := _LATEST.search(answer):
        plugin = _compiled(min(int(latest[1]), _NEWEST_API), cache, progress)
        answer = obstacle(binary, plugin)
        if not answer:
            return plugin
    raise InfraError(f"QEMU takes no plugin: {answer}")


def _compiled(api: int, cache: Cache, progress: Progress) -> Path:
    options = (f"-DAPI={api}", "-O2", "-fPIC", "-shared", "-fvisibility=hidden")
    return compiled.built(_SOURCE, "coverage.so", options, cache, Deadline.after(_SECONDS), progress)


@functools.cache
def obstacle(binary: str, plugin: Path) -> str:
    """Return why a QEMU does not take the plugin, or nothing. It is tried, with a machine that has no CPU."""
    with scratch.folder() as folder:
        Trace(plugin, ((0, 1),), 0).prepare(folder)
        machine = ("-M", "none", "-nodefaults", "-display", "none", "-S", "-accel", "tcg", "-qmp", "stdio")
        argv: Sequence[str] = (binary, *machine, *Trace(plugin, (), 0).args(folder))
        try:
            done = process.run(argv, deadline=Deadline.after(_SECONDS), input_text=_QUIT, check=False)
        except InfraError as error:
            return str(error)
        if done.ok:
            return ""
    lines = done.stderr.strip().splitlines()
    return lines[-1] if lines else f"{binary} ends with exit code {done.returncode}"


_QUIT = '{"execute":"qmp_capabilities"}{"execute":"quit"}'
