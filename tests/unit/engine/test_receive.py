"""What comes back from a worker is unpacked here, or is one line on why not; nothing of it lies outside of the run."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from orchestrator.engine import receive
from orchestrator.engine.order import Parcel
from orchestrator.errors import InfraError
from orchestrator.host.store import Store
from tests.fakes import engines


def archive(*names: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as packed:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 2000
            packed.addfile(member, io.BytesIO(bytes(range(250)) * 8))
    return buffer.getvalue()


def opened(files: bytes, folder: Path) -> object:
    parcel = Parcel("lab1-7-aa", "lab1-7", "lab1", Path("wpci@run/jobs/toy/console.log"), files)
    return receive.opened(parcel, {}, engines.workspace(folder), Store((folder / "store").as_uri()))


def test_the_files_lie_in_the_folder_of_the_run_and_the_result_speaks_of_them_there(tmp_path: Path) -> None:
    path = opened(archive("jobs/toy/console.log"), tmp_path)
    assert isinstance(path, Path) and path.read_bytes() == bytes(range(250)) * 8
    assert path.is_relative_to(engines.workspace(tmp_path).directory)


WHOLE = archive("jobs/toy/console.log")
BROKEN = {
    "no archive": b"not packed",
    "cut off": WHOLE[: len(WHOLE) // 2],
    "another byte": WHOLE[:40] + bytes([WHOLE[40] ^ 255]) + WHOLE[41:],
    "a file outside": archive("../../escaped"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_cannot_be_unpacked_is_one_line(tmp_path: Path, what: str) -> None:
    fault = opened(BROKEN[what], tmp_path)
    assert isinstance(fault, InfraError)
    assert str(fault).startswith("what came back from lab1-7: no archive that can be unpacked: ")
    assert not list(tmp_path.rglob("escaped"))
