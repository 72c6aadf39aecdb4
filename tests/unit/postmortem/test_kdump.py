"""QEMU's dump in pieces becomes one that drgn opens."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from orchestrator.errors import InfraError
from orchestrator.host.process import FOREVER, Deadline
from orchestrator.postmortem import kdump

HEADER = b"KDUMP   " + struct.pack("<i", 6) + bytes(390) + b"rest"


def pieces(*parts: tuple[int, bytes], end: bool = True, magic: bytes = b"makedumpfile") -> bytes:
    body = b"".join(struct.pack(">qq", offset, len(data)) + data for offset, data in parts)
    return magic.ljust(4096, b"\0") + body + (struct.pack(">qq", -1, -1) if end else b"")


def test_pieces_come_to_their_places_and_the_kernel_is_named(tmp_path: Path) -> None:
    (tmp_path / "pieces").write_bytes(pieces((4096, b"page"), (0, HEADER)))
    kdump.make_readable(tmp_path / "pieces", tmp_path / "dump", "5.10.262", "x86_64", FOREVER)
    dump = (tmp_path / "dump").read_bytes()
    assert dump[4096:] == b"page"
    names = [dump[12 + 65 * number : 12 + 65 * (number + 1)].rstrip(b"\0") for number in range(6)]
    assert names == [b"Linux", b"guest", b"5.10.262", b"#1", b"x86_64", b""]
    assert dump[:12] == HEADER[:12] and dump[12 + 390 : 12 + 394] == b"rest"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        pieces((0, HEADER), magic=b"something"),
        pieces((0, HEADER), end=False),
        pieces((-7, HEADER)),
        pieces((0, b"no dump at all")),
    ],
)
def test_what_is_no_dump_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "pieces").write_bytes(data)
    with pytest.raises(InfraError):
        kdump.make_readable(tmp_path / "pieces", tmp_path / "dump", "5.10.262", "x86_64", FOREVER)
    assert [path.name for path in tmp_path.iterdir()] == ["pieces"], "no half of a dump is left"


def test_one_that_takes_too_long_is_given_up_and_nothing_of_it_is_left(tmp_path: Path) -> None:
    (tmp_path / "pieces").write_bytes(pieces((0, HEADER), (4096, b"page")))
    with pytest.raises(InfraError, match="out of time"):
        kdump.make_readable(tmp_path / "pieces", tmp_path / "dump", "5.10.262", "x86_64", Deadline.after(0))
    assert [path.name for path in tmp_path.iterdir()] == ["pieces"]
